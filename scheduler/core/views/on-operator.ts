/**
 * What people ask for who look after a cluster, and who are no client of it: to cancel a task, whoever waits for it, to have
 * failed ones run again, and to have a worker leave, or start afresh.
 */
import { taskId } from '../../../protocol/ids.js'
import { unreachable } from '../../../common/assert.js'
import { abandon } from '../placing/assignment.js'
import { findByKey } from './explain.js'
import { sendAway } from '../workers/leaving.js'
import { failTask } from '../tasks/outcome.js'
import { dropScatter, freeAttempt } from '../tasks/retention.js'
import { mayRunAgain, runAgain } from '../tasks/retry.js'
import type { SchedulerState } from '../state.js'
import { findTask } from '../tasks/task-array.js'
import { isPending, keyOf, startNumber, type Task } from '../tasks/task.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** Of a task by its key; `retry-kind` of all that failed in one way, by the fingerprint of that; of a worker by its name. */
export type OperatorAction = 'cancel' | 'retry' | 'retry-kind' | 'drain' | 'restart'

/** `ended`: there was nothing left to do it to. `unwatched`: nobody would start that worker again. */
export type OperatorOutcome = 'done' | 'ended' | 'unknown' | 'unwatched'

/** What became of it, and how many tasks or workers it was done to. */
export interface OperatorAnswer {
  readonly outcome: OperatorOutcome
  readonly count: number
}

export function onOperator(state: SchedulerState, action: OperatorAction, target: string): OperatorAnswer {
  switch (action) {
    case 'cancel':
    case 'retry': {
      const task = taskOfKey(state, target)
      if (task === undefined) return answer('unknown')
      return answer(action === 'cancel' ? cancel(state, task) : retry(state, [task]))
    }
    case 'retry-kind': {
      const failed = state.errors.failedOf(target)
      return failed === undefined ? answer('unknown') : answer(retry(state, failed), failed.length)
    }
    case 'drain':
    case 'restart': {
      const worker = state.workersByName.get(target)
      if (worker === undefined) return answer('unknown')
      return answer(action === 'drain' ? drain(state, worker) : restart(state, worker))
    }
    default:
      return unreachable(action)
  }
}

function answer(outcome: OperatorOutcome, count = 1): OperatorAnswer {
  return { outcome, count: outcome === 'done' ? count : 0 }
}

function taskOfKey(state: SchedulerState, key: string): Task | undefined {
  const place = findByKey(state, key)
  return place === undefined ? undefined : findTask(state, taskId(place.array.id, place.index))
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

function retry(state: SchedulerState, tasks: readonly Task[]): 'done' | 'ended' {
  const failed = tasks.filter(mayRunAgain)
  if (failed.length === 0) return 'ended'
  for (const task of failed) state.journal?.add({ type: 'ran-again', key: keyOf(task) })
  runAgain(state, new Set(failed))
  return 'done'
}

function drain(state: SchedulerState, worker: WorkerRecord): 'done' | 'ended' {
  if (worker.isLeaving) return 'ended'
  sendAway(state, worker, false)
  return 'done'
}

/** As when it leaves, so that nothing is lost; then its nanny starts it again. */
function restart(state: SchedulerState, worker: WorkerRecord): OperatorOutcome {
  if (!worker.join.isWatched) return 'unwatched'
  if (worker.isLeaving) return 'ended'
  sendAway(state, worker, true)
  return 'done'
}
