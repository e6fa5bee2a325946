/** Virtual time: what happens next, and when. Nothing in a simulation waits for a real clock. */
import { Heap, type HeapItem } from '../common/heap.js'

/** Something that is to happen. */
export interface Entry extends HeapItem {
  readonly atMs: number
  /** Entries of one moment happen in the order they were made. */
  readonly sequence: number
  readonly action: () => void
}

export class Agenda {
  readonly #entries = new Heap<Entry>((a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence))
  #nowMs = 1_000
  #steps = 0
  #made = 0

  get nowMs(): number {
    return this.#nowMs
  }

  /** How many entries have happened. */
  get steps(): number {
    return this.#steps
  }

  in(delayMs: number, action: () => void): Entry {
    const atMs = this.#nowMs + Math.max(0, delayMs)
    const entry = { atMs, sequence: this.#made++, action, heapPlace: -1 }
    this.#entries.push(entry)
    return entry
  }

  /** It is not to happen, if it has not. */
  cancel(entry: Entry): void {
    this.#entries.remove(entry)
  }

  /** Lets the next thing happen; returns whether there was one. */
  step(): boolean {
    const entry = this.#entries.peek()
    if (entry === undefined) return false
    this.#entries.remove(entry)
    this.#nowMs = entry.atMs
    this.#steps++
    entry.action()
    return true
  }

  /** Lets everything happen that is due or leads from it; stops with an error when that takes more than `maxSteps`. */
  runToEnd(maxSteps: number): void {
    const limit = this.#steps + maxSteps
    while (this.#entries.length > 0) {
      if (this.#steps >= limit) throw new Error(`still busy after ${maxSteps} steps, at ${this.#nowMs} ms`)
      this.step()
    }
  }
}
