/**
 * Workers that go: by themselves, or because a client retires them. They get nothing more, end what they run, give back the
 * rest, and what only they hold moves to those that stay, so that nothing has to be made again. Where nobody stays, a retired
 * one keeps what would be lost with it until another worker comes, or its deadline. Whoever stops a worker itself sets the
 * time within which it is gone: that one goes.
 */
import { enlistAll } from '../placing/ahead.js'
import { reorder } from '../placing/assignment.js'
import type { DataCall } from '../../../protocol/messages/data.js'
import type { ClientRecord } from '../clients/client-record.js'
import { quitDemands } from '../placing/demand.js'
import { SKIPPED } from '../data/inline-cache.js'
import { ANY_WORKER, beginMove, isMoving, newRelocation, valuesOf, type Relocation } from '../data/moves.js'
import { loseScatterTarget, retryScatters } from '../data/scatter.js'
import { noteWorkers } from '../data/spread.js'
import { outboxOf, workerOutboxOf, type SchedulerState } from '../state.js'
import { keyOf, type Task } from '../tasks/task.js'
import type { WorkerRecord } from './worker-record.js'

/** A client waits until these are gone. */
export interface Retirement {
  readonly client: ClientRecord
  readonly request: number
  readonly workers: Set<WorkerRecord>
  /** Then they go, whatever is left to do. */
  dueMs: number
  /** What those that are gone gave away. */
  readonly moved: { values: number; sizeBytes: number }
  /** Names of those that had more to do when they had to go. */
  readonly cutShort: string[]
}

const NOTHING_MOVED = { values: 0, sizeBytes: 0, cutShort: [] }

/** The worker wants to go: it gets nothing more. */
export function onLeaving(state: SchedulerState, worker: WorkerRecord): void {
  if (worker.isLeaving) return
  worker.isLeaving = true
  enlistAll(state, worker)
  worker.evacuation = newRelocation()
  state.leaving.add(worker)
  state.stayingWorkers--
  state.memoryLimitBytes -= worker.join.memoryLimitBytes
  state.threads -= worker.join.threads
  state.open.remove(worker)
  reorder(state, worker)
  quitDemands(state, worker)
  retryScatters(state)
  noteWorkers(state)
}

type RetireWorkers = DataCall & { readonly type: 'retire-workers' }

/** A client wants workers to go. If there is none of a name, all stay. */
export function onRetireWorkers(
  state: SchedulerState,
  client: ClientRecord,
  { request, workers: names, deadlineMs }: RetireWorkers,
): void {
  const all = [...state.workers.values()]
  const found = names.map((name) => all.find(({ join }) => join.name === name || join.address === name))
  const unknown = names.filter((_, i) => found[i] === undefined)
  const workers = new Set(found.filter((worker) => worker !== undefined))
  if (unknown.length > 0 || workers.size === 0) {
    outboxOf(state, client).add({ type: 'retired', request, unknown, ...NOTHING_MOVED })
    return
  }
  const dueMs = deadlineMs === 0 ? Infinity : state.nowMs + deadlineMs
  state.retirements.add({ client, request, workers, dueMs, moved: { values: 0, sizeBytes: 0 }, cutShort: [] })
  for (const worker of workers) if (!worker.isLeaving) retire(state, worker)
}

/** Somebody wants it to go, and it has not said so itself. */
export function retire(state: SchedulerState, worker: WorkerRecord): void {
  workerOutboxOf(state, worker).add({ type: 'leave' })
  onLeaving(state, worker)
}

/** Who looks after the cluster wants it to go, or, with `isToRestart`, its process to end and be started again. */
export function sendAway(state: SchedulerState, worker: WorkerRecord, isToRestart: boolean): void {
  worker.isSentAway = true
  worker.isToRestart = isToRestart
  retire(state, worker)
}

/** The worker is gone. */
export function endLeaving(state: SchedulerState, worker: WorkerRecord): void {
  state.leaving.delete(worker)
  for (const retirement of state.retirements) {
    const { client, request, workers, moved, cutShort } = retirement
    if (!workers.delete(worker)) continue
    moved.values += worker.evacuation?.moved.values ?? 0
    moved.sizeBytes += worker.evacuation?.moved.sizeBytes ?? 0
    if (worker.isCutShort) cutShort.push(worker.join.name)
    if (workers.size > 0) continue
    state.retirements.delete(retirement)
    if (state.clients.get(client.id) !== client) continue
    outboxOf(state, client).add({ type: 'retired', request, unknown: [], ...moved, cutShort })
  }
}

