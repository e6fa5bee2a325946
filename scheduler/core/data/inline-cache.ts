/**
 * The scheduler's own copies of small results. They came many to a message and stay together on its page; a page counts
 * in full until nothing on it lives, so the bound is exact. When it is reached, the oldest pages go: their values are
 * then had from the workers that made them.
 */
import { Fifo } from '../../../common/fifo.js'
import { SKIPPED_VALUE } from '../../../protocol/skipped.js'

export interface InlinePage {
  /** `undefined` once the page was evicted. */
  bytes: Uint8Array | undefined
  /** How many tasks have their value here. */
  live: number
}

/**
 * What tasks have that were skipped: a page that never goes, and that the cache does not count. No worker made the value, and
 * none need hold it.
 */
export const SKIPPED: InlinePage = { bytes: Uint8Array.from(SKIPPED_VALUE), live: Infinity }

export class InlineCache {
  readonly #maxBytes: number
  readonly #pages = new Fifo<InlinePage>()
  #sizeBytes = 0
  #dead = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Adds a page for `live` values. The cache owns `bytes` from now on. */
  add(bytes: Uint8Array, live: number): InlinePage {
    const page: InlinePage = { bytes, live }
    this.#pages.push(page)
    this.#sizeBytes += bytes.length
    while (this.#sizeBytes > this.#maxBytes) this.#evictOldest()
    return page
  }

  /** One value of the page is not needed any more. */
  drop(page: InlinePage): void {
    page.live--
    if (page.live > 0 || page.bytes === undefined) return
    this.#sizeBytes -= page.bytes.length
    page.bytes = undefined
    this.#dead++
    if (this.#dead * 2 <= this.#pages.length + 64) return
    this.#pages.retain(({ bytes }) => bytes !== undefined)
    this.#dead = 0
  }

  #evictOldest(): void {
    const page = this.#pages.shift()
    if (page === undefined) return
    if (page.bytes === undefined) {
      this.#dead--
      return
    }
    this.#sizeBytes -= page.bytes.length
    page.bytes = undefined
  }
}
