/**
 * Workers that go: by themselves, or because a client retires them. They get nothing more, end what they run, give back the
 * rest, and what only they hold moves to those that stay, so that nothing has to be made again.
 */
import { reorder } from './assignment.js'
import type { ClientRecord } from './client-record.js'
import { quitDemands } from './demand.js'
import { ANY_WORKER, beginMove, isMoving, newRelocation, valuesOf } from './moves.js'
import { retryScatters } from './scatter.js'
import { noteWorkers } from './spread.js'
import { outboxOf, workerOutboxOf, type SchedulerState } from './state.js'
import type { Task } from './task.js'
import type { WorkerRecord } from './worker-record.js'

/** A client waits until these are gone. */
export interface Retirement {
  readonly client: ClientRecord
  readonly request: number
  readonly workers: Set<WorkerRecord>
}

/** The worker wants to go: it gets nothing more. */
export function onLeaving(state: SchedulerState, worker: WorkerRecord): void {
  if (worker.isLeaving) return
  worker.isLeaving = true
  worker.evacuation = newRelocation()
  state.leaving.add(worker)
  state.stayingWorkers--
  state.memoryLimitBytes -= worker.join.memoryLimitBytes
  state.open.remove(worker)
  reorder(state, worker)
  quitDemands(state, worker)
  retryScatters(state)
  noteWorkers(state)
}

/** A client wants workers to go. If there is none of a name, all stay. */
export function onRetireWorkers(
  state: SchedulerState,
  client: ClientRecord,
  { request, workers: names }: { readonly request: number; readonly workers: readonly string[] },
): void {
  const all = [...state.workers.values()]
  const found = names.map((name) => all.find(({ join }) => join.name === name || join.address === name))
  const unknown = names.filter((_, i) => found[i] === undefined)
  const workers = new Set(found.filter((worker) => worker !== undefined))
  if (unknown.length > 0 || workers.size === 0) {
    outboxOf(state, client).add({ type: 'retired', request, unknown })
    return
  }
  state.retirements.add({ client, request, workers })
  for (const worker of workers) {
    if (worker.isLeaving) continue
    workerOutboxOf(state, worker).add({ type: 'leave' })
    onLeaving(state, worker)
  }
}

/** The worker is gone. */
export function endLeaving(state: SchedulerState, worker: WorkerRecord): void {
  state.leaving.delete(worker)
  for (const retirement of state.retirements) {
    const { client, request, workers } = retirement
    if (!workers.delete(worker) || workers.size > 0) continue
    state.retirements.delete(retirement)
    if (state.clients.get(client.id) === client) outboxOf(state, client).add({ type: 'retired', request, unknown: [] })
  }
}

/** At the end of a turn: has values move away, and dismisses who is done. Returns true when further values are to move. */
export function seeOffWorkers(state: SchedulerState): boolean {
  let hasMoves = false
  for (const worker of state.leaving) {
    const { evacuation, processing, stopping, isDismissed } = worker
    if (isDismissed || evacuation === undefined || evacuation.moves.size > 0) continue
    const isBusy = processing.size > 0 || stopping.size > 0
    if (worker.hasEvacuated && isBusy) continue // What it still makes moves when it is done.
    worker.hasEvacuated = true
    const isLeftAlone = evacuate(state, worker)
    if (evacuation.moves.size > 0) hasMoves = true
    else if (!isBusy && isLeftAlone) dismiss(state, worker)
  }
  return hasMoves
}

/** Nothing is expected of the worker any more: it may close. */
function dismiss(state: SchedulerState, worker: WorkerRecord): void {
  worker.isDismissed = true
  workerOutboxOf(state, worker).add({ type: 'farewell' })
}

/**
 * Found by looking at every task, as after a death: workers leave seldom. Who holds least of those that stay gets the next
 * value. Returns false while others are moving one away.
 */
function evacuate(state: SchedulerState, worker: WorkerRecord): boolean {
  const relocation = worker.evacuation
  const staying = [...state.workers.values()].filter(({ isLeaving }) => !isLeaving)
  if (relocation === undefined || staying.length === 0) return true
  const heldBytes = new Map(staying.map((each) => [each, 0]))
  const away: Task[] = []
  for (const { task, value } of valuesOf(state)) {
    const { holders, sizeBytes } = value
    for (const holder of holders) heldBytes.set(holder, (heldBytes.get(holder) ?? 0) + sizeBytes)
    if (holders.includes(worker) && !holders.some(({ isLeaving }) => !isLeaving)) away.push(task)
  }
  let isLeftAlone = true
  for (const task of away) {
    if (relocation.lost.has(task) || task.state.type !== 'in-memory') continue
    if (isMoving(state, task)) {
      isLeftAlone = false
      continue
    }
    let first = 0
    for (let place = 1; place < staying.length; place++) {
      if (heldBytes.get(staying[place]!)! < heldBytes.get(staying[first]!)!) first = place
    }
    const target = staying[first]!
    heldBytes.set(target, heldBytes.get(target)! + task.state.sizeBytes)
    beginMove(state, { task, from: worker, allowed: ANY_WORKER, relocation }, first)
  }
  return isLeftAlone
}
