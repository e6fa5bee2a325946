/** Clients may ask that workers hold about equally many bytes. One plan is carried out at a time; who asks meanwhile joins it. */
import { planBalance } from './balance.js'
import type { ClientRecord } from '../clients/client-record.js'
import { beginMove, isMoving, isUsedAt, newRelocation, valuesOf, type Relocation } from './moves.js'
import { outboxOf, type SchedulerState } from '../state.js'
import type { Task } from '../tasks/task.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** What is under way, and who waits for it. */
export interface Rebalance {
  readonly relocation: Relocation
  readonly askers: { readonly client: ClientRecord; readonly request: number }[]
}

export function onRebalance(state: SchedulerState, client: ClientRecord, request: number): void {
  state.rebalance ??= beginRebalance(state)
  state.rebalance.askers.push({ client, request })
}

/** At the end of a turn: answers when everything has moved. */
export function endRebalance(state: SchedulerState): void {
  if (state.rebalance === undefined || state.rebalance.relocation.moves.size > 0) return
  const { relocation, askers } = state.rebalance
  state.rebalance = undefined
  for (const { client, request } of askers) {
    if (state.clients.get(client.id) !== client) continue
    outboxOf(state, client).add({ type: 'rebalanced', request, ...relocation.moved })
  }
}

function beginRebalance(state: SchedulerState): Rebalance {
  const relocation = newRelocation()
  const workers = [...state.workers.values()].filter(({ isLeaving }) => !isLeaving)
  const held = new Map(workers.map((worker) => [worker, { sizeBytes: 0, tasks: [] as Task[] }]))
  for (const { task, value } of valuesOf(state)) {
    const { holders, sizeBytes } = value
    for (const holder of holders) {
      const holding = held.get(holder)
      if (holding === undefined) continue
      holding.sizeBytes += sizeBytes
      if (holders.length === 1 && mayMove(state, task, holder)) holding.tasks.push(task)
    }
  }
  const tasks = workers.map((worker) => held.get(worker)!.tasks)
  const holdings = workers.map((worker, place) => {
    const movable = tasks[place]!.map(({ state: value }) => (value.type === 'in-memory' ? value.sizeBytes : 0))
    return { sizeBytes: held.get(worker)!.sizeBytes, movable }
  })
  for (const { value, from, to } of planBalance(holdings)) {
    const allowed = new Set([workers[to]!.join.name])
    beginMove(state, { task: tasks[from]![value]!, from: workers[from]!, allowed, relocation }, 0)
  }
  return { relocation, askers: [] }
}

/** What a task there is about to read stays. */
function mayMove(state: SchedulerState, task: Task, holder: WorkerRecord): boolean {
  return !isMoving(state, task) && !isUsedAt(task, holder)
}
