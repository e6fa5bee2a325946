/** Copies that clients asked for: a question is answered when each of its values is where it was wanted, or given up. */
import { MAX_REPLICATED_VALUES } from '../../../protocol/limits.js'
import type { Replicate } from '../../../protocol/messages/client.js'
import type { ClientRecord } from '../clients/client-record.js'
import { SKIPPED } from './inline-cache.js'
import { advanceMove } from './moves.js'
import { finishScatter, type Scatter } from './scatter.js'
import { advance, beginLook, hasRoomToServe, sendOrders, spreadOf, type Look, type Spread } from './spread.js'
import { outboxOf, type SchedulerState } from '../state.js'
import { findTask } from '../tasks/task-array.js'
import type { Task } from '../tasks/task.js'

/** One question of a client. */
export interface Replication {
  readonly client: ClientRecord
  readonly request: number
  /** How many workers shall hold each value; all of them, if there are fewer. */
  readonly copies: number
  /** Values that have too few copies yet. */
  readonly open: Set<Task>
  /** Values that were given up. */
  missing: number
}

const ANY: ReadonlySet<string> = new Set()

/** Returns what is wrong with the message, or `undefined` when its values are looked after. */
export function onReplicate(state: SchedulerState, client: ClientRecord, message: Replicate): string | undefined {
  const { request, copies, tasks } = message
  if (client.replicated + tasks.length > MAX_REPLICATED_VALUES) return 'it asks for copies of too many values at once'
  const open = new Set<Task>()
  const replication: Replication = { client, request, copies, open, missing: 0 }
  for (const id of tasks) {
    const task = findTask(state, id)
    if (task === undefined || open.has(task)) continue
    open.add(task)
    spreadOf(state, task).wishes.add(replication)
  }
  client.replications.add(replication)
  client.replicated += open.size
  if (open.size === 0) answer(state, replication)
  return undefined
}

/** The client's connection is gone. */
export function forgetReplications(state: SchedulerState, client: ClientRecord): void {
  for (const replication of client.replications) {
    for (const task of replication.open) spreadOf(state, task).wishes.delete(replication)
  }
  client.replications.clear()
  client.replicated = 0
}

/** At the end of a turn: has further copies made where there is room for them, and answers what is done. */
export function makeCopies(state: SchedulerState): void {
  if (state.changedSpreads.size === 0 && state.holdersWithRoom.size === 0) return
  const look = beginLook(state)
  lookAtChanged(state, look)
  for (const holder of state.holdersWithRoom) {
    if (state.workers.get(holder.id) !== holder) continue
    for (const spread of holder.copies.waiting) {
      if (!hasRoomToServe(holder)) break
      holder.copies.waiting.delete(spread)
      lookAt(state, spread, look)
    }
  }
  state.holdersWithRoom.clear()
  lookAtChanged(state, look)
  sendOrders(state, look)
}

/** What is done for one value may be a change of another, or of itself. */
function lookAtChanged(state: SchedulerState, look: Look): void {
  for (const spread of state.changedSpreads) {
    state.changedSpreads.delete(spread)
    lookAt(state, spread, look)
  }
}

function lookAt(state: SchedulerState, spread: Spread, look: Look): void {
  const { task } = spread
  if (state.spreads.get(task.id) !== spread) return // It was done with while it waited for room.
  if (spread.scatter === undefined) copyForClients(state, spread, look)
  else if (spread.scatter.holders.length > 0) broadcast(state, spread, spread.scatter, look)
  const { move } = spread
  // While a client still brings the value it does not move; but where it was to move from may be gone.
  const mayAdvance = spread.scatter === undefined || (move !== undefined && !state.workers.has(move.from.id))
  if (move !== undefined && mayAdvance) advanceMove(state, spread, move, look)
  const isDone = spread.scatter === undefined && spread.wishes.size === 0 && spread.move === undefined
  if (isDone) state.spreads.delete(task.id)
}

/** A value that a client brought to one worker goes on to all that shall have it, before it counts as finished. */
function broadcast(state: SchedulerState, spread: Spread, scatter: Scatter, look: Look): void {
  const { holders, sizeBytes, allowed } = scatter
  const { canGrow } = advance(state, spread, { holders, sizeBytes, allowed, copies: Infinity }, look)
  if (!canGrow) finishScatter(state, scatter)
}

function copyForClients(state: SchedulerState, spread: Spread, look: Look): void {
  const { task, wishes } = spread
  const value = task.state
  if (task.array.tasks[task.index] !== task || value.type === 'failed' || value.type === 'released') {
    // Its future says why, to whoever still holds it.
    for (const wish of wishes) settle(state, spread, wish, true)
    return
  }
  if (value.type !== 'in-memory') return
  const { holders, sizeBytes, page } = value
  if (holders.length === 0 || page === SKIPPED) {
    // That of a skipped task goes along with whatever needs it, and is never lost.
    for (const wish of wishes) settle(state, spread, wish, page === SKIPPED)
    return
  }
  let copies = 0
  for (const wish of wishes) copies = Math.max(copies, wish.copies)
  const { present, canGrow } = advance(state, spread, { holders, sizeBytes, allowed: ANY, copies }, look)
  for (const wish of wishes) {
    if (present >= Math.min(wish.copies, look.workers.length)) settle(state, spread, wish, true)
    else if (!canGrow) settle(state, spread, wish, false)
  }
}

/** The value is done with, for this question. */
function settle(state: SchedulerState, { task, wishes }: Spread, wish: Replication, isThere: boolean): void {
  wishes.delete(wish)
  wish.open.delete(task)
  wish.client.replicated--
  if (!isThere) wish.missing++
  if (wish.open.size === 0) answer(state, wish)
}

function answer(state: SchedulerState, replication: Replication): void {
  const { client, request, missing } = replication
  client.replications.delete(replication)
  outboxOf(state, client).add({ type: 'replicated', request, missing })
}
