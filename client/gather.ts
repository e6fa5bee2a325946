/** Many values at once, each put into its place as it comes: no promise a future, and one question for all. */
import { decodeValue } from '../protocol/values/decode.js'
import type { Places, TaskArray, Waiter } from './task-array.js'

/** What `gather` does about tasks that failed. */
export type ErrorMode = 'throw' | 'settle' | 'skip'

const SKIPPED = Symbol('skipped')

export function gather(
  places: Places,
  mode: ErrorMode,
  wait: (array: TaskArray, index: number, waiter: Waiter) => void,
): Promise<unknown[]> {
  if (places.length === 0) return Promise.resolve([])
  return new Promise((resolve, reject) => {
    const gathering = new Gathering(places, mode, resolve, reject)
    let place = 0
    // Neighbours share a waiter: a million of a map need no more than there are arrays.
    for (const { array, first, end } of places.stretches) {
      const waiter = new GatherWaiter(gathering, place - first)
      for (let index = first; index < end; index++) wait(array, index, waiter)
      place += end - first
    }
  })
}

class Gathering {
  readonly mode: ErrorMode
  readonly results: unknown[]
  /** Held, and never read: a future that nobody holds is released. */
  readonly held: readonly unknown[]
  readonly #resolve: (results: unknown[]) => void
  readonly #reject: (error: unknown) => void
  #missing: number
  isOver = false

  constructor(
    { length, held }: Places,
    mode: ErrorMode,
    resolve: (results: unknown[]) => void,
    reject: (error: unknown) => void,
  ) {
    this.held = held
    this.mode = mode
    this.results = new Array<unknown>(length)
    this.#missing = length
    this.#resolve = resolve
    this.#reject = reject
  }

  fill(place: number, result: unknown): void {
    this.results[place] = result
    this.#missing -= 1
    if (this.#missing > 0) return
    this.isOver = true
    this.#resolve(this.mode === 'skip' ? this.results.filter((value) => value !== SKIPPED) : this.results)
  }

  fail(error: unknown): void {
    this.isOver = true
    this.#reject(error)
  }
}

class GatherWaiter implements Waiter {
  /** From an index in the array to the place among the results. */
  readonly offset: number
  readonly #gathering: Gathering

  constructor(gathering: Gathering, offset: number) {
    this.#gathering = gathering
    this.offset = offset
  }

  onValue(index: number, encoded: Uint8Array, isOwned: boolean): void {
    const gathering = this.#gathering
    if (gathering.isOver) return
    let value: unknown
    try {
      value = decodeValue(encoded, { owned: isOwned })
    } catch (error) {
      return this.onError(index, error)
    }
    gathering.fill(index + this.offset, gathering.mode === 'settle' ? { status: 'fulfilled', value } : value)
  }

  onError(index: number, error: unknown): void {
    const gathering = this.#gathering
    if (gathering.isOver) return
    if (gathering.mode === 'throw') gathering.fail(error)
    else
      gathering.fill(index + this.offset, gathering.mode === 'skip' ? SKIPPED : { status: 'rejected', reason: error })
  }
}
