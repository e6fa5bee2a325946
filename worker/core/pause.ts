/**
 * Memory that is full of what tasks use beside values: how it is told from garbage, and what a worker does that stays
 * paused. Values can go to disk, but what tasks leave behind in their process only goes with the process.
 */
import { HEARTBEAT_INTERVAL_MS, MAX_PAUSE_MS } from '../../protocol/limits.js'
import type { WorkerEvent } from './events.js'
import type { WorkerInstruction } from './instructions.js'
import { returnAwaiting, returnUnstarted } from './let-go.js'
import { fullBytesOf, memoryBytesOf, pauseReason, runsNothing } from './memory.js'
import { onLeave } from './on-link.js'
import type { Pause, WorkerState } from './state.js'

/** How often garbage is collected while memory stays full: with much that is alive it takes a second. */
const COLLECT_AGAIN_MS = 10 * HEARTBEAT_INTERVAL_MS
/** More of what is not values, as a part of the limit, than was left the last time: it may be garbage. */
const GROWTH_SHARE = 0.1

/** With every heartbeat. What is too much counts only after threads have collected their garbage. */
export function measureMemory(
  state: WorkerState,
  { nowMs, memoryBytes }: Extract<WorkerEvent, { readonly type: 'pulse' }>,
  out: WorkerInstruction[],
): void {
  const { pause } = state
  const otherBytes = Math.max(0, memoryBytes - memoryBytesOf(state))
  const isFull = memoryBytesOf(state) + otherBytes > fullBytesOf(state.config)
  const isEmpty = pause.draining === 'emptying' && runsNothing(state)
  if (isFull && !pause.wasCollected && (isEmpty || isWorthCollecting(state, otherBytes, nowMs))) {
    if (isEmpty) pause.draining = 'empty'
    pause.wasCollected = true
    pause.collectedAtMs = nowMs
    state.garbageBytes = 0
    out.push({ type: 'collect' })
    return
  }
  pause.wasCollected = false
  pause.otherBytes = otherBytes
  if (!isFull) endDrain(pause)
  else if (pause.draining === 'empty' && state.link.type === 'joined') {
    endDrain(pause)
    if (state.held.hasBrought) return // Slow is better than lost.
    returnAwaiting(state)
    onLeave(state, out, {
      reason: `for ${maxPauseMs(state) / 1_000} s it was full of what tasks left behind in their process`,
    })
  }
}

function isWorthCollecting({ config, pause }: WorkerState, otherBytes: number, nowMs: number): boolean {
  if (nowMs - pause.collectedAtMs >= COLLECT_AGAIN_MS) return true
  return otherBytes > pause.otherBytes + config.memoryLimitBytes * GROWTH_SHARE
}

/**
 * At the end of a turn: a worker that was paused for long gives back what it has not started, for others to do, and
 * starts nothing until it is known whether its memory comes back when nothing runs.
 */
export function watchPause(state: WorkerState, nowMs: number): void {
  const { pause } = state
  if (state.link.type !== 'joined' || pauseReason(state) === undefined) {
    endDrain(pause)
    return
  }
  if (state.tasks.size > 0) pause.sinceMs ??= nowMs
  if (nowMs < pausedUntilMs(state)) return
  pause.draining = 'emptying'
  returnUnstarted(state)
}

/** When the worker will have been paused for too long; `Infinity` for never. */
export function pausedUntilMs(state: WorkerState): number {
  const { sinceMs, draining } = state.pause
  return sinceMs === undefined || draining !== 'no' ? Infinity : sinceMs + maxPauseMs(state)
}

function endDrain(pause: Pause): void {
  pause.sinceMs = undefined
  pause.draining = 'no'
}

function maxPauseMs({ config }: WorkerState): number {
  return config.maxPauseMs ?? MAX_PAUSE_MS
}
