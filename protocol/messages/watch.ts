/**
 * What the status page and the scheduler say to each other, over a WebSocket at `/api/v1/watch`: JSON, a message a frame.
 * The page gets the whole state first, and then, at a fixed rate, what changed of it.
 */
import type { Changes } from '../../common/merge-patch.js'
import type { ErrorList, TaskDetails } from './api.js'
import type { Runs } from './runs.js'
import type { BlockedStatus, ClusterStatus, FunctionStatus, StateCounts, WorkerStatus } from './status.js'

/** A task that a worker is at, as of its last sign of life. */
export type RunningView = {
  readonly key: string
  readonly function: string
  /** When it began, on the scheduler's clock; 0 when it has not said so yet: less than a second ago, or not quite. */
  readonly sinceMs: number
}

/** As in the status, but by name, and so that it changes only when there is news. */
export type WorkerView = Omit<WorkerStatus, 'name' | 'silentForMs'> & {
  /** When it was last heard of, on the scheduler's clock, in steps of a second. */
  readonly heardAtMs: number
  /** The first of them, if there are many. */
  readonly running: readonly RunningView[]
}

export type FunctionView = Omit<FunctionStatus, 'name'> & {
  /** How many inputs its tasks have, by the function that these are of. */
  readonly inputs: Readonly<Record<string, number>>
}

export type ClusterView = {
  readonly clients: number
  readonly tasks: StateCounts
  readonly totals: ClusterStatus['totals']
  readonly tasksPerSecond: number
  /** By name, as functions are. */
  readonly workers: Readonly<Record<string, WorkerView>>
  readonly functions: Readonly<Record<string, FunctionView>>
  /** Functions beyond those that are shown. */
  readonly moreFunctions: number
  readonly blocked: readonly BlockedStatus[]
}

/** How the scheduler's own process is, over the last second. */
export type SchedulerView = {
  readonly packageVersion: string
  readonly nodeVersion: string
  readonly pid: number
  readonly host: string
  /** When it started, in milliseconds since 1970. */
  readonly startedAt: number
  readonly memoryBytes: number
  readonly heapBytes: number
  /** Of one core, by all its threads: 1 for a core. */
  readonly cpu: number
  /** The share of the time that its event loop was busy. */
  readonly loopBusy: number
  /** How late its timers were: one in a hundred was later. */
  readonly loopDelayMs: number
  readonly longestDelayMs: number
  /** Time spent on collecting garbage, of each second. */
  readonly garbageMs: number
  readonly connections: number
  readonly viewers: number
  /** If it keeps its state. */
  readonly journal?: JournalView
}

/** The file that the scheduler keeps in it what must outlive its process. */
export type JournalView = {
  readonly sizeBytes: number
  /** What waits for want of room on the disk. */
  readonly unwrittenBytes: number
  /** How long the disk took the last time to keep what was written; 0 before the first. */
  readonly syncMs: number
}

export type Watched = {
  /** On the scheduler's clock. */
  readonly nowMs: number
  readonly cluster: ClusterView
  readonly scheduler: SchedulerView
}

/** What the threads of one worker did since the last such message; `nowMs` is when it was told, on the scheduler's clock. */
export type RunsView = Omit<Runs, 'type'> & { readonly worker: string; readonly nowMs: number }

export type GraphTask = {
  readonly key: string
  readonly function: string
  readonly state: keyof StateCounts
  /** Their places in the list. */
  readonly inputs: readonly number[]
}

/** All tasks, if they are few enough. */
export type TaskGraph = { readonly count: number; readonly tasks: readonly GraphTask[] | null }

/** A line that a worker logged, or that a task printed there. */
export type LineView = {
  readonly worker: string
  /** In milliseconds since 1970, by the worker's clock. */
  readonly atMs: number
  readonly level: 'info' | 'warn' | 'error'
  readonly text: string
  /** The key of the task that printed it. */
  readonly task?: string
}

export type ToViewer =
  /** `mayAct`: whoever looks may change something, too, and not only look. */
  | { readonly type: 'whole'; readonly mayAct: boolean; readonly watched: Watched }
  | { readonly type: 'changes'; readonly changes: Changes }
  /** To those who look at the task stream. */
  | { readonly type: 'runs'; readonly workers: readonly RunsView[]; readonly leftOut: number }
  /** To those who look at logs: what is new, or first all that is kept. So many more were left out for being too many. */
  | { readonly type: 'logs'; readonly isWhole: boolean; readonly lines: readonly LineView[]; readonly leftOut: number }
  /** To those who look at errors, and at one task, once a second; `null` when there is no task of that key. */
  | { readonly type: 'errors'; readonly errors: ErrorList }
  /** The same to those who look at the graph. */
  | { readonly type: 'graph'; readonly graph: TaskGraph }
  | { readonly type: 'task'; readonly key: string; readonly task: TaskDetails | null }

/** Which of the views that take more than the state is looked at. */
export const LOOKS = ['', 'runs', 'logs', 'errors', 'graph', 'task'] as const
export type Look = (typeof LOOKS)[number]

/** Said at once, when another view is looked at, and every few seconds: a page that is silent for long is gone. */
export type FromViewer = {
  readonly type: 'here'
  readonly look: Look
  /** Of the task that is looked at; else empty. */
  readonly key: string
}
