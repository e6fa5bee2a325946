/**
 * Values by failures, where failures that say the same are one: what is lost is found to be so again and again, and what failed
 * for that is one thing, also for whoever reads of it in a journal.
 */
import { areSameBytes } from '../../../common/packed.js'
import type { Failure } from './task.js'

interface Entry<V> {
  readonly failure: Failure
  readonly value: V
}

export class FailureMap<V> {
  /** By the key of the culprit: few failures have one in common that don't say the same. */
  readonly #entries = new Map<string, Entry<V>[]>()

  get(failure: Failure): V | undefined {
    const entries = this.#entries.get(failure.culpritKey)
    return entries?.find((entry) => saysTheSame(entry.failure, failure))?.value
  }

  /** There is no value for such a failure yet. */
  add(failure: Failure, value: V): void {
    const entries = this.#entries.get(failure.culpritKey)
    if (entries === undefined) this.#entries.set(failure.culpritKey, [{ failure, value }])
    else entries.push({ failure, value })
  }

  delete(failure: Failure): void {
    const others = this.#entries.get(failure.culpritKey)?.filter((entry) => !saysTheSame(entry.failure, failure)) ?? []
    if (others.length === 0) this.#entries.delete(failure.culpritKey)
    else this.#entries.set(failure.culpritKey, others)
  }

  clear(): void {
    this.#entries.clear()
  }

  *[Symbol.iterator](): IterableIterator<Entry<V>> {
    for (const entries of this.#entries.values()) yield* entries
  }
}

/** How a worker died with it follows from the rest. */
export function saysTheSame(a: Failure, b: Failure): boolean {
  if (a === b) return true
  if (a.culpritKey !== b.culpritKey || a.code !== b.code || a.attempt !== b.attempt) return false
  return a.worker === b.worker && a.reason === b.reason && areSameBytes(a.error, b.error)
}
