/**
 * Hearing when futures are over: their tasks have an outcome, or they were let go of. Their values stay where they are.
 * Neighbours in a task array share a watcher, so that a million futures of a map need a thousand.
 */
import { describe, invalidOption } from './options.js'
import type { TaskParent } from './parent.js'
import type { TaskArray, Watcher } from './task-array.js'
import { TaskFuture } from './task-future.js'

/** Futures of any clients. */
export class Watch {
  readonly #onOver: (future: TaskFuture<unknown>) => void
  readonly #runs = new Set<Run>()
  /** Tasks that submitted some of them. */
  readonly #parents = new Set<TaskParent>()
  /** How many are not over. */
  openCount = 0

  /** `onOver` hears of each future once for each time that it was added, in the order in which they end. */
  constructor(onOver: (future: TaskFuture<unknown>) => void) {
    this.#onOver = onOver
  }

  /** Those that are over already are told of before it returns. */
  add(futures: readonly TaskFuture<unknown>[]): void {
    let run: Run | undefined
    for (const future of futures) {
      const { array, index } = future
      if (!array.isPending(index) || future.owner.isEnded) {
        this.#onOver(future)
        continue
      }
      if (run?.array !== array || run.end !== index) {
        run = new Run(array, index, (over, isLast) => this.#end(over, isLast))
        this.#runs.add(run)
        if (array.parent !== undefined) this.#parents.add(array.parent)
      }
      run.add(future)
      this.openCount += 1
    }
  }

  /** Somebody waits for the next to end, in the code of a task perhaps: its thread may run others until the call that it gets. */
  beginWait(): () => void {
    const parents = [...this.#parents]
    for (const parent of parents) parent.beginWait()
    return () => {
      for (const parent of parents) parent.endWait()
    }
  }

  /** Nothing more is heard, and nothing is held. */
  end(): void {
    for (const run of this.#runs) run.unwatch()
    this.#runs.clear()
    this.openCount = 0
  }

  #end(future: TaskFuture<unknown>, emptied: Run | undefined): void {
    if (emptied !== undefined) this.#runs.delete(emptied)
    this.openCount -= 1
    this.#onOver(future)
  }
}

/** Futures at places of one array that follow each other. Each is held until it is over. */
class Run implements Watcher {
  readonly array: TaskArray
  readonly #first: number
  readonly #futures: (TaskFuture<unknown> | undefined)[] = []
  readonly #onOver: (future: TaskFuture<unknown>, emptied: Run | undefined) => void
  #left = 0

  constructor(
    array: TaskArray,
    first: number,
    onOver: (future: TaskFuture<unknown>, emptied: Run | undefined) => void,
  ) {
    this.array = array
    this.#first = first
    this.#onOver = onOver
  }

  get end(): number {
    return this.#first + this.#futures.length
  }

  add(future: TaskFuture<unknown>): void {
    this.#futures.push(future)
    this.#left += 1
    this.array.watch(future.index, this)
  }

  unwatch(): void {
    this.#futures.forEach((future) => {
      if (future !== undefined) this.array.unwatch(future.index, this)
    })
  }

  onOver(index: number): void {
    const place = index - this.#first
    const future = this.#futures[place]
    if (future === undefined) return
    this.#futures[place] = undefined
    this.#left -= 1
    this.#onOver(future, this.#left === 0 ? this : undefined)
  }
}

/** Checks that these are futures, of whichever clients. */
export function futuresAmong(where: string, given: unknown): TaskFuture<unknown>[] {
  if (typeof given !== 'object' || given === null || !(Symbol.iterator in given)) {
    throw invalidOption(`${where} takes a list of futures, and not ${describe(given)}.`)
  }
  return Array.from(given as Iterable<unknown>, (future, place) => {
    if (future instanceof TaskFuture) return future as TaskFuture<unknown>
    throw invalidOption(`Entry ${place} given to ${where} is ${describe(future)}, and no future.`)
  })
}
