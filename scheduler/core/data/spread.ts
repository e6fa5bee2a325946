/**
 * Values on their way to several workers, as a tree: a holder gives a value to a few workers at a time, and each new holder
 * gives it on, so that n copies take about as many rounds as n has digits, and no holder sends it n times. A value is looked
 * at again only when something happened to it: it or a copy of it came or went, a holder has room again, a worker that
 * failed to get it gives a sign of life, or workers came or left.
 */
import type { TaskId, WorkerId } from '../../../protocol/ids.js'
import { CHUNK_BYTES, MAX_COPIES_AT_ONCE } from '../../../protocol/limits.js'
import type { Move } from './moves.js'
import type { Replication } from './replication.js'
import type { Scatter } from './scatter.js'
import { workerOutboxOf, type SchedulerState } from '../state.js'
import type { Task } from '../tasks/task.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** So often one worker may fail to get one value; then it does without. */
export const MAX_FAILURES = 3

/** One value of which workers get copies. */
export interface Spread {
  readonly task: Task
  /** A client is bringing the value. When that is over, questions for copies are answered. */
  scatter: Scatter | undefined
  /** Questions for copies of it that are not answered. */
  readonly wishes: Set<Replication>
  /** It is to move to another worker. */
  move: Move | undefined
  /** How often a worker could not get it. */
  readonly failures: Map<WorkerRecord, number>
  /** Where to look for the next worker, so that copies spread. */
  next: number
}

/** A copy under way: its receiver was told to fetch it from `holder`. */
interface Copying {
  readonly holder: WorkerRecord
  readonly sizeBytes: number
}

/** Copies under way, by value and receiver. */
export type CopiesUnderWay = Map<TaskId, Map<WorkerRecord, Copying>>

/** What a worker does about copies. */
export interface WorkerCopies {
  /** Those that others are fetching from it, and their bytes. */
  readonly serving: { count: number; sizeBytes: number }
  /** What it is fetching. */
  readonly receiving: Set<TaskId>
  /** Values of which it gives copies when it has room to. */
  readonly waiting: Set<Spread>
  /** Values that it failed to get: it is not asked again before its next sign of life. */
  readonly resting: Set<Spread>
}

export function noCopies(): WorkerCopies {
  return { serving: { count: 0, sizeBytes: 0 }, receiving: new Set(), waiting: new Set(), resting: new Set() }
}

/** The spread of this value, which is looked at when the turn ends. */
export function spreadOf(state: SchedulerState, task: Task): Spread {
  let spread = state.spreads.get(task.id)
  if (spread === undefined) {
    spread = { task, scatter: undefined, wishes: new Set(), move: undefined, failures: new Map(), next: 0 }
    state.spreads.set(task.id, spread)
  }
  state.changedSpreads.add(spread)
  return spread
}

/** Something happened to this value, or to a copy of it. */
export function noteChange(state: SchedulerState, id: TaskId): void {
  if (state.spreads.size === 0) return
  const spread = state.spreads.get(id)
  if (spread !== undefined) state.changedSpreads.add(spread)
}

/** Workers came or want to go: there may be more to do for every value, or less. */
export function noteWorkers(state: SchedulerState): void {
  for (const spread of state.spreads.values()) state.changedSpreads.add(spread)
}

/** A worker has its copy, or does not get it. */
export function endCopying(state: SchedulerState, id: TaskId, receiver: WorkerRecord): boolean {
  const copying = state.copying.get(id)
  const ended = copying?.get(receiver)
  if (copying === undefined || ended === undefined) return false
  copying.delete(receiver)
  if (copying.size === 0) state.copying.delete(id)
  receiver.copies.receiving.delete(id)
  const { serving, waiting } = ended.holder.copies
  serving.count--
  serving.sizeBytes -= ended.sizeBytes
  if (waiting.size > 0) state.holdersWithRoom.add(ended.holder)
  noteChange(state, id)
  return true
}

/** A worker could not get a copy that it was told to fetch. */
export function onCopyMissing(state: SchedulerState, id: TaskId, receiver: WorkerRecord): void {
  if (!endCopying(state, id, receiver)) return
  const spread = state.spreads.get(id)
  if (spread !== undefined) noteFailure(spread, receiver)
}

/** The worker could not get the value, from whomever. Others are tried first. */
export function noteFailure(spread: Spread, worker: WorkerRecord): void {
  spread.failures.set(worker, (spread.failures.get(worker) ?? 0) + 1)
  worker.copies.resting.add(spread)
}

/** The worker gives a sign of life. */
export function endResting(state: SchedulerState, { copies: { resting } }: WorkerRecord): void {
  if (resting.size === 0) return
  for (const { task } of resting) noteChange(state, task.id)
  resting.clear()
}

/** The worker is gone: what it was to receive, it does not. Those that it served will say that they miss something. */
export function endCopyingOf(state: SchedulerState, receiver: WorkerRecord): void {
  for (const id of receiver.copies.receiving) endCopying(state, id, receiver)
}

/** A value as far as copies are concerned. */
export interface Source {
  readonly holders: readonly WorkerRecord[]
  readonly sizeBytes: number
  /** How many workers shall hold it; all that may, if there are fewer. */
  readonly copies: number
  /** Names or addresses of the workers that may have it; empty for any. */
  readonly allowed: ReadonlySet<string>
}

/** `present` of `wanted` workers hold the value. It `canGrow` while further ones get a copy, or may get one later. */
export interface Progress {
  readonly present: number
  readonly wanted: number
  readonly canGrow: boolean
}

