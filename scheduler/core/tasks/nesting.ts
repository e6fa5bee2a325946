/**
 * Tasks that tasks submit: a parent's children. The client of the parent's thread holds them, and the parent itself: when
 * that client goes, with its thread or its worker, they stay, for the parent starts again and asks for them by number.
 * When the parent has an outcome, or nobody wants it any more, they are let go of.
 *
 * A parent that waits for children lends its slot, and all of them if it has several: its worker is sent other tasks meanwhile, its children before all.
 */
import { enlistOn, withdrawWaiters } from '../placing/ahead.js'
import { arrayOf, indexOf, taskId, type TaskId } from '../../../protocol/ids.js'
import type { SubmitUnder } from '../../../protocol/messages/client.js'
import type { WorkerToScheduler } from '../../../protocol/messages/worker.js'
import { reorder } from '../placing/assignment.js'
import type { ClientRecord } from '../clients/client-record.js'
import { outboxOf, type SchedulerState } from '../state.js'
import { expand, findTask, HELD, WANTED, type TaskArray } from './task-array.js'
import { furtherThreadsOf, takesThread, type Failure, type Task } from './task.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** Children that were submitted together. */
interface Brood {
  readonly array: TaskArray
  readonly first: number
  readonly count: number
  /** The number of the first of them. */
  readonly call: number
  /** Of the parent. */
  readonly attempt: number
}

/** A parent that has no outcome yet, with all that its attempts submitted. */
export interface Nesting {
  readonly parent: Task
  readonly broods: Brood[]
}

/**
 * The nesting of a parent whose worker's tasks use this client, and that still runs this attempt; `undefined` when nobody wants
 * its children any more.
 */
export function nestingOf(
  state: SchedulerState,
  { tasksOf }: ClientRecord,
  { parent, attempt }: SubmitUnder,
): Nesting | undefined {
  const worker = state.workersByName.get(tasksOf ?? '')
  const task = worker === undefined ? undefined : runningOn(state, worker, parent, attempt)
  if (worker === undefined || task === undefined) return undefined
  // One that takes no thread has none to lend, and says nothing. It may wait from now on.
  if (!takesThread(task)) setSuspended(state, worker, task, true)
  let nesting = state.nestings.get(parent)
  if (nesting === undefined) state.nestings.set(parent, (nesting = { parent: task, broods: [] }))
  return nesting
}

/**
 * Is it not known yet whether the parent of what comes next runs? Its worker ran it for another scheduler, or was cut off from
 * this one, and has not said so yet.
 */
export function isTooEarly(state: SchedulerState, { tasksOf, under }: ClientRecord): boolean {
  if (tasksOf === undefined || under === undefined) return false
  const worker = state.workersByName.get(tasksOf)
  if (worker === undefined) return true
  if (worker.isAttached || runningOn(state, worker, under.parent, under.attempt) !== undefined) return false
  // Of an attempt that this scheduler made it is known that it is over.
  const parent = findTask(state, under.parent)
  return parent !== undefined && parent.attempt < under.attempt
}

/** Did an earlier attempt submit anything? Then this one may find it. */
export function hasEarlier({ broods }: Nesting, attempt: number): boolean {
  return broods[0] !== undefined && broods[0].attempt < attempt
}

/** What an earlier attempt submitted under this number, if it is still there and has not failed. */
export function findEarlier({ broods }: Nesting, attempt: number, call: number): Task | undefined {
  for (let i = broods.length - 1; i >= 0; i--) {
    const brood = broods[i]!
    if (brood.attempt >= attempt || call < brood.call || call >= brood.call + brood.count) continue
    const task = childAt(brood, brood.first + call - brood.call)
    if (task !== undefined && task.state.type !== 'failed') return task
  }
  return undefined
}

/** Every child that has a record and is still held. */
export function childrenOf({ broods }: Nesting): Task[] {
  return broods.flatMap(({ array, first, count }) =>
    array.tasks.slice(first, first + count).filter((task, i) => {
      return task !== undefined && (array.flags[first + i]! & HELD) !== 0
    }),
  ) as Task[]
}

/** The task has an outcome, or is not wanted any more: what it submitted goes when the turn ends. */
export function endNesting(state: SchedulerState, { id }: Task): void {
  const nesting = state.nestings.get(id)
  if (nesting === undefined) return
  state.nestings.delete(id)
  state.endedNestings.push(nesting)
}

/** Is the array kept by a parent, whoever submitted it is gone? Nobody waits for its values until a parent asks again. */
export function isKeptByParent(state: SchedulerState, { nesting }: TaskArray): boolean {
  return nesting !== undefined && state.nestings.get(nesting.parent.id) === nesting
}

/** Whoever still waits for a child hears why it won't come. The caller lets go of it. */
export function tellParentEnded(state: SchedulerState, array: TaskArray, index: number): void {
  if ((array.flags[index]! & WANTED) === 0) return
  outboxOf(state, array.client).addFailed(taskId(array.id, index), PARENT_ENDED)
}

const PARENT_ENDED: Failure = Object.freeze({
  error: new Uint8Array(0),
  code: 'ERR_HEDDLE_TASK_CANCELLED',
  reason: 'the task that submitted it has ended, or is not wanted any more',
  worker: '',
  attempt: 0,
  culpritKey: '',
})

/**
 * The task waits for children, or goes on. As it uses up nothing while it waits, it holds no roots back either: they may be
 * its children. Nor do threads wait for what was sent ahead of it: its children may need them.
 */
function setSuspended(state: SchedulerState, worker: WorkerRecord, task: Task, isSuspended: boolean): void {
  if (worker.suspended.has(task) === isSuspended) return
  if (isSuspended) worker.suspended.add(task)
  else worker.suspended.delete(task)
  const change = isSuspended ? -1 : 1
  if (isSuspended) {
    worker.hasLent = true
    withdrawWaiters(state, task)
  }
  if (takesThread(task)) worker.extraSlots += change * furtherThreadsOf(task)
  else worker.ioTasks += change
  if (task.inputs.length > 0) state.consuming += change
  reorder(state, worker)
}

export function onSuspension(
  state: SchedulerState,
  worker: WorkerRecord,
  message: Extract<WorkerToScheduler, { readonly type: 'tasks-suspended' | 'tasks-resumed' }>,
): void {
  message.tasks.forEach((id, i) => {
    const attempt = message.attempts[i] ?? 1
    const task = runningOn(state, worker, id, attempt)
    if (task !== undefined) setSuspended(state, worker, task, message.type === 'tasks-suspended')
  })
}

function runningOn(state: SchedulerState, worker: WorkerRecord, id: TaskId, attempt: number): Task | undefined {
  const task = state.arrays.get(arrayOf(id))?.tasks[indexOf(id)]
  enlistOn(state, task, worker, attempt)
  if (task?.state.type !== 'processing' || task.state.worker !== worker) return undefined
  return task.id === id && task.attempt === attempt ? task : undefined
}

function childAt({ array }: Brood, index: number): Task | undefined {
  return array.tasks[index] ?? ((array.flags[index]! & HELD) === 0 ? undefined : expand(array, index))
}
