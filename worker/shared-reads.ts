/**
 * Spilled values that are read for others. Who wants one that another is just getting shares its copy, and only so many
 * bytes are read at once: the others wait for their turn, the first to come first. A value that is larger comes alone.
 */
import type { Loan } from '../protocol/transport/value-server.js'

interface SharedRead {
  readonly file: number
  readonly sizeBytes: number
  readonly bytes: Promise<Uint8Array>
  readonly begin: () => void
  users: number
}

export interface SharedReadsOptions {
  readonly maxBytes: number
  readonly read: (file: number) => Promise<Uint8Array>
}

export class SharedReads {
  readonly #options: SharedReadsOptions
  readonly #reads = new Map<number, SharedRead>()
  readonly #waiting = new Set<SharedRead>()
  #lentBytes = 0

  constructor(options: SharedReadsOptions) {
    this.#options = options
  }

  /** Bytes of all copies that are out or being read. */
  get lentBytes(): number {
    return this.#lentBytes
  }

  /**
   * The content of a spill file, until `done` is called.
   *
   * @throws What `read` does.
   */
  async lend(file: number, sizeBytes: number): Promise<Loan> {
    const read = this.#reads.get(file) ?? this.#add(file, sizeBytes)
    read.users++
    this.#beginSome()
    try {
      const bytes = await read.bytes
      return { bytes, done: () => this.#leave(read) }
    } catch (error) {
      this.#leave(read)
      throw error
    }
  }

  #add(file: number, sizeBytes: number): SharedRead {
    let begin = (): void => {}
    const bytes = new Promise<void>((resolve) => (begin = resolve)).then(() => this.#options.read(file))
    const read: SharedRead = { file, sizeBytes, bytes, begin, users: 0 }
    this.#reads.set(file, read)
    this.#waiting.add(read)
    return read
  }

  #beginSome(): void {
    for (const read of this.#waiting) {
      if (this.#lentBytes > 0 && this.#lentBytes + read.sizeBytes > this.#options.maxBytes) return
      this.#waiting.delete(read)
      this.#lentBytes += read.sizeBytes
      read.begin()
    }
  }

  #leave(read: SharedRead): void {
    read.users--
    if (read.users > 0) return
    this.#reads.delete(read.file)
    this.#lentBytes -= read.sizeBytes
    this.#beginSome()
  }
}
