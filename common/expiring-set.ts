/** Remembers items for a while, and only so many: the oldest goes first. The caller says what time it is. */
import { assert } from './assert.js'

export class ExpiringSet<T> {
  readonly #maxSize: number
  readonly #lifetimeMs: number
  /** Until when, the oldest first. */
  readonly #untilMs = new Map<T, number>()

  constructor(maxSize: number, lifetimeMs: number) {
    assert(maxSize > 0 && lifetimeMs > 0, 'a set that remembers nothing')
    this.#maxSize = maxSize
    this.#lifetimeMs = lifetimeMs
  }

  get size(): number {
    return this.#untilMs.size
  }

  /** Remembers the item from now on, afresh if it is known. */
  add(item: T, nowMs: number): void {
    this.#untilMs.delete(item)
    if (this.#untilMs.size >= this.#maxSize) {
      const [oldest] = this.#untilMs.keys()
      this.#untilMs.delete(oldest!)
    }
    this.#untilMs.set(item, nowMs + this.#lifetimeMs)
  }

  has(item: T, nowMs: number): boolean {
    const untilMs = this.#untilMs.get(item)
    if (untilMs === undefined) return false
    if (untilMs > nowMs) return true
    this.#untilMs.delete(item)
    return false
  }

  clear(): void {
    this.#untilMs.clear()
  }
}
