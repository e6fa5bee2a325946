/** How much memory values take, and what that allows. */
import type { WorkerConfig, WorkerState } from './state.js'

/** Parts of the memory limit. Between low and high lies some time without spilling. */
const HIGH_MARK = 0.6
export const LOW_MARK = 0.5
const PAUSE_MARK = 0.8
/** Past it the nanny starts the process again, rather than let the machine swap. */
export const RESTART_MARK = 0.95
/** What may be garbage before threads are made to collect it. */
export const GARBAGE_SHARE = 0.2
/** Collecting takes a thread some milliseconds: a small part of what it takes to fill so much fresh memory. */
export const MIN_GARBAGE_BYTES = 32 * 1024 * 1024

/** What a process takes beside values and live objects: Node with our code, and each thread with its usual garbage. */
const PROCESS_BYTES = 128 * 1024 * 1024
const THREAD_BYTES = 64 * 1024 * 1024
/** The part of the limit that is meant for that. */
const PROCESS_SHARE = 0.1

/**
 * What the process may take in all at a mark. Where a tenth of the limit is not enough for the process itself, the rest
 * of that comes on top: else a small limit would leave no room for values.
 */
export function processBytesAt(mark: number, memoryLimitBytes: number, threads: number): number {
  const ownBytes = PROCESS_BYTES + threads * THREAD_BYTES
  return memoryLimitBytes * mark + Math.max(0, ownBytes - memoryLimitBytes * PROCESS_SHARE)
}

/** What the process may take in all before no new work is begun. */
export function fullBytesOf({ memoryLimitBytes, threads }: WorkerConfig): number {
  return processBytesAt(PAUSE_MARK, memoryLimitBytes, threads)
}

/** Bytes of memory that held values take, also those that are being spilled or loaded. */
export function memoryBytesOf({ held, spills }: WorkerState): number {
  return held.sizeBytes - spills.diskBytes
}

/** Why no new work is begun beside what runs. */
export type PauseReason =
  /** Values take so much memory, and can't be spilled as fast as they come, or not at all. */
  | 'values'
  /** What tasks use beside the values takes it: objects, buffers, native memory. */
  | 'process'

export function pauseReason(state: WorkerState): PauseReason | undefined {
  const valueBytes = memoryBytesOf(state)
  if (valueBytes > state.config.memoryLimitBytes * PAUSE_MARK) return 'values'
  return valueBytes + state.pause.otherBytes > fullBytesOf(state.config) ? 'process' : undefined
}

export function isPaused(state: WorkerState): boolean {
  return pauseReason(state) !== undefined
}

/**
 * Does no thread run a task whose outcome is awaited? One that nobody wants any more may never end; but a batch without
 * open tasks ends soon, when its thread has collected what they left. One that waits for its own tasks runs nothing.
 */
export function runsNothing({ batches, lent, config }: WorkerState): boolean {
  for (let thread = 0; thread < config.threads; thread++) {
    const batch = batches[thread]
    if (batch !== undefined && (batch.open === 0 || batch.open > batch.abandoned)) return false
  }
  for (const { state } of lent.values()) if (state.isWanted && !state.isAwaiting) return false
  return true
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
