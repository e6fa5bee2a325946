/** The ids of task arrays that the scheduler gave this client for its own use. */
import { SchedulerUnreachableError } from '../protocol/errors.js'
import { arrayId, type ArrayId } from '../protocol/ids.js'

/** From this part of a lease on, with no other there, ids are used sparingly. */
const SCARCE_PART = 3 / 4

interface Lease {
  readonly first: number
  readonly count: number
}

export class Leases {
  readonly #ask: () => void
  readonly #next: Lease[] = []
  #current: Lease = { first: 0, count: 0 }
  #used = 0
  #isAsked = false
  #latest = -1

  /** `ask` asks the scheduler for one more lease. The first comes unasked. */
  constructor(ask: () => void) {
    this.#ask = ask
  }

  add(first: ArrayId, count: number): void {
    this.#latest = first
    this.#next.push({ first, count })
    this.#isAsked = false
  }

  /** On a new connection the scheduler tells the latest lease, which this client may have; and it heard no question. */
  resume(first: ArrayId, count: number): void {
    if (first !== this.#latest) this.add(first, count)
    else if (this.#isAsked) this.#ask()
  }

  /** The scheduler is slow to give more: an array must be filled before the next one is begun. */
  get isScarce(): boolean {
    return this.#next.length === 0 && this.#used >= this.#current.count * SCARCE_PART
  }

  /** How many can be taken. */
  get left(): number {
    return this.#next.reduce((sum, lease) => sum + lease.count, this.#current.count - this.#used)
  }

  /** @throws {SchedulerUnreachableError} when there are fewer than `count`. */
  ensure(count: number): void {
    if (this.left < count) throw noIdsLeft()
  }

  /** @throws {SchedulerUnreachableError} when none is left. */
  take(): ArrayId {
    if (this.#used === this.#current.count) this.#begin()
    const id = arrayId(this.#current.first + this.#used)
    this.#used += 1
    if (!this.#isAsked && this.#next.length === 0 && this.#used * 2 >= this.#current.count) {
      this.#isAsked = true
      this.#ask()
    }
    return id
  }

  #begin(): void {
    const next = this.#next.shift()
    if (next === undefined) throw noIdsLeft()
    this.#current = next
    this.#used = 0
  }
}

function noIdsLeft(): SchedulerUnreachableError {
  const message =
    'The scheduler gave no new ids for tasks; await some results before you submit more, so that it can answer.'
  return new SchedulerUnreachableError(message)
}
