/**
 * A client starts the whole cluster afresh: all work of all clients is cancelled, results too, and every worker process ends
 * and is started again by its nanny.
 */
import { abandon } from '../placing/assignment.js'
import type { DataCall } from '../../../protocol/messages/data.js'
import type { ClientRecord } from '../clients/client-record.js'
import { onLeaving } from './leaving.js'
import { failTask, refusal } from '../tasks/outcome.js'
import { giveUpValue } from '../tasks/recovery.js'
import { dropScatter } from '../tasks/retention.js'
import { outboxOf, workerOutboxOf, type SchedulerState } from '../state.js'
import { unpublish } from '../data/datasets.js'
import { findTask, HELD } from '../tasks/task-array.js'
import { taskId } from '../../../protocol/ids.js'
import type { Failure, Task } from '../tasks/task.js'
import type { WorkerRecord } from './worker-record.js'

/** A client waits until these are gone, and as many workers are there as had these names. */
export interface Restart {
  readonly client: ClientRecord
  readonly request: number
  readonly old: Set<WorkerRecord>
  readonly names: readonly string[]
  /** Then it waits no longer. */
  readonly dueMs: number
}

type RestartCall = DataCall & { readonly type: 'restart' }

export function onRestart(state: SchedulerState, client: ClientRecord, { request, timeoutMs }: RestartCall): void {
  const workers = [...state.workers.values()]
  const unwatched = namesOfUnwatched(state)
  if (unwatched.length > 0) {
    outboxOf(state, client).add({ type: 'restarted', request, unwatched, absent: [] })
    return
  }
  const reason = `The cluster was restarted by client "${client.name}"; submit the work again.`
  cancelEverything(state, refusal('ERR_HEDDLE_TASK_CANCELLED', reason))
  // Those that want to go won't come back.
  const staying = workers.filter(({ isLeaving }) => !isLeaving)
  const names = staying.map(({ join }) => join.name)
  state.restarts.add({ client, request, old: new Set(staying), names, dueMs: state.nowMs + timeoutMs })
  for (const worker of staying) {
    workerOutboxOf(state, worker).add({ type: 'restart' })
    onLeaving(state, worker)
    worker.isDismissed = true
  }
  answerRestarts(state)
}

/** Workers that nobody would start again: while there are some, nothing is restarted. */
export function namesOfUnwatched({ workers }: SchedulerState): string[] {
  return [...workers.values()].filter(({ join }) => !join.isWatched).map(({ join }) => join.name)
}

/** Workers came or went. */
export function answerRestarts(state: SchedulerState, gone?: WorkerRecord): void {
  for (const restart of state.restarts) {
    if (gone !== undefined) restart.old.delete(gone)
    if (restart.old.size === 0 && state.stayingWorkers >= restart.names.length) answer(state, restart, [])
  }
}

/** When somebody has waited long enough; `Infinity` for never. */
export function nextRestartMs({ restarts }: SchedulerState): number {
  let nextMs = Infinity
  for (const { dueMs } of restarts) nextMs = Math.min(nextMs, dueMs)
  return nextMs
}

/** Workers that are not back by now are named to whoever waits for them. */
export function endRestarts(state: SchedulerState): void {
  for (const restart of state.restarts) {
    if (restart.dueMs > state.nowMs) continue
    const absent = restart.names.filter((name) => {
      const worker = state.workersByName.get(name)
      return worker === undefined || restart.old.has(worker)
    })
    answer(state, restart, absent)
  }
}

function answer(state: SchedulerState, restart: Restart, absent: readonly string[]): void {
  const { client, request } = restart
  state.restarts.delete(restart)
  if (state.clients.get(client.id) !== client) return
  outboxOf(state, client).add({ type: 'restarted', request, unwatched: [], absent })
}

function cancelEverything(state: SchedulerState, failure: Failure): void {
  for (const name of [...state.datasets.keys()]) unpublish(state, name)
  for (const array of [...state.arrays.values()]) {
    for (let index = 0; index < array.flags.length; index++) {
      const isHeld = (array.flags[index]! & HELD) !== 0
      const task = array.tasks[index] ?? (isHeld ? findTask(state, taskId(array.id, index)) : undefined)
      if (task?.array === array) cancelTask(state, task, failure)
    }
  }
}

function cancelTask(state: SchedulerState, task: Task, failure: Failure): void {
  // Who submits the work again gets a task of its own, whoever still holds the cancelled one.
  if (task.explicitKey !== undefined && state.keys.get(task.explicitKey) === task) state.keys.delete(task.explicitKey)
  switch (task.state.type) {
    case 'processing':
      abandon(state, task, task.state.worker)
      failTask(state, task, failure)
      break
    case 'waiting':
      if (task.template.isScattered) dropScatter(state, task)
      failTask(state, task, failure)
      break
    case 'ready':
    case 'delayed':
      failTask(state, task, failure)
      break
    case 'in-memory':
      giveUpValue(state, task)
      failTask(state, task, failure)
      break
    case 'released':
    case 'failed':
      break
  }
}