/** When the next ones have to go; `Infinity` for never. */
export function nextRetirementMs({ retirements }: SchedulerState): number {
  let nextMs = Infinity
  for (const { dueMs } of retirements) nextMs = Math.min(nextMs, dueMs)
  return nextMs
}

/** Their time is over: what they run, and what only they hold, is made again where somebody needs it. */
export function endRetirements(state: SchedulerState): void {
  for (const retirement of state.retirements) {
    if (retirement.dueMs > state.nowMs) continue
    retirement.dueMs = Infinity
    for (const worker of retirement.workers) {
      if (worker.isDismissed) continue
      worker.isCutShort = true
      dismiss(state, worker)
    }
  }
}

/** At the end of a turn: has values move away, and dismisses who is done. Returns true when further values are to move. */
export function seeOffWorkers(state: SchedulerState): boolean {
  let hasMoves = false
  for (const worker of state.leaving) {
    const { evacuation, processing, stopping, isDismissed, isAttached } = worker
    if (isDismissed || !isAttached || evacuation === undefined || evacuation.moves.size > 0) continue
    const isBusy = processing.size > 0 || stopping.size > 0
    if (worker.hasEvacuated && isBusy) continue // What it still makes moves when it is done.
    worker.hasEvacuated = true
    if (!isBusy && mustStay(state, worker, evacuation)) continue
    const isLeftAlone = evacuate(state, worker)
    if (evacuation.moves.size > 0) hasMoves = true
    else if (!isBusy && isLeftAlone) dismiss(state, worker)
  }
  return hasMoves
}

/**
 * Is there a value that would be lost with the worker, and nobody to give it to? One such value is looked for at a time, and
 * those who wait are told of the first.
 */
function mustStay(state: SchedulerState, worker: WorkerRecord, { lost }: Relocation): boolean {
  const { keeps } = worker
  worker.keeps = undefined
  if (state.stayingWorkers > 0 || !isRetired(state, worker)) return false
  if (keeps !== undefined && isOnlyAt(state, keeps, worker)) {
    worker.keeps = keeps
    return true
  }
  for (const { task } of valuesOf(state)) {
    if (lost.has(task) || !isOnlyAt(state, task, worker)) continue
    worker.keeps = task
    if (keeps === undefined) tellKept(state, worker)
    return true
  }
  return false
}

/** Does somebody else want it to go: a client that waits for that, or who looks after the cluster? */
function isRetired({ retirements }: SchedulerState, worker: WorkerRecord): boolean {
  if (worker.isSentAway) return true
  for (const { workers } of retirements) if (workers.has(worker)) return true
  return false
}

/** Others that leave may keep a value, too. The scheduler's own copy is enough while no task needs the value. */
function isOnlyAt(state: SchedulerState, task: Task, worker: WorkerRecord): boolean {
  if (task.state.type !== 'in-memory' || task.array.tasks[task.index] !== task) return false
  const { holders, page } = task.state
  if (!holders.includes(worker) || page === SKIPPED) return false
  if (page?.bytes !== undefined && task.pendingDependants === 0) return false
  return !holders.some((holder) => holder !== worker && !holder.isDismissed && isRetired(state, holder))
}

/** Why a worker that wants to go has not gone yet; empty where it ends what it runs, or others fetch what it has. */
export function whyItStays({ keeps, join }: WorkerRecord): string {
  if (keeps === undefined) return ''
  return (
    `Worker "${join.name}" has values that would be lost with it (${keyOf(keeps)} is one), and no other worker is there to ` +
    'take them; it leaves when one has joined, or they are released.'
  )
}

function tellKept(state: SchedulerState, worker: WorkerRecord): void {
  for (const { client, request, workers } of state.retirements) {
    if (!workers.has(worker) || state.clients.get(client.id) !== client) continue
    outboxOf(state, client).add({ type: 'retirement-waits', request, reason: whyItStays(worker) })
  }
}

/** Nothing is expected of the worker any more: it may close. */
function dismiss(state: SchedulerState, worker: WorkerRecord): void {
  worker.isDismissed = true
  worker.keeps = undefined
  // What clients are bringing to it, they bring to another.
  loseScatterTarget(state, worker)
  workerOutboxOf(state, worker).add({ type: worker.isToRestart ? 'restart' : 'farewell' })
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
