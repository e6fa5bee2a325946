/**
 * Which attempt a report is of. One that is not current changes nothing, but for this: a value that nobody asked for any more is
 * freed where it lies; and a maker may tell of its value after a peer that had a copy of it.
 */
import { enlistOn, workerOf } from '../placing/ahead.js'
import { endLingering, forgetLeft } from '../placing/assignment.js'
import type { TaskId } from '../../../protocol/ids.js'
import { workerOutboxOf, type SchedulerState } from '../state.js'
import type { WorkerRecord } from '../workers/worker-record.js'
import { recordOf } from './task-array.js'
import { isHolder, type InMemory, type Task } from './task.js'

/** The task of a report that says that the worker is done with the attempt, and has no value of it, if the report is current. */
export function currentTask(
  state: SchedulerState,
  worker: WorkerRecord,
  id: TaskId,
  attempt: number,
): Task | undefined {
  if (worker.lingering.size > 0) endLingering(state, worker, id, attempt)
  const task = taskOfReport(state, worker, id, attempt)
  if (task === undefined) endSilence(state, worker, id, attempt)
  return task
}

/**
 * As `currentTask`, of a report that the worker has the task's value. If it is not current, and the worker has no newer business
 * with the task, it is told to free that. An attempt that left nothing is not freed: under its id the worker may have got the value
 * of a later one from elsewhere meanwhile.
 */
export function makerOf(state: SchedulerState, worker: WorkerRecord, id: TaskId, attempt: number): Task | undefined {
  if (worker.lingering.size > 0) endLingering(state, worker, id, attempt)
  const current = taskOfReport(state, worker, id, attempt)
  if (current !== undefined) {
    // The new value has taken the place of the old one.
    forgetLeft(current)
    return current
  }
  const task = recordOf(state, id)
  if (task !== undefined && workerOf(task.state) === worker) {
    task.hasLeft = true // Freed with the newer attempt, which an order to free it would end.
    return undefined
  }
  if (task?.state.type === 'in-memory') {
    if (isHolder(task.state, worker)) return undefined
    // A peer told of a copy first. An order to free what an older attempt left would take the value of this one.
    if (task.silent?.maker === worker) {
      if (task.attempt === attempt) return task
      task.silent.hasLeft = true
      return undefined
    }
  }
  workerOutboxOf(state, worker).addFree(id)
  return undefined
}

/** The value of a task whose maker speaks after a peer that had a copy of it. */
export function lateHolding(task: Task, worker: WorkerRecord): InMemory | undefined {
  const { state } = task
  return state.type === 'in-memory' && task.silent?.maker === worker && !isHolder(state, worker) ? state : undefined
}

/** The attempt of which a peer was thought to have a copy comes to nothing: what an older one left there is of no use any more. */
function endSilence(state: SchedulerState, worker: WorkerRecord, id: TaskId, attempt: number): void {
  const task = recordOf(state, id)
  if (task?.silent?.maker !== worker || task.attempt !== attempt || task.state.type !== 'in-memory') return
  if (task.silent.hasLeft && !isHolder(task.state, worker)) workerOutboxOf(state, worker).addFree(id)
  task.silent = undefined
}

/** The task that a report is about, if the report is current: one of an older attempt may have crossed with the order to end it. */
export function taskOfReport(
  state: SchedulerState,
  worker: WorkerRecord,
  id: TaskId,
  attempt: number,
): Task | undefined {
  const task = recordOf(state, id)
  enlistOn(state, task, worker, attempt)
  const isCurrent = task?.state.type === 'processing' && task.state.worker === worker && task.attempt === attempt
  return isCurrent ? task : undefined
}