/** One look at what has changed, with what it leads to. */
export interface Look {
  readonly workers: readonly WorkerRecord[]
  readonly orders: Map<WorkerRecord, Orders>
}

interface Orders {
  readonly tasks: TaskId[]
  readonly holders: WorkerId[]
  readonly sizes: number[]
}

export function beginLook(state: SchedulerState): Look {
  return { workers: [...state.workers.values()].filter(({ isLeaving }) => !isLeaving), orders: new Map() }
}

/** Parent: owns every branch. Orders as many copies of one value as are wanted, and as holders have room to give. */
export function advance(state: SchedulerState, spread: Spread, source: Source, look: Look): Progress {
  const { holders, allowed } = source
  const eligible = allowed.size === 0 ? look.workers : look.workers.filter((worker) => mayHave(source, worker))
  const present = holders.reduce((count, holder) => count + (isAmong(source, holder) ? 1 : 0), 0)
  const wanted = Math.min(source.copies, eligible.length)
  const reachable = Math.min(wanted, eligible.length - countGivenUp(state, spread, source))
  const underWay = state.copying.get(spread.task.id)?.size ?? 0
  for (let missing = reachable - present - underWay; missing > 0; missing--) {
    const receiver = nextReceiver(state, spread, source, eligible)
    if (receiver === undefined) break // The others rest; they will say when they are back.
    const holder = chooseHolder(source, spread.failures.get(receiver) ?? 0)
    if (holder === undefined) {
      for (const { copies } of holders) copies.waiting.add(spread)
      break
    }
    order(state, { task: spread.task, sizeBytes: source.sizeBytes, holder, receiver }, look)
  }
  return { present, wanted, canGrow: present < reachable || underWay > 0 }
}

/** Tells the workers what they are to fetch. */
export function sendOrders(state: SchedulerState, { orders }: Look): void {
  for (const [receiver, { tasks, holders, sizes }] of orders) {
    introduce(state, receiver, holders)
    workerOutboxOf(state, receiver).add({ type: 'fetch-copies', tasks, holders, sizes })
  }
}

/** May the holder be asked for one more? Small values are many, and go together. */
export function hasRoomToServe({ copies: { serving } }: WorkerRecord): boolean {
  return serving.count < MAX_COPIES_AT_ONCE || serving.sizeBytes < CHUNK_BYTES
}

export function mayHave({ allowed }: Pick<Source, 'allowed'>, { join }: WorkerRecord): boolean {
  return allowed.size === 0 || allowed.has(join.name) || allowed.has(join.address)
}

/** Leaf: does the worker count among those that shall have the value? */
function isAmong(source: Source, worker: WorkerRecord): boolean {
  return !worker.isLeaving && mayHave(source, worker)
}

/** Leaf: how many workers that shall have the value failed to get it so often that they do without. */
function countGivenUp(state: SchedulerState, { failures }: Spread, source: Source): number {
  let count = 0
  for (const [worker, times] of failures) {
    if (state.workers.get(worker.id) !== worker) failures.delete(worker)
    else if (times >= MAX_FAILURES && isAmong(source, worker) && !source.holders.includes(worker)) count++
  }
  return count
}

/** Leaf: a holder with room; another one for a worker that failed before, for the holder may have been to blame. */
function chooseHolder({ holders }: Source, failures: number): WorkerRecord | undefined {
  for (let i = 0; i < holders.length; i++) {
    const holder = holders[(failures + i) % holders.length]!
    if (hasRoomToServe(holder)) return holder
  }
  return undefined
}

/** Leaf: the next worker in turn that neither has the value nor is getting it, nor has just failed to. */
function nextReceiver(
  state: SchedulerState,
  spread: Spread,
  { holders }: Source,
  eligible: readonly WorkerRecord[],
): WorkerRecord | undefined {
  const copying = state.copying.get(spread.task.id)
  for (let looked = 0; looked < eligible.length; looked++) {
    const worker = eligible[spread.next++ % eligible.length]!
    if (worker.copies.resting.has(spread) || (spread.failures.get(worker) ?? 0) >= MAX_FAILURES) continue
    if (!holders.includes(worker) && copying?.has(worker) !== true) return worker
  }
  return undefined
}

interface Order {
  readonly task: Task
  readonly sizeBytes: number
  readonly holder: WorkerRecord
  readonly receiver: WorkerRecord
}

function order(state: SchedulerState, { task, sizeBytes, holder, receiver }: Order, { orders }: Look): void {
  let copying = state.copying.get(task.id)
  if (copying === undefined) {
    copying = new Map()
    state.copying.set(task.id, copying)
  }
  copying.set(receiver, { holder, sizeBytes })
  receiver.copies.receiving.add(task.id)
  holder.copies.serving.count++
  holder.copies.serving.sizeBytes += sizeBytes
  let columns = orders.get(receiver)
  if (columns === undefined) {
    columns = { tasks: [], holders: [], sizes: [] }
    orders.set(receiver, columns)
  }
  columns.tasks.push(task.id)
  columns.holders.push(holder.id)
  columns.sizes.push(sizeBytes)
}

/** Tells a worker the addresses of those it does not know yet. */
function introduce(state: SchedulerState, receiver: WorkerRecord, holders: readonly WorkerId[]): void {
  const unknown = [...new Set(holders)].filter((holder) => !receiver.peers.has(holder))
  if (unknown.length === 0) return
  for (const holder of unknown) receiver.peers.add(holder)
  const addresses = unknown.map((holder) => state.workers.get(holder)?.join.address ?? '')
  workerOutboxOf(state, receiver).add({ type: 'peers', workers: unknown, addresses })
}
