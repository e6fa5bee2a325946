/** A small seeded generator of random numbers: the same seed gives the same numbers, so a run by chance can be repeated. */

export class Rng {
  #state: number

  /** @param seed - Any whole number; neighbouring seeds give unrelated sequences. */
  constructor(seed: number) {
    this.#state = seed | 0
    this.next()
  }

  /** A number from 0 up, below 1. (The algorithm is mulberry32, which is in the public domain.) */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  /** A number from `low` up, below `high`. */
  between(low: number, high: number): number {
    return low + this.next() * (high - low)
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** One of the items; `undefined` when there is none. */
  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.next() * items.length)]
  }

  /** The items in another order. */
  shuffled<T>(items: readonly T[]): T[] {
    const shuffled = [...items]
    for (let i = shuffled.length - 1; i > 0; i--) {
      const other = this.integer(0, i)
      const item = shuffled[i]!
      shuffled[i] = shuffled[other]!
      shuffled[other] = item
    }
    return shuffled
  }

  /** A generator of its own, so that what one part of a program draws does not shift what another one gets. */
  fork(): Rng {
    return new Rng(Math.floor(this.next() * 2 ** 32))
  }
}
