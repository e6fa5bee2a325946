/**
 * The scheduler's journal on a disk in memory, in the form it has on a real one. A scheduler that dies leaves the frame that
 * it was writing torn at any byte; where the power fails, any end of what the disk was not told to keep is gone.
 */
import assert from 'node:assert/strict'
import type { Rng } from '../../common/rng.js'
import { JOURNAL_SYNC_MS } from '../../protocol/limits.js'
import { FILE_HEADER, frameHeader } from '../../scheduler/journal/frame.js'
import { readFrames } from '../../scheduler/journal/read-journal.js'
import type { Agenda } from '../../testing/agenda.js'

/** When what was written counts as kept: see scheduler/journal/journal.ts. */
export type KeptBy = 'system' | 'disk'

interface File {
  bytes: Buffer
  sizeBytes: number
  syncedBytes: number
}

const NOTHING = new Uint8Array(0)

export interface SimulatedJournalOptions {
  readonly agenda: Agenda
  readonly rng: Rng
  readonly keptBy: KeptBy
}

export class SimulatedJournal {
  readonly #options: SimulatedJournalOptions
  /** The oldest first. All but the last go when that is on the disk. */
  #files: File[] = []
  /** What is to be said once the disk has it, by where it ends in the last file. */
  #unsynced: { readonly endBytes: number; readonly onKept: () => void }[] = []
  #isSyncDue = false
  /** Numbers the processes that write it. */
  #writer = 0

  constructor(options: SimulatedJournalOptions) {
    this.#options = options
  }

  get sizeBytes(): number {
    return this.#files.at(-1)?.sizeBytes ?? 0
  }

  append(payload: Uint8Array, onKept: () => void): void {
    this.#write(frameOf(payload))
    if (this.#options.keptBy === 'system') onKept()
    else {
      this.#unsynced.push({ endBytes: this.sizeBytes, onKept })
      this.#syncSoon()
    }
  }

  /** The process dies while it writes this. */
  tear(payload: Uint8Array): void {
    const frame = frameOf(payload)
    this.#write(frame.subarray(0, this.#options.rng.integer(0, frame.length - 1)))
  }

  /** A new file takes the place of all before. */
  replaceBy(snapshot: Iterable<Uint8Array>): void {
    this.#files.push({ bytes: Buffer.alloc(1024), sizeBytes: 0, syncedBytes: 0 })
    this.#write(FILE_HEADER)
    for (const payload of snapshot) this.#write(frameOf(payload))
    this.#write(frameOf(NOTHING))
    if (this.#options.keptBy === 'system') {
      this.#files.splice(0, this.#files.length - 1)
      return
    }
    // What waited for the disk is part of the snapshot.
    const endBytes = this.sizeBytes
    this.#unsynced = this.#unsynced.map(({ onKept }) => ({ endBytes, onKept }))
    this.#syncSoon()
  }

  /** Whoever wrote it is dead, and nobody is told anything any more. */
  endWriter({ isPowerCut }: { readonly isPowerCut: boolean }): void {
    this.#writer++
    this.#unsynced = []
    this.#isSyncDue = false
    if (!isPowerCut) return
    assert(this.#options.keptBy === 'disk', 'what counts as kept may be lost')
    for (const file of this.#files) file.sizeBytes = this.#options.rng.integer(file.syncedBytes, file.sizeBytes)
  }

  /** Every payload that is left, in order; the torn end is cut off. */
  read(): Uint8Array[] {
    const newestFirst = [...this.#files].reverse()
    const file = newestFirst.find((each, place) => place === newestFirst.length - 1 || read(each).isComplete)
    if (file === undefined) return []
    // The disk may not have it, though it is whole: so those before it stay until another is on the disk.
    return read(file).payloads
  }

  #write(bytes: Uint8Array): void {
    const file = this.#files.at(-1)!
    const endBytes = file.sizeBytes + bytes.length
    if (endBytes > file.bytes.length) {
      const larger = Buffer.alloc(2 * endBytes)
      file.bytes.copy(larger, 0, 0, file.sizeBytes)
      file.bytes = larger
    }
    file.bytes.set(bytes, file.sizeBytes)
    file.sizeBytes = endBytes
  }

  #syncSoon(): void {
    if (this.#isSyncDue) return
    this.#isSyncDue = true
    const { agenda, rng } = this.#options
    const writer = this.#writer
    agenda.in(rng.between(0, JOURNAL_SYNC_MS), () => {
      if (this.#writer !== writer) return
      const file = this.#files.at(-1)!
      const { sizeBytes } = file
      agenda.in(rng.between(0, 5), () => {
        if (this.#writer === writer) this.#onSynced(file, sizeBytes)
      })
    })
  }

  #onSynced(file: File, sizeBytes: number): void {
    this.#isSyncDue = false
    file.syncedBytes = Math.max(file.syncedBytes, sizeBytes)
    // Another file may have taken its place meanwhile: then that is to be on the disk.
    if (file === this.#files.at(-1)) {
      this.#files = [file]
      const kept = this.#unsynced.filter(({ endBytes }) => endBytes <= sizeBytes)
      this.#unsynced = this.#unsynced.filter(({ endBytes }) => endBytes > sizeBytes)
      for (const { onKept } of kept) onKept()
    }
    if (this.#unsynced.length > 0 || this.#files.length > 1) this.#syncSoon()
  }
}

function frameOf(payload: Uint8Array): Buffer {
  return Buffer.concat([frameHeader(payload), payload])
}

function read({ bytes, sizeBytes }: File): { payloads: Uint8Array[]; isComplete: boolean } {
  const payloads: Uint8Array[] = []
  const source = {
    path: 'the simulated journal',
    sizeBytes,
    read: (at: number, count: number) => bytes.subarray(Math.min(at, sizeBytes), Math.min(at + count, sizeBytes)),
  }
  const { isComplete } = readFrames(source, (payload) => payloads.push(payload))
  return { payloads, isComplete }
}
