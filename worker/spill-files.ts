/**
 * Spilled values, each in a file of its own in the worker's scratch folder, which goes when the worker ends. What is read
 * is checked against what was written. Few files are open at once: a disk serves long runs better than many at a time.
 */
import { mkdir, open, rm, writeFile } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import path from 'node:path'
import { present } from '../common/assert.js'
import { allocateShared } from './thread/shared-memory.js'

/** Bytes that are checked: the length of all, and a checksum of so many at either end. */
const CHECKED_BYTES = 64 * 1024
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
        await writeFile(this.#pathOf(file), bytes)
      } catch (error) {
        await this.discard(file)
        throw error
      }
      this.#files.set(file, { sizeBytes: bytes.length, checksum: checksumOf(bytes) })
    })
  }

  /** @throws When it cannot be read, or is not what was written. */
  async read(file: number): Promise<Uint8Array> {
    return await this.#inTurn(async () => {
      const { sizeBytes, checksum } = present(this.#files.get(file), `spill file ${file}`)
      const bytes = allocateShared(sizeBytes)
      const readBytes = await readInto(this.#pathOf(file), bytes)
      if (readBytes !== sizeBytes || checksumOf(bytes) !== checksum) {
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

/** Straight into memory that threads see. Returns how many bytes there were. */
async function readInto(file: string, bytes: Uint8Array): Promise<number> {
  const handle = await open(file)
  try {
    let count = 0
    while (count < bytes.length) {
      const { bytesRead } = await handle.read(bytes, count, bytes.length - count, count)
      if (bytesRead === 0) break
      count += bytesRead
    }
    return count
  } finally {
    await handle.close()
  }
}

/** Of both ends: what a crash or a full disk cuts off shows there, and the loop is not kept by the rest. */
function checksumOf(bytes: Uint8Array): number {
  return crc32(bytes.subarray(-CHECKED_BYTES), crc32(bytes.subarray(0, CHECKED_BYTES)))
}
