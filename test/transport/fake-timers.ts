/** Timers whose time a test turns by hand. */
import type { Timers } from '../../protocol/transport/timers.js'

interface Timer {
  dueMs: number
  readonly intervalMs: number | undefined
  readonly callback: () => void
}

export class FakeTimers implements Timers {
  #nowMs = 0
  readonly #timers = new Set<Timer>()

  /** How many timers wait: none, once all that was opened is closed. */
  get pending(): number {
    return this.#timers.size
  }

  after(delayMs: number, callback: () => void): () => void {
    return this.#add({ dueMs: this.#nowMs + delayMs, intervalMs: undefined, callback })
  }

  every(intervalMs: number, callback: () => void): () => void {
    return this.#add({ dueMs: this.#nowMs + intervalMs, intervalMs, callback })
  }

  /** Lets `ms` go by, calling what becomes due in order. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) {
      this.#nowMs = timer.dueMs
      if (timer.intervalMs === undefined) this.#timers.delete(timer)
      else timer.dueMs += timer.intervalMs
      timer.callback()
    }
    this.#nowMs = untilMs
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  #next(untilMs: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.dueMs <= untilMs && timer.dueMs < (next?.dueMs ?? Infinity)) next = timer
    }
    return next
  }
}
