/**
 * The scheduler's journal: what must outlive its process, in the order it happened. A turn of the event loop appends one
 * frame, in one write: with that the operating system has it, and no death of this process loses it. For the sake of power
 * cuts the disk is told soon afterwards, in the background, for all that was written meanwhile.
 *
 * The journal is one file, which begins with a snapshot of the state at that time. When the file has grown to several times
 * that, another one takes its place: so it is bounded by what there is to remember, and not by what ever happened.
 *
 * A full disk loses nothing: what can't be written waits here and is tried again, and nobody hears that it is kept until
 * it is.
 */
import { closeSync, fdatasync, fdatasyncSync, ftruncateSync, openSync, writeSync, writevSync } from 'node:fs'
import { present } from '../../common/assert.js'
import type { Log } from '../../common/node/log.js'
import { JOURNAL_GROWTH, JOURNAL_RETRY_MS, JOURNAL_SYNC_MS, MIN_JOURNAL_BYTES } from '../../protocol/limits.js'
import type { JournalView } from '../../protocol/messages/watch.js'
import { FILE_HEADER, frameHeader } from './frame.js'
import { readJournal } from './read-journal.js'
import { StateDirectory } from './state-directory.js'

/** The end of what a file begins with. */
const NOTHING = new Uint8Array(0)
/** The disk has no room, or this user may not have more of it. That may change, and other errors don't. */
const FULL_CODES: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT'])

export interface JournalOptions {
  readonly directory: string
  /** When what was appended counts as kept: once the operating system has it, or once the disk has. */
  readonly keptBy?: 'system' | 'disk'
  readonly log: Log
  /** The disk is full (an error for people), or has room again. */
  readonly onFull: (isFull: boolean) => void
  /** The journal can't be written any more, and never will be: whoever relies on it must end. */
  readonly onFailed: (error: Error) => void
  /** A file smaller than this is never replaced. Tests make it small. */
  readonly minBytes?: number
}

interface Entry {
  readonly payload: Uint8Array
  readonly onKept: () => void
}

export class Journal {
  readonly #options: JournalOptions
  readonly #directory: StateDirectory
  readonly #minBytes: number
  #file = 0
  /** What was read, if there was anything. */
  #read: { readonly file: number; readonly endBytes: number } | undefined
  #fd: number | undefined
  /** Of whole frames. */
  #sizeBytes = 0
  /** From this size on another file should take its place. */
  #replaceAtBytes = 0
  /** Not written for want of room, the oldest first. */
  #unwritten: Entry[] = []
  #unwrittenBytes = 0
  /** Written, and not known to be on the disk. */
  #unsynced: (() => void)[] = []
  /** What the disk is being told about; a file that was replaced meanwhile is closed afterwards. */
  #syncingFd: number | undefined
  #isDirty = false
  /** How long the last time took. */
  #syncMs = 0
  #syncTimer: NodeJS.Timeout | undefined
  #retryTimer: NodeJS.Timeout | undefined
  /** Files that another one has replaced, which go when that one is on the disk. */
  #replaced: number[] = []
  #isClosed = false

  /**
   * Takes the directory.
   *
   * @throws {HeddleError} as {@link StateDirectory} does.
   */
  constructor(options: JournalOptions) {
    this.#options = options
    this.#minBytes = options.minBytes ?? MIN_JOURNAL_BYTES
    this.#directory = new StateDirectory(options.directory)
  }

  /** Where it is. */
  get directory(): string {
    return this.#directory.path
  }

  /** What waits for room on the disk. */
  get unwrittenBytes(): number {
    return this.#unwrittenBytes
  }

