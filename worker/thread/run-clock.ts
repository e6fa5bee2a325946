/** How long a run took and, where it took long, what that time went into. */
import type { RunParts } from '../core/events.js'

/** A run that takes less is not told apart from those before it. */
export const SHORT_US = 1_000

/**
 * Reading the clock is a good part of what a tiny task costs, so the end of one run is the start of the next. What went into a
 * run is measured of the first of a batch, and of one behind a long one: long tasks come alone, or one after the other.
 */
export class RunClock {
  #startedAtMs = performance.now()
  /** 0 as long as that has not happened, or is not measured. */
  #calledAtMs = 0
  #settledAtMs = 0
  #isExact = true
  #parts: RunParts | undefined

  /** What came before this is not the run's. */
  restart(): void {
    this.#startedAtMs = performance.now()
  }

  /** Its arguments are there, and its function is called. */
  called(): void {
    if (this.#isExact) this.#calledAtMs = performance.now()
  }

  /** What its arguments took, once its function was called, if that was measured. */
  get decodeUs(): number {
    return this.#calledAtMs === 0 ? 0 : usBetween(this.#startedAtMs, this.#calledAtMs)
  }

  /** Its function gave a result, or threw. */
  settled(): void {
    if (this.#isExact && this.#settledAtMs === 0) this.#settledAtMs = performance.now()
  }

  /** What it gave is encoded, and the next one begins. Returns how long it took, in microseconds. */
  ended(): number {
    const endedAtMs = performance.now()
    const durationUs = usBetween(this.#startedAtMs, endedAtMs)
    const isLong = durationUs >= SHORT_US
    if (this.#isExact) {
      this.#parts = isLong ? this.#partsUntil(endedAtMs) : undefined
      this.#calledAtMs = 0
      this.#settledAtMs = 0
    }
    this.#isExact = isLong
    this.#startedAtMs = endedAtMs
    return durationUs
  }

  /** When the last run ended, or the first begins. */
  get atMs(): number {
    return this.#startedAtMs
  }

  /** What the time of the run that ended last went into, if that was measured and it was long. */
  get parts(): RunParts | undefined {
    return this.#parts
  }

  #partsUntil(endedAtMs: number): RunParts {
    const settledAtMs = this.#settledAtMs === 0 ? endedAtMs : this.#settledAtMs
    // What could not be taken apart was never called.
    const calledAtMs = this.#calledAtMs === 0 ? settledAtMs : this.#calledAtMs
    return { decodeUs: usBetween(this.#startedAtMs, calledAtMs), encodeUs: usBetween(settledAtMs, endedAtMs) }
  }
}

export function usBetween(fromMs: number, toMs: number): number {
  return Math.round((toMs - fromMs) * 1_000)
}
