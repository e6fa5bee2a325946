/**
 * `task.client()`: one client for all tasks of a thread, which connects when the first of them submits something. Its code
 * is loaded then too, and at once, as the call that makes it does not wait.
 */
import { createRequire } from 'node:module'
import type { Client } from '../../client/client.js'
import type * as InTask from '../../client/in-task.js'
import { HeddleError } from '../../protocol/errors.js'
import { takeLoadedCode } from './code.js'
import type { RunningTask, TaskAmongOthers } from './current-task.js'
import { Lending } from './lending.js'
import { isAwaited, leaveAwaited } from './uncaught.js'

const require = createRequire(import.meta.url)

const clients = new WeakMap<InTask.TaskRoute, InTask.TaskClients>()

/** The client of the task that runs. What it submits are children of the task. */
export function clientOf(task: RunningTask | TaskAmongOthers): Client {
  const { TaskClients, declareLoaded } = require('../../client/in-task.js') as typeof InTask
  const route = task.type === 'alone' ? task.host.route : task.route
  if (route === undefined) {
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', 'Tasks of this worker have no way to a scheduler.')
  }
  let ours = clients.get(route)
  if (ours === undefined) clients.set(route, (ours = new TaskClients(route)))
  for (const loaded of takeLoadedCode()) declareLoaded(loaded)
  if (task.type === 'among-others') return ours.clientOf(task.parent)
  if (task.lending === undefined) {
    task.lending = new Lending(task)
    // Else its batch says so when it has returned its promise.
    if (isAwaited()) task.lending.onAwaited(leaveAwaited)
  }
  return ours.clientOf(task.lending)
}
