/**
 * Copies that a client asked for. A holder gives a value to a few workers at a time, and each new holder gives it on, so
 * that n copies take about as many rounds as n has digits, and no holder sends it n times.
 */
import type { TaskId, WorkerId } from '../../protocol/ids.js'
import { CHUNK_BYTES, MAX_COPIES_AT_ONCE } from '../../protocol/limits.js'
import type { Replicate } from '../../protocol/messages/client.js'
import type { ClientRecord } from './client-record.js'
import { outboxOf, workerOutboxOf, type SchedulerState } from './state.js'
import { findTask } from './task-array.js'
import { isHolder, type Task, type TaskState } from './task.js'
import type { WorkerRecord } from './worker-record.js'

type InMemory = TaskState & { readonly type: 'in-memory' }

/** So often a copy of one value may fail; then it has as many as it has. */
const MAX_FAILURES = 10

/** One question of a client, which is answered when every value has its copies. */
export interface Replication {
  readonly client: ClientRecord
  readonly request: number
  /** How many workers shall hold each value; all of them, if there are fewer. */
  readonly copies: number
  /** Values that have too few copies yet, and how often a copy of each failed. */
  readonly open: Map<Task, number>
  /** Values that were given up. */
  missing: number
  /** Where to look for the next worker, so that copies spread. */
  next: number
}

/** A copy under way: `receiver` was told to fetch it from `holder`. */
interface Copying {
  readonly holder: WorkerRecord
  readonly sizeBytes: number
}

/** Copies under way, by value and receiver. */
export type CopiesUnderWay = Map<TaskId, Map<WorkerRecord, Copying>>

export function onReplicate(state: SchedulerState, client: ClientRecord, message: Replicate): void {
  const open = new Map<Task, number>()
  for (const id of message.tasks) {
    const task = findTask(state, id)
    if (task !== undefined) open.set(task, 0)
  }
  const { request, copies } = message
  state.replications.add({ client, request, copies, open, missing: 0, next: 0 })
}

/** The client is gone. */
export function forgetReplications(state: SchedulerState, client: ClientRecord): void {
  for (const replication of state.replications) {
    if (replication.client === client) state.replications.delete(replication)
  }
}

/** The receiver has its copy, or does not get it. */
export function endCopying(state: SchedulerState, id: TaskId, receiver: WorkerRecord): boolean {
  const copying = state.copying.get(id)
  const ended = copying?.get(receiver)
  if (copying === undefined || ended === undefined) return false
  copying.delete(receiver)
  if (copying.size === 0) state.copying.delete(id)
  ended.holder.serving.count--
  ended.holder.serving.sizeBytes -= ended.sizeBytes
  return true
}

/** A worker could not get a copy that it was told to fetch. */
export function onCopyMissing(state: SchedulerState, id: TaskId, receiver: WorkerRecord): void {
  if (!endCopying(state, id, receiver)) return
  for (const { open } of state.replications) {
    for (const [task, failures] of open) if (task.id === id) open.set(task, failures + 1)
  }
}

/** The worker is gone: what it was to receive, it does not. Those that it served will say that they miss something. */
export function endCopyingOf(state: SchedulerState, receiver: WorkerRecord): void {
  for (const id of [...state.copying.keys()]) endCopying(state, id, receiver)
}

/** At the end of a turn: has further copies made where there is room for them, and answers what is done. */
export function replicate(state: SchedulerState): void {
  if (state.replications.size === 0) return
  const workers = [...state.workers.values()].filter(({ isLeaving }) => !isLeaving)
  const orders: Orders = new Map()
  for (const replication of state.replications) {
    for (const task of replication.open.keys()) advance(state, replication, task, { workers, orders })
    if (replication.open.size > 0) continue
    state.replications.delete(replication)
    const { client, request, missing } = replication
    outboxOf(state, client).add({ type: 'replicated', request, missing })
  }
  for (const [receiver, { tasks, holders, sizes }] of orders) {
    introduce(state, receiver, holders)
    workerOutboxOf(state, receiver).add({ type: 'fetch-copies', tasks, holders, sizes })
  }
}

type Orders = Map<WorkerRecord, { readonly tasks: TaskId[]; readonly holders: WorkerId[]; readonly sizes: number[] }>

interface Turn {
  readonly workers: readonly WorkerRecord[]
  readonly orders: Orders
}

/** Parent: owns every branch. Orders as many copies of one value as are wanted, and as holders have room to give. */
function advance(state: SchedulerState, replication: Replication, task: Task, { workers, orders }: Turn): void {
  const { open, copies } = replication
  const isGone = task.array.tasks[task.index] !== task
  if (isGone || task.state.type === 'failed' || task.state.type === 'released') {
    open.delete(task) // Its future says why, to whoever still holds it.
    return
  }
  if (task.state.type !== 'in-memory') return
  const value = task.state
  const present = value.holders.reduce((count, { isLeaving }) => count + (isLeaving ? 0 : 1), 0)
  let missing = Math.min(copies, workers.length) - present
  if (missing <= 0) {
    open.delete(task)
    return
  }
  if (value.holders.length === 0 || open.get(task)! >= MAX_FAILURES) {
    open.delete(task)
    replication.missing++
    return
  }
  missing -= state.copying.get(task.id)?.size ?? 0
  for (; missing > 0; missing--) {
    const holder = value.holders.find(hasRoomToServe)
    if (holder === undefined) return
    const receiver = nextReceiver(state, replication, { task, value, workers })
    if (receiver === undefined) return
    order(state, { task, value, holder, receiver }, orders)
  }
}

/** Leaf: may the holder be asked for one more? Small values are many, and go together. */
function hasRoomToServe({ serving }: WorkerRecord): boolean {
  return serving.count < MAX_COPIES_AT_ONCE || serving.sizeBytes < CHUNK_BYTES
}

/** Leaf: the next worker in turn that neither has the value nor is getting it. */
function nextReceiver(
  state: SchedulerState,
  replication: Replication,
  {
    task,
    value,
    workers,
  }: { readonly task: Task; readonly value: InMemory; readonly workers: readonly WorkerRecord[] },
): WorkerRecord | undefined {
  const copying = state.copying.get(task.id)
  for (let looked = 0; looked < workers.length; looked++) {
    const worker = workers[replication.next++ % workers.length]!
    if (!isHolder(value, worker) && copying?.has(worker) !== true) return worker
  }
  return undefined
}

interface Order {
  readonly task: Task
  readonly value: InMemory
  readonly holder: WorkerRecord
  readonly receiver: WorkerRecord
}

function order(state: SchedulerState, { task, value, holder, receiver }: Order, orders: Orders): void {
  const { sizeBytes } = value
  let copying = state.copying.get(task.id)
  if (copying === undefined) {
    copying = new Map()
    state.copying.set(task.id, copying)
  }
  copying.set(receiver, { holder, sizeBytes })
  holder.serving.count++
  holder.serving.sizeBytes += sizeBytes
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
