/**
 * Published work: the scheduler itself holds it under a name, so that it outlives the client that made it, and any client
 * gets a future of it by that name.
 */
import type { ArrayId, TaskId } from '../../../protocol/ids.js'
import { MAX_DATASETS } from '../../../protocol/limits.js'
import type { DataAnswer } from '../../../protocol/messages/data.js'
import { hasLease, type ClientRecord } from '../clients/client-record.js'
import { letStart } from '../clients/missing.js'
import { failTask, refusal, tellOne } from '../tasks/outcome.js'
import { letGo } from '../tasks/retention.js'
import { outboxOf, type SchedulerState } from '../state.js'
import { addArrayOfOne, findTask, makeTask } from '../tasks/task-array.js'
import { NO_INPUTS, RELEASED } from '../tasks/task.js'
import { templateWithoutCode } from '../tasks/templates.js'

type Outcome = (DataAnswer & { readonly type: 'published' })['outcome']

interface Publication {
  readonly request: number
  readonly name: string
  readonly task: TaskId
}

export function onPublish(state: SchedulerState, client: ClientRecord, { request, name, task }: Publication): void {
  const outcome = publish(state, name, task)
  outboxOf(state, client).add({ type: 'published', request, outcome })
}

function publish(state: SchedulerState, name: string, id: TaskId): Outcome {
  const known = state.datasets.get(name)
  // The same once more, as by a client that lost its connection before it had the answer.
  if (known !== undefined) return known === findTask(state, id) ? 'done' : 'taken'
  if (state.datasets.size >= MAX_DATASETS) return 'full'
  const task = findTask(state, id)
  if (task === undefined || task.state.type === 'released') return 'gone'
  state.datasets.set(name, task)
  task.publications++
  return 'done'
}

/** Returns false when nothing is published under the name. */
export function unpublish(state: SchedulerState, name: string): boolean {
  const task = state.datasets.get(name)
  if (task === undefined) return false
  state.datasets.delete(name)
  task.publications--
  letGo(state, task)
  return true
}

/** Returns what is wrong with the message, or `undefined` when its future stands for something. */
export function onOpenDataset(
  state: SchedulerState,
  client: ClientRecord,
  { array: id, name }: { readonly array: ArrayId; readonly name: string },
): string | undefined {
  if (!hasLease(state, client, id)) return 'its array id was not leased to this client'
  if (state.arrays.has(id)) return 'its array is in use'
  const task = state.datasets.get(name)
  const template = task?.template ?? templateWithoutCode(state, 'dataset')
  const segment = addArrayOfOne(state, { client, id, template })
  const { array } = segment
  if (task !== undefined) {
    array.tasks[0] = task
    task.aliases ??= []
    task.aliases.push({ array, index: 0 })
    letStart(state, [task])
    tellOne(state, task, array, 0)
    return undefined
  }
  template.statistics.tasks.released++
  const missing = makeTask(segment, 0, template, {
    inputs: NO_INPUTS,
    explicitKey: undefined,
    producer: undefined,
    state: RELEASED,
  })
  const reason = `Nothing is published under the name "${name}"; client.datasets() lists what is.`
  failTask(state, missing, refusal('ERR_HEDDLE_NO_DATASET', reason, name))
  return undefined
}
