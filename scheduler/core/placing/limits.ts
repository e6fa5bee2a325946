/**
 * Limits of the whole cluster, by name. Of a semaphore tasks and clients take units and give them back; of a rate limit they
 * use units up, and new ones come with time. A task gets its units when it is sent to a worker and not before, so that no
 * thread waits for them; tasks that have to wait are in the queue of their demand, and nothing here holds them.
 *
 * A rate limit is two numbers and no bucket that somebody fills: when all units used so far will have come back, and how
 * many may be used before they have.
 */
import { assert } from '../../../common/assert.js'
import { MAX_LIMITS, MAX_UNIT_REQUESTS } from '../../../protocol/limits.js'
import { describeLimit, isSameLimit, type LimitDeclaration, type TakeUnit } from '../../../protocol/messages/limit.js'
import type { Needs } from '../../../protocol/messages/needs.js'
import type { ClientRecord } from '../clients/client-record.js'
import type { Demand } from './demand.js'
import { mayTakeRoots } from './roots.js'
import { outboxOf, type SchedulerState } from '../state.js'

export interface Limit {
  readonly declaration: LimitDeclaration
  /** Units of a semaphore that tasks and clients have. */
  taken: number
  /** When all units of a rate limit that were used will have come back. */
  wholeAtMs: number
  /** Clients that wait for a unit, the next one first. */
  readonly waiting: Set<UnitRequest>
  /** Clients that declared it and are still there. */
  readonly declaredBy: Set<ClientRecord>
  /** It has too few units for a task of this demand: others leave what comes to it. */
  reservedFor: Demand | undefined
  /** A client got the last unit that tasks wait for too: the next one is theirs. */
  isTasksTurn: boolean
}

/** A client waits for a unit, or has one of a semaphore. */
export interface UnitRequest {
  readonly client: ClientRecord
  readonly request: number
  readonly limit: Limit
  isGranted: boolean
}

/** Returns why there can't be such a limit, or `undefined` when there is. */
export function declareLimit(
  state: SchedulerState,
  client: ClientRecord,
  declaration: LimitDeclaration,
): string | undefined {
  const { name } = declaration
  let limit = state.limits.get(name)
  if (limit !== undefined && !isSameLimit(limit.declaration, declaration)) {
    if (isInUse(state, limit)) {
      return `"${name}" is ${describeLimit(limit.declaration)} in this cluster, not ${describeLimit(declaration)}; declare it the same everywhere, or take another name.`
    }
    limit = undefined
  }
  if (limit === undefined) {
    if (!state.limits.has(name) && state.limits.size >= MAX_LIMITS) forgetUnused(state)
    if (!state.limits.has(name) && state.limits.size >= MAX_LIMITS) {
      return `The cluster has ${MAX_LIMITS} limits by name, and takes no more; use fewer names.`
    }
    limit = newLimit(declaration, state.nowMs)
    state.limits.set(name, limit)
  }
  limit.declaredBy.add(client)
  return undefined
}

export function onDeclareLimit(state: SchedulerState, client: ClientRecord, declaration: LimitDeclaration): void {
  const reason = declareLimit(state, client, declaration)
  if (reason !== undefined) outboxOf(state, client).add({ type: 'limit-refused', name: declaration.name, reason })
}

export function onTakeUnit(
  state: SchedulerState,
  client: ClientRecord,
  { request, limit: declaration }: TakeUnit,
): void {
  if (client.unitRequests.has(request)) return // Asked again on a new connection.
  const reason =
    client.unitRequests.size >= MAX_UNIT_REQUESTS
      ? `This client has or waits for ${MAX_UNIT_REQUESTS} units of limits; give some back first.`
      : declareLimit(state, client, declaration)
  if (reason !== undefined) {
    outboxOf(state, client).add({ type: 'unit-refused', request, reason })
    return
  }
  const limit = state.limits.get(declaration.name)!
  const asked: UnitRequest = { client, request, limit, isGranted: false }
  client.unitRequests.set(request, asked)
  limit.waiting.add(asked)
}

