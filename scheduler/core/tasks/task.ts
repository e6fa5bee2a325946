/**
 * A task: its place, what it needs, and the state it is in. Tasks of a `map` that nobody has looked at yet have no such
 * record: their array holds them by index (task-array.ts), and `expand` makes the record when one is first needed.
 */
import { AssertionError } from '../../../common/assert.js'
import { attempt, generatedKey, type Attempt, type TaskId } from '../../../protocol/ids.js'
import type { ErrorCode } from '../../../protocol/errors.js'
import type { DependencyErrorRule } from '../../../protocol/messages/rules.js'
import { MAX_GIVEN_VALUE_BYTES } from '../../../protocol/limits.js'
import { startOf, type Packed } from '../../../common/packed.js'
import type { HeapItem } from '../../../common/heap.js'
import { SKIPPED, type InlinePage } from '../data/inline-cache.js'
import type { TaskArray } from './task-array.js'
import type { Template } from './template.js'
import type { WorkerDeath } from '../../../protocol/messages/worker-death.js'
import type { Condemned } from '../workers/post-mortem.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** Why a task failed. The scheduler never reads `error`: it is an encoded value, empty when the cluster failed the task. */
export interface Failure {
  readonly error: Uint8Array
  readonly code: ErrorCode | ''
  readonly reason: string
  readonly worker: string
  readonly attempt: number
  /** The key of the task that failed first; others failed because they needed it. */
  readonly culpritKey: string
  /** How the worker ended that it failed with. */
  readonly death?: WorkerDeath | undefined
}

/** One object for all tasks that a worker has, so that sending a task makes none. */
export interface Processing {
  readonly type: 'processing'
  readonly worker: WorkerRecord
}

/** Where a task will run, and when it will have ended, as far as can be foreseen. */
export interface Forecast {
  readonly worker: WorkerRecord
  readonly endMs: number
  /** It takes longer than what goes ahead otherwise, and is the next of a chain. */
  readonly isChained: boolean
}

/** It failed, and is tried again at `dueMs`; or it is condemned, and fails then. In `state.delayed`. */
export interface Delayed extends HeapItem {
  readonly type: 'delayed'
  readonly task: Task
  readonly dueMs: number
  /** See workers/post-mortem.ts. */
  readonly condemned?: Condemned | undefined
}

/** Where a task is. Each state carries what is true only there. */
export type TaskState =
  /** It has a description and no value, and nobody needs one: either it was let go, or it has only just been made. */
  | { readonly type: 'released' }
  /**
   * Some inputs are not in memory. `missing` counts them (twice, if it is an input twice). A worker may have been sent the
   * task `ahead` of them: see placing/ahead.ts.
   */
  | { readonly type: 'waiting'; missing: number; ahead: Forecast | undefined }
  /** Every input is in memory, and the task is in the ready queue. */
  | { readonly type: 'ready' }
  /** Sent to a worker, and in its `processing`. */
  | Processing
  | Delayed
  /**
   * Held by `holders`, or, when they are all gone, by `page` alone (the scheduler's copy: `sizeBytes` of it from `start`). One
   * that was skipped has the page `SKIPPED`, and holders as far as its value was given to some. Where a copy was told of before
   * the maker spoke, the page comes later.
   */
  | {
      readonly type: 'in-memory'
      /** Nearly always one; then it is the list that all tasks of that worker share, so it is replaced and never changed. */
      holders: readonly WorkerRecord[]
      readonly sizeBytes: number
      page: InlinePage | undefined
      start: number
    }
  | { readonly type: 'failed'; readonly failure: Failure }

export type InMemory = TaskState & { readonly type: 'in-memory' }

/** Every legal edge, and nothing else. */
export const TASK_TRANSITIONS = {
  released: ['waiting', 'ready', 'failed'],
  waiting: ['ready', 'processing', 'in-memory', 'failed', 'released'],
  ready: ['processing', 'waiting', 'in-memory', 'failed', 'released'],
  processing: ['in-memory', 'failed', 'ready', 'waiting', 'released', 'delayed'],
  delayed: ['ready', 'waiting', 'in-memory', 'failed', 'released'],
  'in-memory': ['released'],
  failed: ['released'],
} as const satisfies Record<TaskState['type'], readonly TaskState['type'][]>

