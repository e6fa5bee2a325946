/**
 * Values that move: another worker gets a copy, and where the value was it is dropped. Workers that leave give away what
 * only they hold (leaving.ts), and clients may ask that all hold about as much (rebalance.ts).
 */
import { advance, noteChange, spreadOf, type Look, type Spread } from './spread.js'
import { workerOutboxOf, type SchedulerState } from '../state.js'
import { removeHolder, type InMemory, type Task } from '../tasks/task.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** Values that move for one reason. */
export interface Relocation {
  readonly moves: Set<Move>
  /** What has moved. */
  readonly moved: { values: number; sizeBytes: number }
  /** What no worker could get. */
  readonly lost: Set<Task>
}

/** One value on its way. It stays where it is until another worker has it. */
export interface Move {
  readonly task: Task
  readonly from: WorkerRecord
  /** Names of the workers that may get it; empty for any. */
  readonly allowed: ReadonlySet<string>
  readonly relocation: Relocation
}

export const ANY_WORKER: ReadonlySet<string> = new Set()

export function newRelocation(): Relocation {
  return { moves: new Set(), moved: { values: 0, sizeBytes: 0 }, lost: new Set() }
}

/** Every value that is somewhere, once: a task may stand at several places of an array. */
export function* valuesOf({ arrays }: SchedulerState): Iterable<{ readonly task: Task; readonly value: InMemory }> {
  for (const array of arrays.values()) {
    for (let index = 0; index < array.tasks.length; index++) {
      const task = array.tasks[index]
      if (task?.state.type !== 'in-memory' || task.array !== array || task.index !== index) continue
      yield { task, value: task.state }
    }
  }
}

/** May the value be moved? One that is moving already may not. */
export function isMoving(state: SchedulerState, task: Task): boolean {
  return state.spreads.size > 0 && state.spreads.get(task.id)?.move !== undefined
}

/** The search for a worker begins at place `first` of those that stay. */
export function beginMove(state: SchedulerState, move: Move, first: number): void {
  const spread = spreadOf(state, move.task)
  spread.move = move
  spread.next = first
  move.relocation.moves.add(move)
}

/** Something happened to the value: it is copied, or dropped where it was, or there is nothing to move any more. */
export function advanceMove(state: SchedulerState, spread: Spread, move: Move, look: Look): void {
  const { task, from, allowed, relocation } = move
  const value = task.state
  const isThere = task.array.tasks[task.index] === task && value.type === 'in-memory' && value.holders.includes(from)
  if (!isThere) return endMove(spread, move)
  const { holders, sizeBytes } = value
  const { present, canGrow } = advance(state, spread, { holders, sizeBytes, allowed, copies: 1 }, look)
  if (present === 0) {
    if (canGrow) return
    relocation.lost.add(task)
    return endMove(spread, move)
  }
  if (isServedBy(state, task, from)) return // Others are fetching it there. It is looked at again when that has ended.
  if (!from.isLeaving && !isUsedAt(task, from)) dropAt(state, task, value, from)
  relocation.moved.values++
  relocation.moved.sizeBytes += sizeBytes
  endMove(spread, move)
}

/** The worker is gone: nothing moves away from it any more. */
export function endEvacuation(state: SchedulerState, { evacuation }: WorkerRecord): void {
  for (const move of evacuation?.moves ?? []) {
    const spread = state.spreads.get(move.task.id)
    if (spread?.move === move) endMove(spread, move)
    noteChange(state, move.task.id)
  }
}

function endMove(spread: Spread, move: Move): void {
  spread.move = undefined
  move.relocation.moves.delete(move)
}

function dropAt(state: SchedulerState, task: Task, value: InMemory, worker: WorkerRecord): void {
  removeHolder(value, worker)
  workerOutboxOf(state, worker).addFree(task.id)
}

function isServedBy(state: SchedulerState, task: Task, worker: WorkerRecord): boolean {
  for (const { holder } of state.copying.get(task.id)?.values() ?? []) if (holder === worker) return true
  return false
}

/** A task that was sent there with this value for an input would come back without it. */
export function isUsedAt(task: Task, worker: WorkerRecord): boolean {
  if (task.pendingDependants === 0) return false
  for (const { inputs } of worker.processing) if (inputs.includes(task)) return true
  for (const { inputs } of worker.ahead) if (inputs.includes(task)) return true
  return false
}
