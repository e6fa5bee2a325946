/**
 * `task.signal`: made when a task first asks for it, and marked in the lane, so that the main thread knows which tasks
 * listen. The call to stop comes over a broadcast channel, since the thread's own port belongs to its pool.
 */
import { BroadcastChannel } from 'node:worker_threads'
import { TaskCancelledError, TaskTimeoutError, type HeddleError } from '../../protocol/errors.js'
import type { TaskId } from '../../protocol/ids.js'
import type { StopCause } from '../core/stopping.js'
import type { RunningTask } from './current-task.js'

/** Tells one attempt of a task, in whichever thread it runs, that it is to end. */
export interface StopCall {
  readonly task: TaskId
  readonly attempt: number
  readonly cause: StopCause
}

let channelName: string | undefined
let channel: BroadcastChannel | undefined
/** The tasks that listen: the one that runs, and those that are lent. */
const listening = new Set<RunningTask>()

/** Where calls to stop will come from. It is opened when the first task listens. */
export function expectStopCalls(name: string): void {
  channelName = name
}

/** The signal of a task: the same one for as long as it runs. */
export function signalOf(task: RunningTask): AbortSignal {
  if (task.controller === undefined) {
    openChannel()
    task.controller = new AbortController()
    listening.add(task)
    // Only now: whoever reads this calls. One that is lent is called in any case.
    if (task.lending?.isLent !== true) task.lane.listens(task.batch.first + task.place)
  }
  return task.controller.signal
}

/** The task has ended. */
export function stopListening(task: RunningTask): void {
  listening.delete(task)
}

/** A call for a task that has ended, or that another thread runs, is for nobody here. */
export function onStopCall({ task, attempt, cause }: StopCall): void {
  for (const { batch, place, controller } of listening) {
    if (batch.taskIds[place] === task && batch.attempts[place] === attempt) controller?.abort(reasonOf(cause))
  }
}

/** What the signal of a task aborts with. */
export function reasonOf(cause: StopCause): HeddleError {
  switch (cause) {
    case 'cancelled':
      return new TaskCancelledError('This task was cancelled; end it now.')
    case 'dropped':
      return new TaskCancelledError('Nobody wants the result of this task any more; end it now.')
    case 'timed-out':
      return new TaskTimeoutError('This task has run for its timeoutMs; end it now.')
  }
}

function openChannel(): void {
  if (channel !== undefined || channelName === undefined) return
  channel = new BroadcastChannel(channelName)
  channel.onmessage = (event) => onStopCall((event as { readonly data: StopCall }).data)
  channel.unref()
}