const LEGAL: Readonly<Record<TaskState['type'], ReadonlySet<string>>> = {
  released: new Set(TASK_TRANSITIONS.released),
  waiting: new Set(TASK_TRANSITIONS.waiting),
  ready: new Set(TASK_TRANSITIONS.ready),
  processing: new Set(TASK_TRANSITIONS.processing),
  delayed: new Set(TASK_TRANSITIONS.delayed),
  'in-memory': new Set(TASK_TRANSITIONS['in-memory']),
  failed: new Set(TASK_TRANSITIONS.failed),
}

export const RELEASED: TaskState = Object.freeze({ type: 'released' })
export const READY: TaskState = Object.freeze({ type: 'ready' })

/** A future, other than the one it was made for, that stands for the same task: somebody submitted its key again. */
export interface Alias {
  readonly array: TaskArray
  readonly index: number
}

export interface Task {
  readonly id: TaskId
  /** Where it lives. Its own client's hold and wish are flags there. */
  readonly array: TaskArray
  readonly index: number
  readonly template: Template
  readonly args: Packed
  /** Its entry in `args`. */
  readonly place: number
  /** Its own inputs, then its template's. */
  readonly inputs: readonly Task[]
  readonly explicitKey: string | undefined
  /** The task that it is an output of, which is its only input: it never runs itself. See on-outputs.ts. */
  readonly producer: Task | undefined
  state: TaskState
  /** Number of the latest time that it was sent to a worker; 0 before the first. */
  attempt: Attempt
  /** How many of those times it came back without having started. */
  unstarted: number
  /** Which of them may have started for all that is known, and is not believed to have; 0 for none. */
  presumedUnstarted: number
  /** How many of its runs failed by its own doing since it last had a value. */
  failures: number
  /** It ran at least once, or may have. Kept only for tasks with a `queueTimeoutMs`. */
  hasStarted: boolean
  /** It was wanted back from its worker, for it had waited too long by then. */
  isOverdue: boolean
  /** How many workers died while it may have been running. */
  deaths: number
  /** How often its value, or an input of it, was not where the scheduler believed it to be. */
  misses: number
  /** It came back for want of an input. It is not sent ahead of any, until it has a value. */
  staysBack: boolean
  /** Under how many names the scheduler itself holds it (datasets.ts). */
  publications: number
  /** Tasks in state `waiting` that miss this one's value. May also hold `staleWaiters` tasks that were let go meanwhile. */
  waiters: Task[]
  staleWaiters: number
  /** Dependants that have no outcome yet and are wanted: the value must stay while this is above 0. */
  pendingDependants: number
  /** Dependants that have a record: this record must stay while it is above 0, for they may have to run again. */
  dependants: number
  aliases: Alias[] | undefined
  /** A client wants it to go on until it has an outcome, whoever holds a future of it. */
  isDetached: boolean
  /**
   * The worker that has it, also ahead of its inputs, has a value of it too, which an older attempt left there and nobody counts
   * on. Few tasks ever have the field.
   */
  hasLeft?: boolean
  /**
   * A peer told of a copy of its value before `maker` has spoken of it, where an older attempt may have left one, too: see `hasLeft`.
   * Few tasks ever have the field.
   */
  silent?: { readonly maker: WorkerRecord; hasLeft: boolean } | undefined
}

export const NO_INPUTS: readonly Task[] = Object.freeze([])

/** What becomes of it when an input fails. Outputs fail with the task that makes them. */
export function errorRuleOf({ template, producer }: Task): DependencyErrorRule {
  return producer === undefined ? template.rules.onDependencyError : 'fail'
}

/** Is the input as the task needs it: a value that workers can get, or an error that it takes in the place of one? */
export function isReadyFor(task: Task, { state }: Task): boolean {
  if (state.type === 'in-memory') return isAtHand(state)
  return state.type === 'failed' && errorRuleOf(task) === 'pass-error'
}

