/**
 * Clients that the scheduler before this one had, and that have not come back yet: what only they want is not started, since
 * nobody may ever fetch it. What runs may end. Tasks that they detached or published go on, and so do those that somebody
 * needs who is here, with all that these need in turn.
 */
import { readyQueueOf, type SchedulerState } from '../state.js'
import type { ReadyQueue } from '../placing/ready-queue.js'
import type { Task } from '../tasks/task.js'
import { isWithheld, type ClientRecord } from './client-record.js'

/** A journal was read: all its clients are missing. */
export function missClients(state: SchedulerState): void {
  for (const client of state.clients.values()) {
    client.mayStart = new Set()
    state.missingClients.add(client)
    for (const queue of queuesOf(state)) queue.withhold(client.id)
  }
  if (state.missingClients.size === 0) return
  for (const { tasks, client } of state.arrays.values()) {
    for (const task of tasks) {
      if (task === undefined) continue
      if (task.isDetached || task.publications > 0) letStart(state, [task])
      // Its client is gone for good, and somebody holds it all the same.
      else if (client.mayStart === undefined && task.array.client === client) letStart(state, task.inputs)
    }
  }
}

/** The client is here, under the id by which the queues know it, or is given up: what is left of its work waits no more. */
export function missNoMore(state: SchedulerState, client: ClientRecord): void {
  if (!state.missingClients.delete(client)) return
  client.mayStart = undefined
  for (const queue of queuesOf(state)) queue.resume(client.id)
  if (state.missingClients.size === 0) return
  for (const { tasks } of client.arrays) {
    for (const task of tasks) if (task !== undefined) letStart(state, [task, ...task.inputs])
  }
}

/** Somebody who is here needs these. It stays so if that ends soon: they had been asked for before. */
export function letStart(state: SchedulerState, tasks: readonly Task[]): void {
  if (state.missingClients.size === 0) return
  const work = [...tasks]
  for (let task = work.pop(); task !== undefined; task = work.pop()) {
    const { client } = task.array
    // Inputs of a task whose client is here were looked at when it came.
    if (!isWithheld(client, task)) continue
    client.mayStart?.add(task)
    if (task.state.type === 'ready') readyQueueOf(state, task.template).addTask(task)
    for (const input of task.inputs) work.push(input)
  }
}

function queuesOf(state: SchedulerState): ReadyQueue[] {
  return [state.ready, ...[...state.demands.values()].map(({ queue }) => queue)]
}
