/**
 * What tasks leave behind in their thread (modules that cache, lists that grow) stays there as long as the thread does. One
 * whose heap stays high though its garbage was collected is to go, and a fresh one takes its place. Looked at between batches:
 * collecting costs time by what is alive, so not often.
 */

export interface HeapRule {
  /** So much alive is high. */
  readonly maxBytes: number
  /** For so long it may be, in milliseconds. */
  readonly maxMs: number
}

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
