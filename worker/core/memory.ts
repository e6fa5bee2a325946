/** How much memory values take, and what that allows. */
import type { WorkerState } from './state.js'

/** Parts of the memory limit. Between low and high lies some time without spilling. */
const HIGH_MARK = 0.6
export const LOW_MARK = 0.5
const PAUSE_MARK = 0.8

/** Bytes of memory that held values take, also those that are being spilled or loaded. */
export function memoryBytesOf({ held, spills }: WorkerState): number {
  return held.sizeBytes - spills.diskBytes
}

/** Do values take so much memory that no new work is to be begun beside what runs? */
export function isPaused(state: WorkerState): boolean {
  return memoryBytesOf(state) > state.config.memoryLimitBytes * PAUSE_MARK
}

/** Does no thread run a task whose outcome is awaited? One that nobody wants any more may never end. */
export function runsNothing({ batches }: WorkerState): boolean {
  return batches.every((batch) => batch === undefined || batch.open === batch.abandoned)
}

/** What the tasks that threads have may come to take. */
export function runningBytesOf({ batches }: WorkerState): number {
  let sum = 0
  for (const batch of batches) if (batch !== undefined) sum += batch.needBytes
  return sum
}

/**
 * May a task begin that may come to take so much? It must fit beside values and what runs; but when nothing runs it
 * begins in any case: else it might never.
 */
export function hasMemoryFor(state: WorkerState, needBytes: number): boolean {
  if (needBytes === 0 || runsNothing(state)) return true
  const usedBytes = memoryBytesOf(state) + state.fetches.askedBytes + runningBytesOf(state)
  return usedBytes + needBytes <= state.config.memoryLimitBytes
}

/**
 * What values may take before some are spilled: a part of the limit, or less where tasks that run, or wait to begin, need
 * the room.
 */
export function highBytesOf(state: WorkerState): number {
  const { memoryLimitBytes } = state.config
  const roomBytes = memoryLimitBytes - runningBytesOf(state) - state.heldBackBytes
  return Math.max(0, Math.min(memoryLimitBytes * HIGH_MARK, roomBytes))
}

/**
 * Is there room for an input of this size, from a peer or from disk? Not past the high mark, but for one when nothing
 * runs or comes: else nothing might ever run again.
 */
export function hasRoomFor(state: WorkerState, sizeBytes: number): boolean {
  const { askedBytes } = state.fetches
  if (memoryBytesOf(state) + askedBytes + sizeBytes <= state.config.memoryLimitBytes * HIGH_MARK) return true
  return askedBytes === 0 && state.spills.loadingBytes === 0 && runsNothing(state)
}
