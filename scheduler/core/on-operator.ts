/**
 * What people ask for who look after a cluster, and who are no client of it: to cancel a task, whoever waits for it, and to
 * have a failed one run again.
 */
import type { ActionOutcome } from '../../protocol/messages/api.js'
import { abandon } from './assignment.js'
import { findByKey } from './explain.js'
import { failTask } from './outcome.js'
import { dropScatter, freeAttempt } from './retention.js'
import { runAgain } from './retry.js'
import type { SchedulerState } from './state.js'
import { findTask } from './task-array.js'
import { isPending, keyOf, startNumber, type Task } from './task.js'
import { taskId } from '../../protocol/ids.js'

export type OperatorAction = 'cancel' | 'retry'

export function onOperator(state: SchedulerState, action: OperatorAction, key: string): ActionOutcome['outcome'] {
  const place = findByKey(state, key)
  const task = place === undefined ? undefined : findTask(state, taskId(place.array.id, place.index))
  if (task === undefined) return 'unknown'
  return action === 'cancel' ? cancel(state, task) : retry(state, task)
}

/** It fails at once for everybody; what a worker runs of it is stopped there, as that of a task which nobody wants. */
function cancel(state: SchedulerState, task: Task): 'done' | 'ended' {
  const target = task.producer ?? task // An output is made together with the others.
  if (!isPending(target)) return 'ended'
  if (target.template.isScattered) dropScatter(state, target)
  if (target.state.type === 'processing') {
    const { worker } = target.state
    abandon(state, target, worker)
    freeAttempt(state, target, worker)
  }
  failTask(state, target, {
    error: new Uint8Array(0),
    code: 'ERR_HEDDLE_TASK_CANCELLED',
    reason: `Task ${keyOf(target)} was cancelled by somebody who looks after this cluster.`,
    worker: '',
    attempt: startNumber(target),
    culpritKey: keyOf(target),
  })
  return 'done'
}

function retry(state: SchedulerState, task: Task): 'done' | 'ended' {
  if (task.state.type !== 'failed') return 'ended'
  state.journal?.add({ type: 'ran-again', key: keyOf(task) })
  runAgain(state, new Set([task]))
  return 'done'
}
