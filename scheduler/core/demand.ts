/**
 * A demand is a queue of ready tasks that need the same of a worker: several threads, memory, or what only some workers
 * have. It knows which workers could take its next task now, so that a task which nobody can take keeps none behind it
 * waiting but those that need the same, and is not looked at again before a worker changes. Tasks that need one thread
 * and nothing else have no demand: they are in `state.ready`.
 */
import { formatBytes } from '../../common/units.js'
import { describeAmount } from '../../protocol/resources.js'
import type { Needs } from '../../protocol/messages/needs.js'
import { hasRoom } from './admission.js'
import { ReadyQueue } from './ready-queue.js'
import { isPaused, loadOf, slotsOf, type WorkerRecord } from './worker-record.js'
import { mayTakeRoots } from './roots.js'
import type { SchedulerState } from './state.js'
import type { Template } from './template.js'

export interface Demand {
  /** Its place in `state.demands`. */
  readonly label: string
  readonly needs: Needs
  readonly queue: ReadyQueue
  /** Workers that have enough when nothing else is there. */
  readonly capable: Set<WorkerRecord>
  /** Those of them that could take a task now; the next one first. */
  readonly fitting: Set<WorkerRecord>
  /** How many of its tasks each worker has. */
  readonly taken: Map<WorkerRecord, number>
  /** What others leave free there, so that this demand gets its turn. */
  reserved: WorkerRecord | undefined
  /** How many templates have it. */
  templates: number
  /** The log has heard that no worker can ever take its tasks. */
  isToldBlocked: boolean
}

/** So many workers are looked at for one decision. */
const MAX_SEEN = 8

export function isCounted({ threads, memoryBytes, others }: Needs): boolean {
  return threads > 1 || memoryBytes > 0 || others.length > 0
}

export function describeNeeds({ threads, memoryBytes, others }: Needs): string {
  const parts = others.map(describeAmount)
  if (memoryBytes > 0) parts.unshift(`memory=${formatBytes(memoryBytes)}`)
  if (threads > 1) parts.unshift(`threads=${threads}`)
  return parts.join(', ')
}

/** The demand of a new template, or `undefined` when its tasks need nothing that is counted. */
export function joinDemand(state: SchedulerState, needs: Needs): Demand | undefined {
  if (!isCounted(needs)) return undefined
  const { threads, memoryBytes, others } = needs
  const label = JSON.stringify([threads, memoryBytes, others.map(({ name, thousandths }) => [name, thousandths])])
  let demand = state.demands.get(label)
  if (demand === undefined) {
    demand = {
      label,
      needs,
      queue: new ReadyQueue(),
      capable: new Set(),
      fitting: new Set(),
      taken: new Map(),
      reserved: undefined,
      templates: 0,
      isToldBlocked: false,
    }
    state.demands.set(label, demand)
    for (const worker of state.workers.values()) enter(demand, worker)
  }
  demand.templates++
  return demand
}

export function leaveDemand(state: SchedulerState, { demand }: Template): void {
  if (demand === undefined) return
  demand.templates--
  if (demand.templates > 0) return
  endReservation(state, demand)
  state.demands.delete(demand.label)
}

/** A worker came. */
export function enterDemands(state: SchedulerState, worker: WorkerRecord): void {
  for (const demand of state.demands.values()) enter(demand, worker)
}

/** The worker takes nothing more: it wants to go, or is gone. */
export function quitDemands(state: SchedulerState, worker: WorkerRecord): void {
  for (const demand of state.demands.values()) {
    demand.capable.delete(worker)
    demand.fitting.delete(worker)
    if (demand.reserved === worker) endReservation(state, demand)
  }
  state.touched.delete(worker)
}

/** The worker takes a task of the demand. */
export function take({ needs, taken }: Demand, worker: WorkerRecord): void {
  taken.set(worker, (taken.get(worker) ?? 0) + 1)
  worker.extraSlots += needs.threads - 1
  worker.free.memoryBytes -= needs.memoryBytes
  for (const { name, thousandths } of needs.others) {
    worker.free.others.set(name, (worker.free.others.get(name) ?? 0) - thousandths)
  }
}

/** The worker is done with a task of the demand. */
export function giveBack({ needs, taken }: Demand, worker: WorkerRecord): void {
  const count = (taken.get(worker) ?? 0) - 1
  if (count > 0) taken.set(worker, count)
  else taken.delete(worker)
  worker.extraSlots -= needs.threads - 1
  worker.free.memoryBytes += needs.memoryBytes
  for (const { name, thousandths } of needs.others) {
    worker.free.others.set(name, (worker.free.others.get(name) ?? 0) + thousandths)
  }
}

/** What the worker has to spare has changed: looked at before the next task is placed. */
export function touch(state: SchedulerState, worker: WorkerRecord): void {
  if (state.demands.size > 0) state.touched.add(worker)
}

/** Brings the demands' sets of fitting workers up to date. */
export function refit(state: SchedulerState): void {
  for (const worker of state.touched) {
    for (const demand of state.demands.values()) {
      if (!demand.capable.has(worker)) continue
      if (!fits(demand, worker)) demand.fitting.delete(worker)
      else if (!demand.fitting.has(worker)) demand.fitting.add(worker)
    }
  }
  state.touched.clear()
}

