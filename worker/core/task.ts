/**
 * A task on this worker: what a thread needs to run it, and the state it is in. A record stands for one attempt and is
 * used once: a newer attempt has a record of its own, so whoever still holds the old one (a batch in a thread) can't
 * mistake one for the other. A batch hands the records themselves to the shell, so a task costs one object here.
 */
import { AssertionError } from '../../common/assert.js'
import type { TaskId } from '../../protocol/ids.js'
import type { FailureRecord } from '../../protocol/messages/common.js'
import type { Batch } from './batch.js'
import type { Stop } from './stopping.js'
import type { Template } from './estimates.js'
import type { BatchTask } from './instructions.js'

/** Where a task is. Each state carries what is true only there. */
export type TaskState =
  /**
   * Some inputs are not in the memory of the value store; each has a fetch in which this task is a waiter. It may go to a thread
   * along with those that make them: see chain.ts.
   */
  | { readonly type: 'waiting'; readonly missing: Set<TaskId> }
  /** In the ready queue. */
  | { readonly type: 'ready' }
  /** Given to a thread, and no outcome is known. Only the thread's cursor knows whether it has started. */
  | { readonly type: 'batched'; readonly batch: Batch }
  /** As `batched`, but nobody wants the outcome: it is dropped without a word. */
  | { readonly type: 'abandoned'; readonly batch: Batch }
  /**
   * Its thread runs others, because it waits for tasks that it submitted (`isAwaiting`), or did and goes on beside them.
   * Without `isWanted` its outcome is dropped.
   */
  | Lent
  /** It ended, went back to the scheduler, or was let go. The record is of no more use. */
  | { readonly type: 'gone' }

export interface Lent {
  readonly type: 'lent'
  isAwaiting: boolean
  isWanted: boolean
  /** Whether it awaits something, as the scheduler was told. */
  wasAwaiting: boolean
  /** When it last went on. */
  resumedAtMs: number
  /** When it has had its time; `Infinity` when it has no time-out. */
  readonly timesOutAtMs: number
  /** It is to stop, for this reason. */
  stop: Stop | undefined
  /** What comes next of that is due then; `Infinity` for nothing. */
  stopAtMs: number
  /** Could its thread be terminated? */
  readonly canTerminate: boolean
  /** Its thread is being terminated for it. */
  isTerminating: boolean
}

/** Every legal edge, and nothing else. */
export const TASK_TRANSITIONS = {
  waiting: ['ready', 'batched', 'gone'],
  ready: ['batched', 'waiting', 'gone'],
  batched: ['ready', 'abandoned', 'lent', 'gone'],
  abandoned: ['lent', 'gone'],
  lent: ['gone'],
  gone: [],
} as const satisfies Record<TaskState['type'], readonly TaskState['type'][]>

const LEGAL: Readonly<Record<TaskState['type'], ReadonlySet<string>>> = {
  waiting: new Set(TASK_TRANSITIONS.waiting),
  ready: new Set(TASK_TRANSITIONS.ready),
  batched: new Set(TASK_TRANSITIONS.batched),
  abandoned: new Set(TASK_TRANSITIONS.abandoned),
  lent: new Set(TASK_TRANSITIONS.lent),
  gone: new Set(TASK_TRANSITIONS.gone),
}

export const READY: TaskState = Object.freeze({ type: 'ready' })
export const GONE: TaskState = Object.freeze({ type: 'gone' })

export interface Task extends BatchTask {
  readonly template: Template
  /** Only those tasks have the field that need it: there are many. */
  failures?: ReadonlyMap<TaskId, FailureRecord>
  state: TaskState
}

/** How far tasks that can wait stand behind the others of their priority, which are whole numbers. */
export const PATIENCE = 0.5

/** What is ready begins in this order, the highest first. */
export function rankOf({ priority, patienceUs }: Task): number {
  return patienceUs > 0 ? priority - PATIENCE : priority
}

/** The only place that assigns `task.state`. */
export function moveTo(task: Task, next: TaskState): void {
  const from = task.state.type
  // The message is made only when it is needed: this runs several times for every task.
  if (!LEGAL[from].has(next.type)) throw new AssertionError(`task ${task.task}: ${from} to ${next.type}`)
  task.state = next
}
