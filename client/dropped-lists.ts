/**
 * Lists of futures that a program dropped. While the engine has not collected them, scheduler and workers keep what their tasks
 * made, of which it sees nothing: to it a list of a million futures is eight megabytes. So when many were made since, and the next
 * one is, it is told to collect.
 */
import { collectGarbage, heapBytes } from '../common/node/garbage.js'

/** The scheduler has some 130 MB of so many tasks. */
const MANY_TASKS = 500_000
/** What a task takes of the scheduler: a heap that is larger than that of all of them takes longer to collect than it is worth. */
const BYTES_PER_TASK = 256

export interface MadeList {
  readonly tasks: number
  /** How many collections there were before. */
  readonly collections: number
}

export interface DroppedListsOptions {
  /** Collects garbage, soon. */
  readonly collect?: () => void
  /** What is in the heap now. */
  readonly usedBytes?: () => number
}

export class DroppedLists {
  readonly #collect: () => void
  readonly #usedBytes: () => number
  /** How many places for tasks there are in lists that were made since the last collection, and not seen to go. */
  #tasks = 0
  #collections = 0

  constructor({ collect = collectSoon, usedBytes = heapBytes }: DroppedListsOptions = {}) {
    this.#collect = collect
    this.#usedBytes = usedBytes
  }

  /** Another list is made: those before may have been dropped. Returns what to say of it when it is collected. */
  onMade(tasks: number): MadeList {
    if (this.#tasks >= MANY_TASKS && this.#tasks * BYTES_PER_TASK >= this.#usedBytes()) {
      this.#tasks = 0
      this.#collections++
      this.#collect()
    }
    this.#tasks += tasks
    return { tasks, collections: this.#collections }
  }

  /** The engine has collected a list. */
  onCollected({ tasks, collections }: MadeList): void {
    if (collections === this.#collections) this.#tasks -= tasks
  }
}

let isDue = false

/** In a turn of its own, for it may take as long as all else that a call of `map` does. */
function collectSoon(): void {
  if (isDue) return
  isDue = true
  setImmediate(() => {
    isDue = false
    collectGarbage()
  })
}
