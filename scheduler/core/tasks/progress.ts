/**
 * What tasks that run report of themselves: how far they are, in their own words. The latest is kept while the task runs,
 * for people who look into it, and told to everybody who holds a future of it.
 */
import { enlistOn } from '../placing/ahead.js'
import { outputOf, taskId, type TaskId } from '../../../protocol/ids.js'
import type { TaskProgressed } from '../../../protocol/messages/worker.js'
import type { ClientRecord } from '../clients/client-record.js'
import { outboxOf, type SchedulerState } from '../state.js'
import { HELD, recordOf, type TaskArray } from './task-array.js'
import { isPending, outputCountOf, startNumber, type Task } from './task.js'
import type { WorkerRecord } from '../workers/worker-record.js'

export interface Progress {
  /** From 0 to 1. */
  readonly fraction: number
  readonly note: string
}

export function onTaskProgressed(state: SchedulerState, worker: WorkerRecord, message: TaskProgressed): void {
  const { attempt, fraction, note } = message
  const task = recordOf(state, message.task)
  enlistOn(state, task, worker, attempt)
  if (task?.state.type !== 'processing' || task.state.worker !== worker || task.attempt !== attempt) return
  state.progress.set(task, { fraction, note })
  for (const [client, tasks] of holdersOf(state, task)) {
    outboxOf(state, client).add({ type: 'progressed', tasks, attempt: startNumber(task), fraction, note })
  }
}

/** Tells the client of one more future what the task said last, if it runs. */
export function tellProgress(state: SchedulerState, task: Task, array: TaskArray, index: number): void {
  const progress = state.progress.get(task)
  if (progress === undefined) return
  const tasks = [taskId(array.id, index)]
  outboxOf(state, array.client).add({ type: 'progressed', tasks, attempt: startNumber(task), ...progress })
}

/** The task does not run any more, or begins again. */
export function endProgress({ progress }: SchedulerState, task: Task): void {
  if (progress.size > 0) progress.delete(task)
}

/** Of a task with several outputs, those are what is held and still waits for it: some may have been cancelled. */
function holdersOf(state: SchedulerState, task: Task): ReadonlyMap<ClientRecord, readonly TaskId[]> {
  const holders = new Map<ClientRecord, TaskId[]>()
  const add = ({ array, index }: Pick<Task, 'array' | 'index'>): void => {
    if ((array.flags[index]! & HELD) === 0) return
    const held = holders.get(array.client)
    if (held === undefined) holders.set(array.client, [taskId(array.id, index)])
    else held.push(taskId(array.id, index))
  }
  const count = outputCountOf(task)
  for (let i = 0; i <= count; i++) {
    const each = i === 0 ? task : recordOf(state, outputOf(task.id, i - 1))
    if (each === undefined || !isPending(each)) continue
    add(each)
    for (const alias of each.aliases ?? []) add(alias)
  }
  return holders
}
