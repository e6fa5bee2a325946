/** All that is known of one task, for people who look into it. It reads the state and changes nothing, as `explain` does. */
import { taskId } from '../../../protocol/ids.js'
import { MAX_EXPLAINED } from '../../../protocol/limits.js'
import type { TaskDetails } from '../../../protocol/messages/api.js'
import { priorityOf } from '../../../protocol/urgency.js'
import { dependantsOf } from '../tasks/dependants.js'
import { readableText } from './error-groups.js'
import { explain, findByKey } from './explain.js'
import { workerOf } from '../placing/ahead.js'
import type { SchedulerState } from '../state.js'
import { segmentOf } from '../tasks/task-array.js'
import { keyOf, NO_INPUTS, startNumber, type Task, type TaskState } from '../tasks/task.js'

/** `undefined` when there is no task of this key. */
export function detailsOf(state: SchedulerState, key: string): TaskDetails | undefined {
  const place = findByKey(state, key)
  if (place === undefined) return undefined
  const { template, array, index, task } = place
  const explanation = explain(state, taskId(array.id, index), key)
  const inputs = task?.inputs ?? NO_INPUTS
  const at = task?.state
  return {
    ...explanation,
    key: place.key,
    functionName: template.name,
    client: array.client.name,
    priority: priorityOf(template.priority),
    isDetached: task?.isDetached ?? false,
    inputCount: inputs.length,
    inputs: inputs.slice(0, MAX_EXPLAINED).map((input) => ({
      key: keyOf(input),
      state: input.state.type,
      sizeBytes: input.state.type === 'in-memory' ? input.state.sizeBytes : 0,
    })),
    dependantCount: task?.dependants ?? 0,
    dependants:
      task === undefined ? [] : dependantsOf(task).map((each) => ({ key: keyOf(each), state: each.state.type })),
    attempt: task === undefined ? 0 : startNumber(task),
    failures: (task?.failures ?? 0) + (hasFailedItself(place.key, at) ? 1 : 0),
    workersLost: task?.deaths ?? 0,
    worker: (at && workerOf(at))?.join.name ?? '',
    holders: at?.type === 'in-memory' ? at.holders.slice(0, MAX_EXPLAINED).map(({ join }) => join.name) : [],
    sizeBytes: at?.type === 'in-memory' ? at.sizeBytes : 0,
    timings: {
      submittedForMs: Math.max(0, Math.round(state.nowMs - segmentOf(array, index).submittedAtMs)),
      runningForMs: task === undefined ? 0 : runningForMs(state, task),
      delayedForMs: at?.type === 'delayed' ? Math.max(0, Math.round(at.dueMs - state.nowMs)) : 0,
      meanMs: (template.statistics.meanUs ?? 0) / 1_000,
    },
    error: at?.type === 'failed' ? errorOf(at.failure) : undefined,
  }
}

/** The last failure, after which it was not tried again, is not counted in the record. */
function hasFailedItself(key: string, at: TaskState | undefined): boolean {
  return at?.type === 'failed' && at.failure.code === '' && at.failure.culpritKey === key
}

function errorOf(failure: Parameters<typeof readableText>[0]): TaskDetails['error'] {
  const { code, worker, attempt, culpritKey } = failure
  return { code, text: readableText(failure), worker, attempt, culpritKey }
}

/** By what its worker said last, and the time since. */
function runningForMs({ nowMs }: SchedulerState, { id, state }: Task): number {
  if (state.type !== 'processing') return 0
  const { pulse, heardAtMs } = state.worker
  const place = pulse?.running.indexOf(id) ?? -1
  return place === -1 ? 0 : Math.round((pulse?.runningForMs[place] ?? 0) + nowMs - heardAtMs)
}
