/**
 * The scheduler's own copies of small results. They came many to a message and stay together on its page; a page counts
 * in full until nothing on it lives, so the bound is exact. When it is reached, the oldest pages go: their values are
 * then had from the workers that made them. A value that no worker has is here alone, for now or for good: its page stays, and
 * what comes later finds less room.
 */
import { present } from '../../../common/assert.js'
import { Fifo } from '../../../common/fifo.js'
import { SKIPPED_VALUE } from '../../../protocol/skipped.js'
import type { InMemory } from '../tasks/task.js'

export interface InlinePage {
  /** `undefined` once the page was evicted. */
  bytes: Uint8Array | undefined
  /** How many tasks have their value here. */
  live: number
  /** Of these, those whose value no worker has. */
  lone: number
}

/**
 * What tasks have that were skipped: a page that never goes, and that the cache does not count. No worker made the value, and
 * none need hold it.
 */
export const SKIPPED: InlinePage = { bytes: Uint8Array.from(SKIPPED_VALUE), live: Infinity, lone: 0 }

export class InlineCache {
  readonly maxBytes: number
  readonly #pages = new Fifo<InlinePage>()
  /** Those whose turn to go has come, and that stay. */
  readonly #spared = new Fifo<InlinePage>()
  #sizeBytes = 0
  #dead = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Adds a page for `live` values. The cache owns `bytes` from now on. */
  add(bytes: Uint8Array, live: number): InlinePage {
    const page: InlinePage = { bytes, live, lone: 0 }
    this.#pages.push(page)
    this.#sizeBytes += bytes.length
    while (this.#sizeBytes > this.maxBytes) this.#evictOldest()
    return page
  }

  /** A value that was in memory is not needed any more, or lost. */
  release({ page, holders }: Pick<InMemory, 'page' | 'holders'>): void {
    if (page === undefined) return
    if (holders.length === 0) page.lone--
    this.drop(page)
  }

  /** One value of the page is not needed. */
  drop(page: InlinePage): void {
    page.live--
    if (page.live > 0 || page.bytes === undefined) return
    this.#sizeBytes -= page.bytes.length
    page.bytes = undefined
    this.#dead++
    if (this.#dead * 2 <= this.#pages.length + this.#spared.length + 64) return
    for (const pages of [this.#pages, this.#spared]) pages.retain(({ bytes }) => bytes !== undefined)
    this.#dead = 0
  }

  /** The newest page may be the only one that can go. */
  #evictOldest(): void {
    // By now a worker may have what was here alone.
    const spared = this.#spared.shift()
    if (spared !== undefined && !isAlone(spared)) return this.#evict(spared)
    if (spared !== undefined) this.#spared.push(spared)
    const page = present(this.#pages.shift(), 'a page that may go')
    if (isAlone(page)) this.#spared.push(page)
    else this.#evict(page)
  }

  #evict(page: InlinePage): void {
    if (page.bytes === undefined) {
      this.#dead--
      return
    }
    this.#sizeBytes -= page.bytes.length
    page.bytes = undefined
  }
}

function isAlone({ bytes, lone }: InlinePage): boolean {
  return bytes !== undefined && lone > 0
}
