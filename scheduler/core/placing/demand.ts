/**
 * A demand is a queue of ready tasks that need the same: several threads or none, memory, what only some workers have,
 * certain workers, or units of limits. It knows which workers could take its next task now, so that a task which nobody can
 * take keeps none behind it waiting but those that need the same, and is not looked at again before a worker changes. Tasks
 * that need one thread and nothing else have no demand: they are in `state.ready`.
 */
import { formatBytes } from '../../../common/units.js'
import { describeAmount } from '../../../protocol/resources.js'
import type { Needs } from '../../../protocol/messages/needs.js'
import { hasRoom } from './admission.js'
import type { ClientRecord } from '../clients/client-record.js'
import { countUnits, endLine, obstacleOfLimits } from './limits.js'
import { ReadyQueue } from './ready-queue.js'
import { isKeptFree, isPaused, loadOf, slotsToComeOf, type WorkerRecord } from '../workers/worker-record.js'
import { mayTakeRoots } from './roots.js'
import { outboxOf, rankAgain, type SchedulerState } from '../state.js'
import type { Template } from '../tasks/template.js'

export interface Demand {
  /** Its place in `state.demands`. */
  readonly label: string
  readonly needs: Needs
  readonly queue: ReadyQueue
  /** Workers that have enough when nothing else is there. */
  readonly capable: Set<WorkerRecord>
  /** Those of them that could take a task now; the next one first. */
  readonly fitting: Set<WorkerRecord>
  /** Where others than the named workers are allowed: those of `fitting` that are named. */
  readonly preferred: Set<WorkerRecord>
  /** How many of its tasks each worker has. */
  readonly taken: Map<WorkerRecord, number>
  /** What others leave free there, so that this demand gets its turn. */
  reserved: WorkerRecord | undefined
  /** How many templates have it. */
  templates: number
  /** Why its tasks can't ever run as things stand, as was told last. */
  toldObstacle: string | undefined
}

/** So many workers are looked at for one decision. */
const MAX_SEEN = 8

export function isCounted({ threads, memoryBytes, others, limits, workers }: Needs): boolean {
  return threads !== 1 || memoryBytes > 0 || others.length > 0 || limits.length > 0 || workers.length > 0
}

/** As in `threads=2, memory=1 GiB, gpu=1, limit db=1, worker a or zone=b`. */
export function describeNeeds(needs: Needs): string {
  const parts = needs.limits.map(({ name, units }) => `limit ${name}=${units}`)
  const ofWorker = describeNeedsOfWorker(needs)
  if (ofWorker !== '') parts.unshift(ofWorker)
  if (needs.workers.length > 0)
    parts.push(`worker ${needs.workers.join(' or ')}${needs.allowsOthers ? ' if possible' : ''}`)
  return parts.join(', ')
}

function describeNeedsOfWorker({ threads, memoryBytes, others }: Needs): string {
  const parts = others.map(describeAmount)
  if (memoryBytes > 0) parts.unshift(`memory=${formatBytes(memoryBytes)}`)
  if (threads !== 1) parts.unshift(`threads=${threads}`)
  return parts.join(', ')
}

/** The demand of a new template, or `undefined` when its tasks need nothing that is counted. */
export function joinDemand(state: SchedulerState, needs: Needs): Demand | undefined {
  if (!isCounted(needs)) return undefined
  const { threads, memoryBytes, others, limits, workers, allowsOthers } = needs
  const named = [...others.map(({ name, thousandths }) => [name, thousandths])]
  const units = limits.map((limit) => [limit.name, limit.units])
  const label = JSON.stringify([threads, memoryBytes, named, units, workers, allowsOthers])
  let demand = state.demands.get(label)
  if (demand === undefined) {
    demand = {
      label,
      needs,
      queue: new ReadyQueue(),
      capable: new Set(),
      fitting: new Set(),
      preferred: new Set(),
      taken: new Map(),
      reserved: undefined,
      templates: 0,
      toldObstacle: undefined,
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
  endLine(state, demand)
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
    setFitting(demand, worker, false)
    if (demand.reserved === worker) endReservation(state, demand)
  }
  state.touched.delete(worker)
}

/** The worker takes a task of the demand. */
export function take(state: SchedulerState, { needs, taken }: Demand, worker: WorkerRecord): void {
  if (needs.limits.length > 0) countUnits(state, needs, 1)
  taken.set(worker, (taken.get(worker) ?? 0) + 1)
  if (needs.threads === 0) worker.free.ioTasks--
  else worker.extraSlots += needs.threads - 1
  worker.free.memoryBytes -= needs.memoryBytes
  for (const { name, thousandths } of needs.others) {
    worker.free.others.set(name, (worker.free.others.get(name) ?? 0) - thousandths)
  }
}

/** The worker is done with a task of the demand. */
export function giveBack(state: SchedulerState, { needs, taken }: Demand, worker: WorkerRecord): void {
  if (needs.limits.length > 0) countUnits(state, needs, -1)
  const count = (taken.get(worker) ?? 0) - 1
  if (count > 0) taken.set(worker, count)
  else taken.delete(worker)
  if (needs.threads === 0) worker.free.ioTasks++
  else worker.extraSlots -= needs.threads - 1
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
      if (demand.capable.has(worker)) setFitting(demand, worker, fits(demand, worker))
    }
  }
  state.touched.clear()
}