/** A unit comes back, or is not waited for any more. Who gave up may have got it meanwhile. */
export function onReturnUnit(client: ClientRecord, request: number): void {
  const asked = client.unitRequests.get(request)
  if (asked === undefined) return
  client.unitRequests.delete(request)
  if (asked.isGranted) asked.limit.taken--
  else asked.limit.waiting.delete(asked)
}

/** The client is gone, and what it had of limits comes back. */
export function leaveLimits(state: SchedulerState, client: ClientRecord): void {
  for (const request of [...client.unitRequests.keys()]) onReturnUnit(client, request)
  for (const [name, limit] of state.limits) {
    if (limit.declaredBy.delete(client) && isForgettable(state, limit)) state.limits.delete(name)
  }
}

/**
 * Gives units to clients that wait: `before` tasks are placed, unless it is the tasks' turn, and what is left afterwards.
 */
export function grantUnits(state: SchedulerState, when: 'before' | 'after'): void {
  for (const limit of state.limits.values()) {
    if (when === 'before' && limit.isTasksTurn) continue
    for (const asked of limit.waiting) {
      if (freeAtMs(limit, 1, state.nowMs) > state.nowMs) break
      limit.waiting.delete(asked)
      grant(state, asked)
      limit.isTasksTurn = limit.reservedFor !== undefined
      if (when === 'before' && limit.isTasksTurn) break
    }
  }
}

/** Are there units for a task of the demand now, and are they not kept for another? */
export function hasUnits(state: SchedulerState, demand: Demand): boolean {
  for (const { name, units } of demand.needs.limits) {
    const limit = state.limits.get(name)
    if (limit === undefined || freeAtMs(limit, units, state.nowMs) > state.nowMs) return false
    if (limit.reservedFor !== undefined && limit.reservedFor !== demand) return false
  }
  return true
}

/** A task is sent: what it uses up of rate limits is gone, whatever becomes of it. */
export function spendUnits(state: SchedulerState, { limits }: Needs): void {
  for (const { name, units } of limits) {
    const limit = state.limits.get(name)
    if (limit === undefined) continue
    limit.isTasksTurn = false
    if (limit.declaration.kind === 'rate') spend(limit, units, state.nowMs)
  }
}

/** A worker has one more task that takes units of semaphores, or (-1) one less. */
export function countUnits(state: SchedulerState, { limits }: Needs, tasks: 1 | -1): void {
  for (const { name, units } of limits) {
    const limit = state.limits.get(name)
    if (limit?.declaration.kind === 'semaphore') limit.taken += tasks * units
  }
}

/** Why tasks of the demand can't ever get their units, as things stand; `undefined` when they can. */
export function obstacleOfLimits(state: SchedulerState, { limits }: Needs): string | undefined {
  for (const { name, units } of limits) {
    const declaration = state.limits.get(name)?.declaration
    if (declaration === undefined) {
      return `names the limit "${name}", which nobody has declared: call client.semaphore() or client.rateLimit() for it`
    }
    if (declaration.kind === 'semaphore' && units > declaration.units) {
      return `takes ${units} units of the limit "${name}", which has ${declaration.units}`
    }
  }
  return undefined
}

/**
 * For each limit that has too few units for a task that could start otherwise, decides who is first in line for what comes:
 * the most urgent, and of those the one that was so before. Also notes when rate limits will have what is waited for.
 * Returns true when units were kept for a demand that has gone out of line, as when its tasks were cancelled: then those
 * that were kept waiting can be placed.
 */
export function reserveUnits(state: SchedulerState): boolean {
  state.nextUnitMs = Infinity
  const hasRoots = mayTakeRoots(state)
  const inLine = new Map<Limit, Demand>()
  for (const demand of state.demands.values()) {
    const priority = demand.needs.limits.length === 0 ? undefined : demand.queue.topPriority(hasRoots)
    if (priority === undefined || demand.fitting.size === 0) continue
    if (obstacleOfLimits(state, demand.needs) !== undefined) continue
    for (const { name, units } of demand.needs.limits) {
      const limit = state.limits.get(name)!
      const atMs = freeAtMs(limit, units, state.nowMs)
      if (atMs <= state.nowMs) continue
      state.nextUnitMs = Math.min(state.nextUnitMs, atMs)
      const first = inLine.get(limit)
      const firstPriority = first?.queue.topPriority(hasRoots) ?? -Infinity
      if (priority > firstPriority || (priority === firstPriority && limit.reservedFor === demand)) {
        inLine.set(limit, demand)
      }
    }
  }
  let hasLifted = false
  for (const limit of state.limits.values()) {
    const first = inLine.get(limit)
    if (limit.reservedFor !== undefined && limit.reservedFor !== first) hasLifted = true
    limit.reservedFor = first
    if (limit.waiting.size > 0) state.nextUnitMs = Math.min(state.nextUnitMs, freeAtMs(limit, 1, state.nowMs))
  }
  return hasLifted
}