/** Some of those that fit, the next one in turn first. */
export function startersOf({ fitting }: Demand): WorkerRecord[] {
  const starters: WorkerRecord[] = []
  for (const worker of fitting) {
    starters.push(worker)
    if (starters.length === MAX_SEEN) break
  }
  return starters
}

/**
 * Has a worker kept free for each demand that waits for one, unless more urgent work waits elsewhere: tasks that need less
 * could otherwise take whatever becomes free, again and again.
 */
export function reserve(state: SchedulerState): void {
  const hasRoots = mayTakeRoots(state)
  let highest = state.ready.topPriority(hasRoots) ?? -Infinity
  for (const { queue } of state.demands.values()) highest = Math.max(highest, queue.topPriority(hasRoots) ?? -Infinity)
  for (const demand of state.demands.values()) {
    const priority = demand.queue.topPriority(hasRoots)
    if (priority === undefined || priority < highest || demand.fitting.size > 0) endReservation(state, demand)
    else if (demand.capable.size === 0) tellBlocked(state, demand)
    else if (demand.reserved === undefined) startReservation(state, demand)
  }
}

export function reasonOfBlocked(state: SchedulerState, { needs }: Demand): string {
  return `needs ${describeNeeds(needs)}, which none of ${state.stayingWorkers} workers has`
}

/** A task of the demand was placed: others have their turn to be waited for. */
export function endTurnOf(state: SchedulerState, demand: Demand): void {
  if (demand.reserved === undefined) return
  endReservation(state, demand)
  state.demands.delete(demand.label)
  state.demands.set(demand.label, demand)
}

/** Could the worker ever take a task of the demand? */
export function isCapable({ needs }: Demand, { join, isLeaving }: WorkerRecord): boolean {
  if (isLeaving || needs.threads > join.threads || needs.memoryBytes > join.memoryLimitBytes) return false
  return needs.others.every(({ name, thousandths }) => thousandths <= offered(join.resources, name))
}

/** Could the worker take a task of the demand now? */
export function fits(demand: Demand, worker: WorkerRecord): boolean {
  const { needs } = demand
  if (!hasSlots(needs, worker) || needs.memoryBytes > worker.free.memoryBytes) return false
  for (const { name, thousandths } of needs.others) {
    if (thousandths > (worker.free.others.get(name) ?? 0)) return false
  }
  const { reservedFor } = worker
  return reservedFor === undefined || reservedFor === demand || leavesEnough(reservedFor, needs, worker)
}

function enter(demand: Demand, worker: WorkerRecord): void {
  if (!isCapable(demand, worker)) return
  demand.capable.add(worker)
  demand.isToldBlocked = false
  if (fits(demand, worker)) demand.fitting.add(worker)
}

function hasSlots({ threads }: Needs, worker: WorkerRecord): boolean {
  // Several threads at once are to be had only where nothing was sent ahead.
  if (threads === 1) return hasRoom(worker)
  return isPaused(worker) ? worker.processing.size === 0 : slotsOf(worker) + threads <= worker.join.threads
}

/** Would what is free beside the demand's own tasks still be enough for one of them, if a task with these needs came too? */
function leavesEnough(demand: Demand, { memoryBytes, others }: Needs, worker: WorkerRecord): boolean {
  const own = demand.taken.get(worker) ?? 0
  const { free } = worker
  if (memoryBytes > 0 && demand.needs.memoryBytes > 0) {
    if (free.memoryBytes + own * demand.needs.memoryBytes - memoryBytes < demand.needs.memoryBytes) return false
  }
  for (const { name, thousandths } of others) {
    const wanted = offered(demand.needs.others, name)
    if (wanted > 0 && (free.others.get(name) ?? 0) + own * wanted - thousandths < wanted) return false
  }
  return true
}

function offered(amounts: Needs['others'], name: string): number {
  return amounts.find((amount) => amount.name === name)?.thousandths ?? 0
}

/** The least loaded of some that are not kept free for another demand. */
function startReservation(state: SchedulerState, demand: Demand): void {
  let best: WorkerRecord | undefined
  let seen = 0
  for (const worker of demand.capable) {
    if (worker.reservedFor !== undefined) continue
    if (best === undefined || loadOf(worker) < loadOf(best)) best = worker
    if (++seen === MAX_SEEN) break
  }
  if (best === undefined) return
  demand.reserved = best
  best.reservedFor = demand
  changed(state, best)
}

function endReservation(state: SchedulerState, demand: Demand): void {
  const { reserved } = demand
  if (reserved === undefined) return
  demand.reserved = undefined
  reserved.reservedFor = undefined
  changed(state, reserved)
}

function changed(state: SchedulerState, worker: WorkerRecord): void {
  if (worker.heapPlace >= 0) state.open.update(worker)
  touch(state, worker)
}

/** Once, until a worker comes that can. */
function tellBlocked(state: SchedulerState, demand: Demand): void {
  if (demand.isToldBlocked || state.stayingWorkers === 0) return
  demand.isToldBlocked = true
  state.orders.push({ type: 'tell-blocked', reason: reasonOfBlocked(state, demand) })
}