/** A task was placed there: the next one of the demand starts its search elsewhere, and finds out whether it still fits. */
export function passOver(state: SchedulerState, demand: Demand, worker: WorkerRecord): void {
  setFitting(demand, worker, false)
  state.touched.add(worker)
}

/** May its next task be placed on this one? A worker that is not named comes after those that are. */
export function isStarter({ fitting, preferred }: Demand, worker: WorkerRecord): boolean {
  return preferred.size > 0 ? preferred.has(worker) : fitting.has(worker)
}

/** Some of those that may get its next task, the next one in turn first. */
export function startersOf({ fitting, preferred }: Demand): WorkerRecord[] {
  const starters: WorkerRecord[] = []
  for (const worker of preferred.size > 0 ? preferred : fitting) {
    starters.push(worker)
    if (starters.length === MAX_SEEN) break
  }
  return starters
}

/**
 * Has a worker kept free for each demand that waits for one, unless more urgent work waits elsewhere: tasks that need less
 * could otherwise take whatever becomes free, again and again. Returns true when a worker is kept free no more.
 */
export function reserve(state: SchedulerState): boolean {
  let hasEnded = false
  const hasRoots = mayTakeRoots(state)
  let highest = state.ready.topPriority(hasRoots) ?? -Infinity
  for (const { queue } of state.demands.values()) highest = Math.max(highest, queue.topPriority(hasRoots) ?? -Infinity)
  for (const demand of state.demands.values()) {
    const priority = demand.queue.topPriority(hasRoots)
    if (priority === undefined) {
      hasEnded = endReservation(state, demand) || hasEnded
      demand.toldObstacle = undefined
      continue
    }
    const obstacle = obstacleOf(state, demand)
    tellObstacle(state, demand, obstacle)
    if (priority < highest || demand.fitting.size > 0 || obstacle !== undefined) {
      hasEnded = endReservation(state, demand) || hasEnded
    } else if (demand.reserved === undefined && hasRivals(demand.needs)) startReservation(state, demand)
  }
  return hasEnded
}

/** Why no task of the demand can ever run as things stand; `undefined` when one can. */
export function obstacleOf(state: SchedulerState, demand: Demand): string | undefined {
  if (demand.capable.size === 0) return obstacleOfWorkers(state, demand)
  return demand.needs.limits.length === 0 ? undefined : obstacleOfLimits(state, demand.needs)
}

function obstacleOfWorkers({ stayingWorkers: count }: SchedulerState, { needs }: Demand): string {
  const ofWorker = describeNeedsOfWorker(needs)
  if (needs.workers.length > 0 && !needs.allowsOthers) {
    const names = needs.workers.join(' or ')
    if (ofWorker === '') return `may run only on ${names}, which none of ${count} workers is`
    return `needs ${ofWorker}, and may run only on ${names}, which none of ${count} workers is and has`
  }
  return ofWorker === '' ? 'needs a worker, and there is none' : `needs ${ofWorker}, which none of ${count} workers has`
}

/** A task of the demand was placed: others have their turn to be waited for. */
export function endTurnOf(state: SchedulerState, demand: Demand): void {
  const wasFirst = endLine(state, demand)
  if (demand.reserved === undefined && !wasFirst) return
  endReservation(state, demand)
  state.demands.delete(demand.label)
  state.demands.set(demand.label, demand)
}

/** Could the worker ever take a task of the demand? */
export function isCapable({ needs }: Demand, worker: WorkerRecord): boolean {
  return !worker.isLeaving && shortageOf(needs, worker) === undefined
}

/** What of the needs the worker does not have, even when nothing else is there; `undefined` when it has all. */
export function shortageOf(needs: Needs, { join }: WorkerRecord): string | undefined {
  if (needs.workers.length > 0 && !needs.allowsOthers && !isNamed(needs, join)) return 'is not one that it may run on'
  if (needs.threads > join.threads) return `has ${join.threads} threads`
  if (needs.threads === 0 && join.ioTasks === 0) return 'takes no I/O tasks'
  if (needs.memoryBytes > join.memoryLimitBytes) return `has ${formatBytes(join.memoryLimitBytes)} of memory`
  const short = needs.others.find(({ name, thousandths }) => thousandths > offered(join.resources, name))
  if (short === undefined) return undefined
  const thousandths = offered(join.resources, short.name)
  return thousandths === 0 ? `has no ${short.name}` : `has ${describeAmount({ name: short.name, thousandths })}`
}