/** The demand is not the first in line any more. Returns false when it was not, for any limit. */
export function endLine(state: SchedulerState, demand: Demand): boolean {
  let wasFirst = false
  for (const { name } of demand.needs.limits) {
    const limit = state.limits.get(name)
    if (limit?.reservedFor !== demand) continue
    limit.reservedFor = undefined
    wasFirst = true
  }
  return wasFirst
}

/** When there will be so many units: the time itself if there are, `Infinity` if somebody has to give some back first. */
export function freeAtMs({ declaration, taken, wholeAtMs }: Limit, units: number, nowMs: number): number {
  if (declaration.kind === 'semaphore') return taken + units <= declaration.units ? nowMs : Infinity
  return Math.max(nowMs, wholeAtMs + (units - declaration.units) * millisecondsPerUnit(declaration))
}

function newLimit(declaration: LimitDeclaration, nowMs: number): Limit {
  return {
    declaration,
    taken: 0,
    wholeAtMs: nowMs,
    waiting: new Set(),
    declaredBy: new Set(),
    reservedFor: undefined,
    isTasksTurn: false,
  }
}

function grant(state: SchedulerState, asked: UnitRequest): void {
  const { client, request, limit } = asked
  if (limit.declaration.kind === 'rate') {
    spend(limit, 1, state.nowMs)
    client.unitRequests.delete(request) // It is used up: nothing will come back.
  } else {
    limit.taken++
    asked.isGranted = true
  }
  outboxOf(state, client).add({ type: 'unit-taken', request })
}

function spend(limit: Limit, units: number, nowMs: number): void {
  limit.wholeAtMs = Math.max(limit.wholeAtMs, nowMs) + units * millisecondsPerUnit(limit.declaration)
}

function millisecondsPerUnit({ perSecond }: LimitDeclaration): number {
  return 1_000 / perSecond
}

function isInUse(state: SchedulerState, { declaration, declaredBy, taken, waiting }: Limit): boolean {
  if (declaredBy.size > 0 || taken > 0 || waiting.size > 0) return true
  const isNamedBy = ({ needs }: Demand): boolean => needs.limits.some(({ name }) => name === declaration.name)
  for (const demand of state.demands.values()) if (isNamedBy(demand)) return true
  // A task that was let go may still run when the last task of its demand is gone.
  for (const { lingering } of state.workers.values()) {
    for (const demand of lingering.values()) if (isNamedBy(demand)) return true
  }
  return false
}

/** Would a new one be just the same? What was used of a rate limit is remembered until it has come back. */
function isForgettable(state: SchedulerState, limit: Limit): boolean {
  return !isInUse(state, limit) && limit.wholeAtMs <= state.nowMs
}

/** Limits whose last task went after their last client. */
function forgetUnused(state: SchedulerState): void {
  for (const [name, limit] of state.limits) if (isForgettable(state, limit)) state.limits.delete(name)
}

/** A limit that nothing has to do with any more has nothing left of it taken. */
export function checkLimit(limit: Limit, taken: number): void {
  const { declaration, waiting } = limit
  assert(limit.taken === taken, `the limit "${declaration.name}" counts ${limit.taken} units, and ${taken} are taken`)
  if (declaration.kind === 'semaphore') {
    assert(taken <= declaration.units, `${taken} of ${declaration.units} units of "${declaration.name}" are taken`)
  }
  for (const asked of waiting) {
    assert(asked.client.unitRequests.get(asked.request) === asked, `nobody waits for a unit of "${declaration.name}"`)
    assert(!asked.isGranted, `who waits for a unit of "${declaration.name}" has it`)
  }
}
