/** Somebody who waits for the value of a child in its parent's code: the parent is told, as its thread may run others. */
import type { TaskParent } from './parent.js'
import type { Waiter } from './task-array.js'

export class LendingWaiter implements Waiter {
  readonly #waiter: Waiter
  readonly #parent: TaskParent
  #stage: 'new' | 'waits' | 'done' = 'new'

  constructor(waiter: Waiter, parent: TaskParent) {
    this.#waiter = waiter
    this.#parent = parent
  }

  /** Unless the value, or an error, was there at once. */
  begin(): void {
    if (this.#stage === 'done') return
    this.#stage = 'waits'
    this.#parent.beginWait()
  }

  onValue(index: number, encoded: Uint8Array, isOwned: boolean): void {
    this.#end()
    this.#waiter.onValue(index, encoded, isOwned)
  }

  onError(index: number, error: unknown): void {
    this.#end()
    this.#waiter.onError(index, error)
  }

  #end(): void {
    if (this.#stage === 'waits') this.#parent.endWait()
    this.#stage = 'done'
  }
}