/** Is every input as the task needs it? Something may have been lost since the task became ready. */
export function areInputsReady(task: Task): boolean {
  for (const input of task.inputs) if (!isReadyFor(task, input)) return false
  return true
}

/** Can workers get the value? What they do not hold, but for that of skipped tasks, they can't. */
export function isAtHand({ holders, page }: InMemory): boolean {
  return holders.length > 0 || page === SKIPPED
}

/** Does the task have neither outcome nor leave to go without one? Then its inputs must stay. */
export function isPending(task: Task): boolean {
  const { type } = task.state
  return type === 'waiting' || type === 'ready' || type === 'processing' || type === 'delayed'
}

/** How many tasks stand for its outputs: none when the task has its value itself. */
export function outputCountOf({ template, producer }: Task): number {
  return producer === undefined ? template.outputs : 0
}

/** The task has run, or may have: its wait for that is over. */
export function noteStarted(task: Task): void {
  if (task.template.rules.queueTimeoutMs > 0) task.hasStarted = true
}

/** Has it waited for too long, without ever having started? */
export function isWaitOver({ isOverdue, hasStarted }: Task): boolean {
  return isOverdue && !hasStarted
}

/** The only place that assigns `task.state`. The counts by function follow. */
export function moveTo(task: Task, next: TaskState): void {
  const from = task.state.type
  // The text is made only when it is needed: this runs several times for every task.
  if (!LEGAL[from].has(next.type)) throw new AssertionError(`task ${task.id}: ${from} to ${next.type}`)
  const { tasks } = task.template.statistics
  tasks[from]--
  tasks[next.type]++
  task.state = next
}

/** Not one that shares a thread with others that wait. */
export function takesThread({ template }: Task): boolean {
  return template.demand?.needs.threads !== 0
}

/** How many threads it takes beside its first. */
export function furtherThreadsOf({ template }: Task): number {
  return Math.max(1, template.demand?.needs.threads ?? 1) - 1
}

export function keyOf(task: Task): string {
  return task.explicitKey ?? generatedKey(task.template.name, task.id)
}

/** Number of its latest start, as users see it: only those attempts count that may have begun. */
export function startNumber({ attempt, unstarted }: Task): number {
  return attempt - unstarted
}

/** Its worker is lost, or is to give it back, and its latest attempt may have started: it did not, unless a worker comes back with it. */
export function presumeUnstarted(task: Task): void {
  task.unstarted++
  task.presumedUnstarted = task.attempt
}

/** A worker has this attempt of it, and may start it. */
export function resumeAttempt(task: Task, attempt: Attempt): void {
  task.attempt = attempt
  if (task.presumedUnstarted !== attempt) return
  task.unstarted--
  task.presumedUnstarted = 0
}

/** Numbers the attempt that is about to happen. */
export function nextAttempt(task: Task): Attempt {
  task.attempt = attempt(task.attempt + 1)
  return task.attempt
}

/** Does the worker hold the value, as far as the scheduler knows? */
export function isHolder(state: InMemory, worker: WorkerRecord): boolean {
  return state.holders.includes(worker)
}

/** Does the value come from the scheduler, with the task that needs it? */
export function isGiven({ page, sizeBytes }: InMemory): boolean {
  return sizeBytes <= MAX_GIVEN_VALUE_BYTES && page?.bytes !== undefined
}

/** The worker has a copy too. */
export function addHolder(state: InMemory, worker: WorkerRecord): void {
  const { holders, page } = state
  if (holders.length === 0 && page !== undefined) page.lone--
  state.holders = holders.length === 0 ? worker.alone : [...holders, worker]
}

/** The worker has no copy any more. */
export function removeHolder(state: InMemory, worker: WorkerRecord): void {
  if (!state.holders.includes(worker)) return
  state.holders = state.holders.filter((holder) => holder !== worker)
  if (state.holders.length === 0 && state.page !== undefined) state.page.lone++
}

/** The size of the task's own arguments, encoded. */
export function argumentBytesOf({ args, place }: Task): number {
  return args.ends[place]! - startOf(args, place)
}
