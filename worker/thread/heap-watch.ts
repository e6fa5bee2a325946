/**
 * What tasks leave behind in their thread (modules that cache, lists that grow) stays there as long as the thread does. One
 * whose heap stays high though its garbage was collected is to go, and a fresh one takes its place. Looked at between batches:
 * collecting costs time by what is alive, so not often. One that is half full goes at once: a task that runs out of memory is
 * to blame for that, so each begins with half of the heap at least.
 */

export interface HeapRule {
  /** More a heap can't have. */
  readonly limitBytes: number
  /** So much alive is high. */
  readonly maxBytes: number
  /** For so long it may be, in milliseconds. */
  readonly maxMs: number
}

/** Of its limit, what may be taken by what tasks left behind. */
const FULL_SHARE = 1 / 2
/** It is looked at so often in that time. */
const LOOKS = 6

export interface HeapWatchOptions extends HeapRule {
  readonly nowMs: () => number
  readonly usedBytes: () => number
  readonly collect: () => void
}

export class HeapWatch {
  readonly #options: HeapWatchOptions
  #nextMs = -Infinity
  /** Since when it is high without a break. */
  #sinceMs: number | undefined

  constructor(options: HeapWatchOptions) {
    this.#options = options
  }

  /** Is so much alive in the heap that the next task would have little of it? */
  isFull(): boolean {
    const { limitBytes, usedBytes, collect } = this.#options
    const fullBytes = limitBytes * FULL_SHARE
    if (usedBytes() <= fullBytes) return false
    collect()
    return usedBytes() > fullBytes
  }

  /** Was the heap high at every look for so long? */
  isHighForLong(): boolean {
    const { maxBytes, maxMs, nowMs, usedBytes, collect } = this.#options
    const atMs = nowMs()
    if (atMs < this.#nextMs) return false
    this.#nextMs = atMs + maxMs / LOOKS
    let isHigh = usedBytes() > maxBytes
    if (isHigh) {
      collect()
      isHigh = usedBytes() > maxBytes
    }
    if (!isHigh) this.#sinceMs = undefined
    else this.#sinceMs ??= atMs
    return this.#sinceMs !== undefined && atMs - this.#sinceMs >= maxMs
  }
}
