/**
 * Spilled values, each in a file of its own in the worker's scratch folder, which goes when the worker ends. What is read
 * is checked against what was written. Few files are open at once: a disk serves long runs better than many at a time. One
 * thread writes and others read: tasks wait for what is read, and that must not wait for all that is being written.
 */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { present } from '../common/assert.js'
import { DiskThread } from './disk-thread.js'

interface SpilledFile {
  readonly sizeBytes: number
  readonly checksum: number
}

export class SpillFiles {
  readonly #folder: string
  readonly #files = new Map<number, SpilledFile>()
  readonly #writer = new DiskThread()
  readonly #readers = [new DiskThread(), new DiskThread()] as const

  constructor(scratch: string) {
    this.#folder = path.join(scratch, 'spilled')
  }

  /** @throws What the file system says: `ENOSPC` when the disk is full. Nothing is left of the file then. */
  async write(file: number, bytes: Uint8Array): Promise<void> {
    try {
      const checksum = await this.#writer.write(this.#pathOf(file), bytes)
      this.#files.set(file, { sizeBytes: bytes.length, checksum })
    } catch (error) {
      await this.discard(file)
      throw error
    }
  }

  /** What was written to it; 0 when it was discarded. */
  sizeOf(file: number): number {
    return this.#files.get(file)?.sizeBytes ?? 0
  }

  /**
   * The content of a file, in memory that threads share or in memory that the collector knows of.
   *
   * @throws When it cannot be read, or is not what was written.
   */
  async read(file: number, { isShared }: { readonly isShared: boolean }): Promise<Uint8Array> {
    const { sizeBytes, checksum } = present(this.#files.get(file), `spill file ${file}`)
    const read = await this.#idlestReader.read(this.#pathOf(file), sizeBytes, isShared)
    if (read.sizeBytes !== sizeBytes || read.checksum !== checksum) {
      throw new Error(`The spill file ${this.#pathOf(file)} is not what was written to it.`)
    }
    return read.bytes
  }

  /** Removes a file, if it is there. */
  async discard(file: number): Promise<void> {
    this.#files.delete(file)
    await rm(this.#pathOf(file), { force: true }).catch(() => undefined)
  }

  /** Has the threads give back what they saw of values that were let go. */
  collect(): void {
    this.#writer.collect()
    for (const reader of this.#readers) reader.collect()
  }

  /** Ends the threads. What they had not done is rejected. */
  async close(): Promise<void> {
    await Promise.all([this.#writer, ...this.#readers].map((thread) => thread.close()))
  }

  get #idlestReader(): DiskThread {
    const [first, second] = this.#readers
    return second.orderCount < first.orderCount ? second : first
  }

  #pathOf(file: number): string {
    return path.join(this.#folder, String(file))
  }
}
