/**
 * Streams: tasks that give their values one by one. Each value goes on to the client at once, and nothing of it is kept
 * here: how many are on their way is limited by the task, which hears how many were taken. A stream that has given a value
 * can't be run again unnoticed: when its worker is lost, it fails.
 */
import type { TaskId } from '../../../protocol/ids.js'
import type { StreamChunk } from '../../../protocol/messages/worker.js'
import type { ClientRecord } from '../clients/client-record.js'
import { outboxOf, workerOutboxOf, type SchedulerState } from '../state.js'
import { HELD, recordOf } from './task-array.js'
import { keyOf, type Failure, type Task } from './task.js'
import type { WorkerRecord } from '../workers/worker-record.js'

export function onStreamChunk(state: SchedulerState, worker: WorkerRecord, message: StreamChunk): void {
  const { task: id, attempt, index, value } = message
  const task = recordOf(state, id)
  if (task?.state.type !== 'processing' || task.state.worker !== worker || task.attempt !== attempt) return
  if (!task.template.rules.isStream) return
  state.streamed.add(task)
  if ((task.array.flags[task.index]! & HELD) === 0) return
  outboxOf(state, task.array.client).add({ type: 'stream-chunk', task: id, index, value })
}

export function onStreamTaken(state: SchedulerState, client: ClientRecord, id: TaskId, taken: number): void {
  const task = recordOf(state, id)
  if (task?.array.client !== client || task.state.type !== 'processing') return
  workerOutboxOf(state, task.state.worker).add({ type: 'stream-taken', task: id, attempt: task.attempt, taken })
}

/** Has it given a value, so that it must not be run again? */
export function hasGiven({ streamed }: SchedulerState, task: Task): boolean {
  return streamed.size > 0 && streamed.has(task)
}

/** The task has an outcome, or nobody wants one. */
export function endStream({ streamed }: SchedulerState, task: Task): void {
  if (streamed.size > 0) streamed.delete(task)
}

/** Why a stream that has given values does not begin again. */
export function failureOfBroken(task: Task): Failure {
  const key = keyOf(task)
  const reason =
    `The stream ${key} broke off, as its worker or its thread was lost; ` +
    'what it gave until then is right, so begin another where it ended.'
  const worker = task.state.type === 'processing' ? task.state.worker.join.name : ''
  const { attempt } = task
  return { error: new Uint8Array(0), code: 'ERR_HEDDLE_WORKER_LOST', reason, worker, attempt, culpritKey: key }
}
