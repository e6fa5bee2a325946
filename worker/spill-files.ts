/**
 * Spilled values, each in a file of its own in the worker's scratch folder, which goes when the worker ends. What is read
 * is checked against what was written. Few files are open at once: a disk serves long runs better than many at a time.
 */
import { mkdir, open, rm } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import path from 'node:path'
import { present } from '../common/assert.js'

/** What goes to or comes from the disk at once. Its checksum keeps the event loop for a fifth of a millisecond. */
const SLICE_BYTES = 1024 * 1024
const MAX_OPEN_FILES = 2

interface SpilledFile {
  readonly sizeBytes: number
  readonly checksum: number
}

export class SpillFiles {
  readonly #folder: string
  readonly #files = new Map<number, SpilledFile>()
  readonly #waiting: (() => void)[] = []
  #open = 0

  constructor(scratch: string) {
    this.#folder = path.join(scratch, 'spilled')
  }

  /** @throws What the file system says: `ENOSPC` when the disk is full. Nothing is left of the file then. */
  async write(file: number, bytes: Uint8Array): Promise<void> {
    await this.#inTurn(async () => {
      // Each time: a folder that could not be made on a full disk can be made later.
      await mkdir(this.#folder, { recursive: true })
      try {
        const checksum = await writeSlices(this.#pathOf(file), bytes)
        this.#files.set(file, { sizeBytes: bytes.length, checksum })
      } catch (error) {
        await this.discard(file)
        throw error
      }
    })
  }

  /** What was written to it; 0 when it was discarded. */
  sizeOf(file: number): number {
    return this.#files.get(file)?.sizeBytes ?? 0
  }

  /**
   * The content of a file, in memory from `allocate`.
   *
   * @throws When it cannot be read, or is not what was written.
   */
  async read(file: number, allocate: (sizeBytes: number) => Uint8Array): Promise<Uint8Array> {
    return await this.#inTurn(async () => {
      const { sizeBytes, checksum } = present(this.#files.get(file), `spill file ${file}`)
      const bytes = allocate(sizeBytes)
      const read = await readSlices(this.#pathOf(file), bytes)
      if (read.sizeBytes !== sizeBytes || read.checksum !== checksum) {
        throw new Error(`The spill file ${this.#pathOf(file)} is not what was written to it.`)
      }
      return bytes
    })
  }

  /** Removes a file, if it is there. */
  async discard(file: number): Promise<void> {
    this.#files.delete(file)
    await rm(this.#pathOf(file), { force: true }).catch(() => undefined)
  }

  #pathOf(file: number): string {
    return path.join(this.#folder, String(file))
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#open >= MAX_OPEN_FILES) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#open++
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#open--
      else next()
    }
  }
}

/** Returns the checksum of all. */
async function writeSlices(file: string, bytes: Uint8Array): Promise<number> {
  const handle = await open(file, 'w')
  try {
    let checksum = 0
    for (let start = 0; start < bytes.length;) {
      const slice = bytes.subarray(start, start + SLICE_BYTES)
      const writing = handle.write(slice, 0, slice.length, start)
      // Of what is being written, which nobody changes: the disk and the checksum take the time of the slower one.
      const checksumAfter = crc32(slice, checksum)
      const { bytesWritten } = await writing
      checksum = bytesWritten === slice.length ? checksumAfter : crc32(slice.subarray(0, bytesWritten), checksum)
      start += bytesWritten
    }
    return checksum
  } finally {
    await handle.close()
  }
}

/** Returns what there was, which may be less than was wanted. */
async function readSlices(file: string, bytes: Uint8Array): Promise<SpilledFile> {
  const handle = await open(file)
  try {
    let checksum = 0
    let sizeBytes = 0
    while (sizeBytes < bytes.length) {
      const wanted = Math.min(SLICE_BYTES, bytes.length - sizeBytes)
      const { bytesRead } = await handle.read(bytes, sizeBytes, wanted, sizeBytes)
      if (bytesRead === 0) break
      checksum = crc32(bytes.subarray(sizeBytes, sizeBytes + bytesRead), checksum)
      sizeBytes += bytesRead
    }
    return { sizeBytes, checksum }
  } finally {
    await handle.close()
  }
}