  /** For people who look. */
  get view(): JournalView {
    return { sizeBytes: this.#sizeBytes, unwrittenBytes: this.#unwrittenBytes, syncMs: this.#syncMs }
  }

  /** Has the file grown so much that a snapshot should take its place? */
  get isOvergrown(): boolean {
    return this.#sizeBytes >= this.#replaceAtBytes && this.#replaced.length === 0
  }

  /**
   * Calls back with every payload that was appended before, in order. To be called first, and once.
   *
   * @throws {HeddleError} `ERR_HEDDLE_STATE_DAMAGED`
   */
  replay(onPayload: (payload: Uint8Array) => void): void {
    const { files } = this.#directory
    this.#file = files[0] ?? 0
    // The writer of the newest may have died before it was complete; then the one before it is still there, and holds all.
    const file = files.find((each, place) => place === files.length - 1 || this.#isComplete(each))
    if (file === undefined) return
    const path = this.#directory.pathOf(file)
    const { endBytes, tornBytes } = readJournal(path, onPayload)
    if (endBytes > 0) this.#read = { file, endBytes }
    if (tornBytes === 0) return
    const { log } = this.#options
    log.warn(
      { path, tornBytes },
      `the journal ends at byte ${endBytes}, in the middle of a record that nobody counts on`,
    )
  }

  /**
   * Begins a new file with these payloads, which stand for all that was appended so far, and goes on in it. Returns false
   * when there is no room: then all is as before.
   */
  replaceBy(snapshot: Iterable<Uint8Array>): boolean {
    const file = this.#file + 1
    let fd: number | undefined
    let sizeBytes = FILE_HEADER.length
    try {
      fd = openSync(this.#directory.pathOf(file), 'w', 0o600)
      writeAll(fd, [FILE_HEADER], 0)
      for (const payload of snapshot) sizeBytes += writeAll(fd, framesOf([payload]), sizeBytes)
      sizeBytes += writeAll(fd, framesOf([NOTHING]), sizeBytes)
    } catch (error) {
      if (fd !== undefined) closeSync(fd)
      if (!isFull(error)) throw error
      this.#directory.remove(file)
      this.#options.log.warn({ err: error }, 'there is no room to make the journal smaller; it grows on')
      this.#replaceAtBytes = this.#sizeBytes + this.#minBytes
      return false
    }
    this.#replaced = this.#directory.files.filter((each) => each < file)
    if (this.#fd !== undefined && this.#fd !== this.#syncingFd) closeSync(this.#fd)
    this.#file = file
    this.#fd = fd
    this.#sizeBytes = sizeBytes
    this.#replaceAtBytes = Math.max(this.#minBytes, sizeBytes * JOURNAL_GROWTH)
    // What waited for room is part of the snapshot.
    const unwritten = this.#unwritten
    if (unwritten.length > 0) this.#endFull()
    this.#onWritten(unwritten)
    this.#syncSoon(true)
    return true
  }

  /** Goes on in the file that was read, where there is no room for another. Returns false when none was read. */
  goOn(): boolean {
    if (this.#read === undefined) return false
    const { file, endBytes } = this.#read
    this.#file = file
    this.#fd = openSync(this.#directory.pathOf(file), 'r+')
    this.#sizeBytes = endBytes
    ftruncateSync(this.#fd, endBytes)
    return true
  }

  /** Appends one payload, behind all that was appended before. Calls back when it is kept: at once, if it may. */
  append(payload: Uint8Array, onKept: () => void): void {
    if (this.#isClosed) return
    const entry = { payload, onKept }
    if (this.#unwritten.length > 0) {
      this.#unwritten.push(entry)
      this.#unwrittenBytes += payload.length
      return
    }
    this.#write([entry])
  }

  /** Writes what there is room for, and lets the directory go. What is not written then was never said to be kept. */
  close(): void {
    if (this.#isClosed) return
    if (this.#unwritten.length > 0) this.#retry()
    this.#isClosed = true
    clearTimeout(this.#syncTimer)
    clearTimeout(this.#retryTimer)
    if (this.#fd !== undefined) {
      if (this.#isDirty || this.#replaced.length > 0) fdatasyncSync(this.#fd)
      this.#removeReplaced()
      if (this.#fd !== this.#syncingFd) closeSync(this.#fd)
    }
    this.#directory.release()
  }

  #isComplete(file: number): boolean {
    return readJournal(this.#directory.pathOf(file), () => undefined).isComplete
  }

  #write(entries: readonly Entry[]): void {
    const frames = framesOf(entries.map(({ payload }) => payload))
    try {
      this.#sizeBytes += writeAll(present(this.#fd, 'a file to append to'), frames, this.#sizeBytes)
    } catch (error) {
      // Of what was written in part nothing stays: the next frame begins where this one did.
      if (isFull(error) && this.#isCut()) this.#waitForRoom(entries, error)
      else this.#fail(error)
      return
    }
    this.#onWritten(entries)
  }

  #isCut(): boolean {
    try {
      ftruncateSync(present(this.#fd, 'a file to cut'), this.#sizeBytes)
      return true
    } catch {
      return false
    }
  }

  #onWritten(entries: readonly Entry[]): void {
    this.#isDirty = true
    if (this.#options.keptBy === 'disk') {
      for (const { onKept } of entries) this.#unsynced.push(onKept)
      this.#syncSoon(true)
      return
    }
    this.#syncSoon(false)
    for (const { onKept } of entries) onKept()
  }

  #waitForRoom(entries: readonly Entry[], error: unknown): void {
    const isNew = this.#unwritten.length === 0
    this.#unwritten = [...entries]
    this.#unwrittenBytes = entries.reduce((sum, { payload }) => sum + payload.length, 0)
    // A full disk tells nobody when it has room again.
    this.#retryTimer = setTimeout(() => this.#retry(), JOURNAL_RETRY_MS)
    if (!isNew) return
    const message = `the state directory ${this.directory} is full: new work waits until there is room in it`
    this.#options.log.error({ err: error }, message)
    this.#options.onFull(true)
  }

  #retry(): void {
    clearTimeout(this.#retryTimer)
    const entries = this.#unwritten
    this.#write(entries)
    if (this.#isClosed || this.#unwritten !== entries) return // It failed again.
    this.#endFull()
  }

  #endFull(): void {
    clearTimeout(this.#retryTimer)
    this.#unwritten = []
    this.#unwrittenBytes = 0
    this.#options.log.info({}, `the state directory ${this.directory} has room again`)
    this.#options.onFull(false)
  }

  /** What is written now is on the disk soon, together with what is written until then; or, if need be, at once. */
  #syncSoon(atOnce: boolean): void {
    if (this.#syncingFd !== undefined) return // It begins anew when it is done.
    if (atOnce) this.#sync()
    else this.#syncTimer ??= setTimeout(() => this.#sync(), JOURNAL_SYNC_MS)
  }

  #sync(): void {
    clearTimeout(this.#syncTimer)
    this.#syncTimer = undefined
    this.#isDirty = false
    const fd = present(this.#fd, 'a file to keep')
    const kept = this.#unsynced
    this.#syncingFd = fd
    this.#unsynced = []
    const startedAtMs = performance.now()
    fdatasync(fd, (error) => {
      this.#syncMs = Math.round((performance.now() - startedAtMs) * 10) / 10
      this.#syncingFd = undefined
      const wasReplaced = fd !== this.#fd
      if (wasReplaced || this.#isClosed) closeSync(fd)
      if (this.#isClosed) return
      if (wasReplaced) {
        // What was in it is in the other file too.
        this.#unsynced.unshift(...kept)
        this.#sync()
        return
      }
      if (error !== null) return this.#fail(error)
      this.#removeReplaced()
      for (const onKept of kept) onKept()
      if (this.#isDirty) this.#syncSoon(this.#unsynced.length > 0)
    })
  }

  #removeReplaced(): void {
    if (this.#replaced.length === 0) return
    const replaced = this.#replaced
    this.#replaced = []
    try {
      this.#directory.sync()
      for (const file of replaced) this.#directory.remove(file)
    } catch (error) {
      this.#options.log.warn({ err: error }, 'a journal that was replaced could not be removed')
    }
  }

  #fail(error: unknown): void {
    this.#isClosed = true
    clearTimeout(this.#syncTimer)
    clearTimeout(this.#retryTimer)
    const cause = error instanceof Error ? error : new Error(String(error))
    this.#options.onFailed(cause)
  }
}

function framesOf(payloads: readonly Uint8Array[]): Uint8Array[] {
  return payloads.flatMap((payload) => [frameHeader(payload), payload])
}

/** Returns how much it was. @throws What the file system says; then any part of it may have been written. */
function writeAll(fd: number, parts: readonly Uint8Array[], at: number): number {
  const sizeBytes = parts.reduce((sum, { length }) => sum + length, 0)
  const written = parts.length === 1 ? writeSync(fd, parts[0]!, 0, sizeBytes, at) : writevSync(fd, parts, at)
  for (let rest = written; rest < sizeBytes;) {
    // The system took less than all. What is left is copied, for it is rare.
    const left = Buffer.concat(parts).subarray(rest)
    rest += writeSync(fd, left, 0, left.length, at + rest)
  }
  return sizeBytes
}

function isFull(error: unknown): boolean {
  return FULL_CODES.has((error as NodeJS.ErrnoException).code)
}
