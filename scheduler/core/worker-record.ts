/** A worker as the scheduler knows it. */
import type { HeapItem } from '../../common/heap.js'
import type { CodeHash, TemplateId, WorkerId } from '../../protocol/ids.js'
import type { Join, Pulse } from '../../protocol/messages/worker.js'
import type { Task } from './task.js'
import type { WorkerOutbox } from './worker-outbox.js'

export interface WorkerRecord extends HeapItem {
  readonly id: WorkerId
  readonly join: Join
  /** Tasks sent to it whose outcome is not known, in the order they were sent. */
  readonly processing: Set<Task>
  /** Estimated time of `processing`, in microseconds of one thread; tasks never timed before count nothing. */
  queuedUs: number
  /** How many of `processing` belong to a function that was never timed. */
  untimed: number
  /** What it has been sent and need not be sent again. */
  readonly codes: Set<CodeHash>
  readonly templates: Set<TemplateId>
  readonly peers: Set<WorkerId>
  /** It wants to go: nothing more is sent to it. */
  isLeaving: boolean
  /** Nothing is expected of it any more, and it has been told. */
  isDismissed: boolean
  heardAtMs: number
  pulse: Pulse | undefined
  readonly outbox: WorkerOutbox
  /** Is it in `state.workersToFlush`? */
  isDirty: boolean
}

/** What a task of unknown length counts for in a worker's load. */
const UNTIMED_US = 6_000

/** How much is queued for each thread, in microseconds. */
export function loadOf(worker: WorkerRecord): number {
  const { threads } = worker.join
  const count = worker.processing.size
  return (worker.queuedUs + worker.untimed * UNTIMED_US + count) / threads + (count >= threads ? 1 : 0)
}

/** Order of the heap of open workers: the least loaded on top; the older one breaks a tie, so that a run can be repeated. */
export function isLessLoaded(a: WorkerRecord, b: WorkerRecord): boolean {
  const left = loadOf(a)
  const right = loadOf(b)
  return left === right ? a.id < b.id : left < right
}
