/** The tasks that a thread was given to run one after another, until the thread is free again. */
import type { TaskId } from '../../protocol/ids.js'
import { BATCH_US, shareOfBatchUs } from './estimates.js'
import type { WorkerInstruction } from './instructions.js'
import type { WorkerState } from './state.js'
import type { Stop, Stopping } from './stopping.js'
import type { Task, TaskState } from './task.js'

/** Past its estimate by this factor, and by this time, a batch keeps others waiting; one of long tasks does by this time. */
const OVERDUE_FACTOR = 2
const OVERDUE_MS = 5
/** So often, at most, it is added to. */
const GROW_INTERVAL_MS = 1

/** What became of the tasks that the thread has not started. They are taken back at most once. */
export type Tail =
  /** They are the thread's. */
  | 'given'
  /** They are to be taken back at the end of this turn. */
  | 'wanted'
  /** The shell was asked for them and has not answered. */
  | 'asked'
  /** They were taken back. */
  | 'cut'

export interface Batch {
  readonly thread: number
  /** Those that were added are behind the others. */
  tasks: readonly Task[]
  /** Places from here on are not the thread's any more. */
  end: number
  /** Which of its tasks make inputs of later ones: see chain.ts. */
  makers: ReadonlySet<TaskId> | undefined
  /** Its thread rings behind this place, so that more comes before it ends: see `middleOf`. */
  middle: number | undefined
  /** Its thread was told to ring for whatever it has done. */
  isHurried: boolean
  /** How many tasks have no outcome: those before `end` that are `batched` or `abandoned`. */
  open: number
  /** How many of `open` are `abandoned`. */
  abandoned: number
  tail: Tail
  /** Tasks that the scheduler wants back if they have not started. */
  recalled: Set<Task> | undefined
  /** The most that one of its tasks may come to take of memory: they run one after another. */
  readonly needBytes: number
  /** Tasks that are to stop. */
  stops: Map<Task, Stop> | undefined
  /** How the one of them that runs is being stopped. */
  stopping: Stopping | undefined
  /** When the task that runs now may have had its time; `Infinity` when it has no time-out. See time-outs.ts. */
  lookAtMs: number
  /** The task that the shell was asked about then. */
  lookingAt: Task | undefined
  /** Have some of its tasks a time-out? */
  isTimed: boolean
  /** It holds more than a short wait is worth: see `LONG_BATCH_US`. */
  readonly isLong: boolean
  /** Its tasks can wait, for so long in a row; 0 if they can't. */
  readonly patienceUs: number
  readonly beganAtMs: number
  overdueAtMs: number
  /** Nothing is added before. */
  growsAtMs: number
  /** When the task that runs now began: with the batch, or when the last outcome came. */
  runningSinceMs: number
}

/** What a batch is made of, or what is added to one. */
export interface Taken extends Readonly<Pick<Batch, 'tasks' | 'needBytes' | 'isTimed' | 'makers'>> {
  /** What the thread has to do with it, and with what it had before. */
  readonly estimateUs: number
  /** There was more, but for the length of a batch. */
  readonly hasMore: boolean
}

export function createBatch(
  thread: number,
  { tasks, estimateUs, needBytes, isTimed, makers }: Omit<Taken, 'hasMore'>,
  nowMs: number,
): Batch {
  const isLong = tasks.length > 1 && estimateUs > BATCH_US
  return {
    thread,
    tasks,
    end: tasks.length,
    makers,
    middle: undefined,
    isHurried: false,
    open: tasks.length,
    abandoned: 0,
    tail: 'given',
    recalled: undefined,
    needBytes,
    stops: undefined,
    stopping: undefined,
    lookAtMs: Infinity,
    lookingAt: undefined,
    isTimed,
    isLong,
    patienceUs: tasks[0]?.patienceUs ?? 0,
    beganAtMs: nowMs,
    overdueAtMs: nowMs + (isLong ? OVERDUE_MS : usualMs(estimateUs)),
    growsAtMs: nowMs,
    runningSinceMs: nowMs,
  }
}

function usualMs(estimateUs: number): number {
  return Math.max(OVERDUE_MS, (OVERDUE_FACTOR * estimateUs) / 1_000)
}

/** The thread has these, too. */
export function addToBatch(batch: Batch, { tasks, estimateUs, isTimed, makers }: Taken, nowMs: number): void {
  batch.tasks = [...batch.tasks, ...tasks]
  batch.end = batch.tasks.length
  batch.open += tasks.length
  if (makers !== undefined) batch.makers = new Set([...(batch.makers ?? []), ...makers])
  batch.overdueAtMs = nowMs + usualMs(estimateUs)
  batch.growsAtMs = nowMs + GROW_INTERVAL_MS
  if (isTimed && !batch.isTimed) {
    batch.isTimed = true
    watchRun(batch, nowMs)
  }
}

/**
 * What the thread has still to do, as far as is known: those of its tasks that have an outcome come before all others. What is
 * beyond `mostUs` is not counted.
 */
export function leftUs({ tasks, end }: Batch, mostUs = Infinity): number {
  let us = 0
  for (let place = end - 1; place >= 0 && us <= mostUs && isOpen(tasks[place]!.state); place--)
    us += shareOfBatchUs(tasks[place]!.template)
  return us
}

/** May the thread still start tasks that could be had back? One of those without an outcome is running. */
export function hasTail(batch: Batch): boolean {
  return batch.tail === 'given' && batch.open > 1
}

export function isOpen(state: TaskState): state is Extract<TaskState, { readonly batch: Batch }> {
  return state.type === 'batched' || state.type === 'abandoned'
}

/** The task that the thread is running, or about to run. */
export function runningTask(batch: Batch): Task | undefined {
  return batch.tasks.find((task, place) => place < batch.end && isOpen(task.state))
}

/** The thread may just have begun another task of a batch in which some have time-outs. See time-outs.ts. */
export function watchRun(batch: Batch, nowMs: number): void {
  const timeoutMs = runningTask(batch)?.template.timeoutMs ?? 0
  batch.lookAtMs = timeoutMs === 0 ? Infinity : nowMs + timeoutMs
}

/** The task at `place` if it is the thread's and has no outcome. */
export function openTask(batch: Batch, place: number): Task | undefined {
  const task = place < batch.end ? batch.tasks[place] : undefined
  return task !== undefined && isOpen(task.state) ? task : undefined
}

/** The task leaves its batch and goes on elsewhere. Returns how it is to stop, if it is. */
export function leaveStops(batch: Batch, task: Task): Stop | undefined {
  const stop = batch.stops?.get(task)
  batch.stops?.delete(task)
  if (batch.stopping?.task === task) batch.stopping = undefined
  if (batch.lookingAt === task) batch.lookingAt = undefined
  return stop
}

/** Somebody wants to hear of the task as soon as it has ended: if others of its batch are still to end, its thread rings behind each. */
export function hurryBatchOf({ tasks }: WorkerState, task: TaskId, out: WorkerInstruction[]): void {
  const known = tasks.get(task)?.state
  if (known?.type !== 'batched') return
  const { batch } = known
  if (batch.isHurried || batch.open === 1) return
  batch.isHurried = true
  out.push({ type: 'hurry-batch', thread: batch.thread })
}