/** Is the worker one of those that are named, by its name, its address or a tag? */
export function isNamed({ workers }: Needs, { name, address, tags }: WorkerRecord['join']): boolean {
  return workers.some((each) => each === name || each === address || tags.includes(each))
}

/** Could the worker take a task of the demand now? */
export function fits(demand: Demand, worker: WorkerRecord): boolean {
  const { needs } = demand
  if (!hasSlots(needs, worker) || needs.memoryBytes > worker.free.memoryBytes) return false
  for (const { name, thousandths } of needs.others) {
    if (thousandths > (worker.free.others.get(name) ?? 0)) return false
  }
  if (!isKeptFree(worker)) return true
  const { reservedFor } = worker
  return reservedFor === demand || leavesEnough(reservedFor, needs, worker)
}

/** A worker has a task that another scheduler sent there: is that as if this one had? */
export function mayAdopt({ demand }: Template, worker: WorkerRecord, hasUnitsOf: (demand: Demand) => boolean): boolean {
  if (!mayTakeThreads(demand?.needs.threads ?? 1, worker)) return false
  if (demand === undefined) return true
  const { needs } = demand
  if (!isCapable(demand, worker) || !hasUnitsOf(demand) || needs.memoryBytes > worker.free.memoryBytes) return false
  return needs.others.every(({ name, thousandths }) => thousandths <= (worker.free.others.get(name) ?? 0))
}

/** Beside a task that takes several threads there is none that has to wait for a thread. */
function mayTakeThreads(threads: number, worker: WorkerRecord): boolean {
  if (threads === 0) return worker.free.ioTasks > 0
  if (threads === 1 && worker.extraSlots === 0) return true
  return slotsToComeOf(worker) + threads <= worker.join.threads
}

function enter(demand: Demand, worker: WorkerRecord): void {
  if (!isCapable(demand, worker)) return
  demand.capable.add(worker)
  setFitting(demand, worker, fits(demand, worker))
}

/** One that fits already keeps its turn. */
function setFitting({ needs, fitting, preferred }: Demand, worker: WorkerRecord, isFitting: boolean): void {
  if (!isFitting) {
    fitting.delete(worker)
    preferred.delete(worker)
    return
  }
  fitting.add(worker)
  if (needs.allowsOthers && isNamed(needs, worker.join)) preferred.add(worker)
}

function hasSlots({ threads }: Needs, worker: WorkerRecord): boolean {
  if (threads === 0)
    return worker.free.ioTasks > 0 && (!isPaused(worker) || worker.processing.size === worker.suspended.size)
  // Several threads at once are to be had only where nothing was sent ahead.
  if (threads === 1) return hasRoom(worker)
  const slots = slotsToComeOf(worker)
  return isPaused(worker) ? slots === 0 : slots + threads <= worker.join.threads
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

/** Could tasks that need less take what these wait for? */
function hasRivals({ threads, memoryBytes, others }: Needs): boolean {
  return threads > 1 || memoryBytes > 0 || others.length > 0
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

/** Returns false when no worker is kept free for it. */
function endReservation(state: SchedulerState, demand: Demand): boolean {
  const { reserved } = demand
  if (reserved === undefined) return false
  demand.reserved = undefined
  reserved.reservedFor = undefined
  changed(state, reserved)
  return true
}

function changed(state: SchedulerState, worker: WorkerRecord): void {
  rankAgain(state, worker)
  touch(state, worker)
}

/** Once. While there are no workers at all, that they are missing is no news. */
function tellObstacle(state: SchedulerState, demand: Demand, obstacle: string | undefined): void {
  if (obstacle !== undefined && demand.capable.size === 0 && state.stayingWorkers === 0) return
  if (obstacle !== undefined && demand.toldObstacle === undefined) tellBlocked(state, demand, obstacle)
  demand.toldObstacle = obstacle
}

function tellBlocked(state: SchedulerState, demand: Demand, reason: string): void {
  state.orders.push({ type: 'tell-blocked', reason })
  for (const client of state.clients.values()) {
    const names = new Set<string>()
    for (const template of client.templates.values()) if (template.demand === demand) names.add(template.name)
    if (names.size > 0) tellClient(state, client, demand, reason, [...names])
  }
}

/** A client comes with a function whose tasks will wait as others of their demand do. */
export function tellIfBlocked(state: SchedulerState, client: ClientRecord, { demand, name }: Template): void {
  if (demand?.toldObstacle !== undefined) tellClient(state, client, demand, demand.toldObstacle, [name])
}

function tellClient(
  state: SchedulerState,
  client: ClientRecord,
  { needs }: Demand,
  reason: string,
  functions: readonly string[],
): void {
  outboxOf(state, client).add({ type: 'blocked', needs: describeNeeds(needs), reason, functions })
}
