/** The journal of a simulated scheduler: what is in it outlives the scheduler, and is in memory all the same. */
import { JOURNAL_GROWTH } from '../protocol/limits.js'
import type { StateJournal } from '../scheduler/journal/kept-state.js'

/** Small, so that the journal of a short program is replaced too. */
const MIN_BYTES = 16_384

/** What a journal has, from one scheduler to the next. */
export interface Kept {
  payloads: readonly Uint8Array[]
}

export class MemoryJournal implements StateJournal {
  readonly directory = 'memory'
  readonly #kept: Kept
  #payloads: Uint8Array[]
  #sizeBytes: number
  #replaceAtBytes = MIN_BYTES
  #isClosed = false

  constructor(kept: Kept) {
    this.#kept = kept
    this.#payloads = [...kept.payloads]
    this.#sizeBytes = sizeOf(this.#payloads)
  }

  get view(): StateJournal['view'] {
    return { sizeBytes: this.#sizeBytes, unwrittenBytes: 0, syncMs: 0 }
  }

  get isOvergrown(): boolean {
    return this.#sizeBytes >= this.#replaceAtBytes
  }

  replay(onPayload: (payload: Uint8Array) => void): void {
    for (const payload of this.#payloads) onPayload(payload)
  }

  replaceBy(snapshot: Iterable<Uint8Array>): boolean {
    this.#payloads = [...snapshot]
    this.#sizeBytes = sizeOf(this.#payloads)
    this.#replaceAtBytes = Math.max(MIN_BYTES, this.#sizeBytes * JOURNAL_GROWTH)
    this.#kept.payloads = this.#payloads
    return true
  }

  /** There always is room for another. */
  goOn(): boolean {
    return true
  }

  append(payload: Uint8Array, onKept: () => void): void {
    if (this.#isClosed) return
    this.#payloads.push(payload)
    this.#sizeBytes += payload.length
    onKept()
  }

  close(): void {
    this.#isClosed = true
  }
}

function sizeOf(payloads: readonly Uint8Array[]): number {
  return payloads.reduce((sum, { length }) => sum + length, 0)
}
