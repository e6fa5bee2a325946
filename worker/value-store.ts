/**
 * The values that a worker holds, encoded, by task. Tiny ones share pages, so that a million of them don't cost a million
 * buffers; large ones are in shared memory, where threads read them in place; those between have a buffer of their own,
 * which Node's collector counts, as it does not count shared memory.
 *
 * A value never changes, and no part of a page is written twice: views that were given out stay good after the value was
 * dropped. A full page of which less than half is still held is given up, and what is left in it moves to the page that
 * fills: so pages take little more than twice what they hold.
 */
import type { Packed } from '../common/packed.js'
import type { TaskId } from '../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../protocol/limits.js'
import { onSharedMemory } from './thread/shared-memory.js'

/** Below this many bytes a plain loop copies faster than making a view for `set`. */
const LOOP_COPY_BYTES = 24
const PAGE_BYTES = 64 * 1024
/** Larger values get a buffer of their own. */
const MAX_PAGED_BYTES = PAGE_BYTES / 8
/** Bounds the bookkeeping of a page of the tiniest values. */
const MAX_PAGE_ENTRIES = 4096

interface Page {
  readonly bytes: Uint8Array
  filledBytes: number
  heldBytes: number
  /** All that were ever put here, and not moved. What was dropped since has no page any more. */
  readonly entries: PagedEntry[]
  heldCount: number
}

interface PagedEntry {
  page: Page | undefined
  start: number
  readonly sizeBytes: number
}

type Entry = PagedEntry | Uint8Array

export class ValueStore {
  readonly #entries = new Map<TaskId, Entry>()
  /** The page that fills. */
  #openPage = newPage()
  #sizeBytes = 0
  #reservedBytes = PAGE_BYTES

  /** How many values are held. */
  get count(): number {
    return this.#entries.size
  }

  /** Encoded bytes of all values. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Bytes of memory that hold them, with what is wasted in pages. */
  get reservedBytes(): number {
    return this.#reservedBytes
  }

  /** The encoded value, as a view that must not be written to. */
  get(task: TaskId): Uint8Array | undefined {
    const entry = this.#entries.get(task)
    if (entry === undefined || entry instanceof Uint8Array) return entry
    return entry.page?.bytes.subarray(entry.start, entry.start + entry.sizeBytes)
  }

  /** Holds a copy of `bytes`; of large ones that are in shared memory, the bytes themselves. */
  put(task: TaskId, bytes: Uint8Array): void {
    this.drop(task)
    if (bytes.length <= MAX_PAGED_BYTES) {
      this.#putPaged(task, bytes, 0, bytes.length)
      return
    }
    this.#sizeBytes += bytes.length
    this.#reservedBytes += bytes.length
    this.#entries.set(task, bytes.length > MAX_INLINE_RESULT_BYTES ? onSharedMemory(bytes) : new Uint8Array(bytes))
  }

  /** Holds copies of many values: entry `i` is that of `tasks[i]`. */
  putMany(tasks: readonly TaskId[], values: Packed): void {
    let start = 0
    for (let i = 0; i < tasks.length; i++) {
      const end = values.ends[i]!
      if (end - start <= MAX_PAGED_BYTES) {
        this.drop(tasks[i]!)
        this.#putPaged(tasks[i]!, values.bytes, start, end)
      } else {
        this.put(tasks[i]!, values.bytes.subarray(start, end))
      }
      start = end
    }
  }

  /** Forgets a value, if it is held. */
  drop(task: TaskId): void {
    const entry = this.#entries.get(task)
    if (entry === undefined) return
    this.#entries.delete(task)
    if (entry instanceof Uint8Array) {
      this.#sizeBytes -= entry.length
      this.#reservedBytes -= entry.length
      return
    }
    this.#sizeBytes -= entry.sizeBytes
    const page = entry.page!
    entry.page = undefined
    page.heldBytes -= entry.sizeBytes
    page.heldCount -= 1
    if (page !== this.#openPage) this.#giveUpIfSparse(page)
  }

  #putPaged(task: TaskId, source: Uint8Array, start: number, end: number): void {
    const entry: PagedEntry = { page: undefined, start: 0, sizeBytes: end - start }
    this.#sizeBytes += entry.sizeBytes
    this.#write(entry, source, start)
    this.#entries.set(task, entry)
  }

  /** Copies an entry's bytes into the open page, and opens another where it has no room. */
  #write(entry: PagedEntry, source: Uint8Array, start: number): void {
    if (!hasRoom(this.#openPage, entry.sizeBytes)) {
      const full = this.#openPage
      this.#openPage = newPage()
      this.#reservedBytes += PAGE_BYTES
      this.#giveUpIfSparse(full)
    }
    const page = this.#openPage
    copyBytes(source, start, start + entry.sizeBytes, page.bytes, page.filledBytes)
    entry.page = page
    entry.start = page.filledBytes
    page.filledBytes += entry.sizeBytes
    page.heldBytes += entry.sizeBytes
    page.entries.push(entry)
    page.heldCount += 1
  }

  #giveUpIfSparse(page: Page): void {
    if (page.heldBytes * 2 >= page.filledBytes && page.heldCount * 2 >= page.entries.length) return
    this.#reservedBytes -= PAGE_BYTES
    for (const entry of page.entries) {
      if (entry.page === page) this.#write(entry, page.bytes, entry.start)
    }
  }
}

function newPage(): Page {
  return { bytes: new Uint8Array(PAGE_BYTES), filledBytes: 0, heldBytes: 0, entries: [], heldCount: 0 }
}

function hasRoom(page: Page, sizeBytes: number): boolean {
  return page.filledBytes + sizeBytes <= PAGE_BYTES && page.entries.length < MAX_PAGE_ENTRIES
}

function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  if (end - start >= LOOP_COPY_BYTES) target.set(source.subarray(start, end), at)
  else for (let i = start; i < end; i++) target[at++] = source[i]!
}
