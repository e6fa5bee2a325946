/** A client wants a future of a task that is there already, and knows its key: an explicit one, or a generated one. */
import { arrayOf, generatedKey, indexOf, taskId, taskInKey } from '../../../protocol/ids.js'
import type { Attach } from '../../../protocol/messages/client.js'
import { hasLease, type ClientRecord } from '../clients/client-record.js'
import { letStart } from '../clients/missing.js'
import { isProducer } from './on-outputs.js'
import { refusal, tellOne } from './outcome.js'
import { tellProgress } from './progress.js'
import { wake } from './recovery.js'
import { outboxOf, type SchedulerState } from '../state.js'
import { addArrayOfOne, findTask, HELD, templateAt } from './task-array.js'
import type { Task } from './task.js'

/** Returns what is wrong with the message, or `undefined` when the client has its future, or knows that there is no task. */
export function onAttach(state: SchedulerState, client: ClientRecord, { array: id, key }: Attach): string | undefined {
  if (!hasLease(state, client, id)) return 'its array id was not leased to this client'
  if (state.arrays.has(id)) return 'its array is in use'
  const task = taskOfKey(state, key)
  if (task === undefined) {
    const reason =
      `No task has the key "${key}" now: it was never submitted, or nobody holds it any more; ` +
      'keep a future of it where it was submitted.'
    outboxOf(state, client).addFailed(taskId(id, 0), refusal('ERR_HEDDLE_UNKNOWN_KEY', reason, key))
    return undefined
  }
  const { array } = addArrayOfOne(state, { client, id, template: task.template })
  array.tasks[0] = task
  task.aliases ??= []
  task.aliases.push({ array, index: 0 })
  letStart(state, [task])
  if (task.state.type === 'released') wake(state, task)
  else tellOne(state, task, array, 0)
  tellProgress(state, task, array, 0)
  return undefined
}

function taskOfKey(state: SchedulerState, key: string): Task | undefined {
  const named = state.keys.get(key)
  if (named !== undefined) return named
  const id = taskInKey(key)
  if (id === undefined) return undefined
  const array = state.arrays.get(arrayOf(id))
  const index = indexOf(id)
  if (array === undefined || index >= array.flags.length) return undefined
  // A place whose future is gone, and a key that only looks like one, stand for nothing.
  if (array.tasks[index] === undefined && (array.flags[index]! & HELD) === 0) return undefined
  if (generatedKey(templateAt(array, index).name, id) !== key) return undefined
  const task = findTask(state, id)
  // Nothing can make a scattered value again that was let go.
  if (task?.state.type === 'released' && task.template.isScattered) return undefined
  // What has outputs has no value itself, and a stream is its reader's alone.
  return task === undefined || isProducer(task) || task.template.rules.isStream ? undefined : task
}
