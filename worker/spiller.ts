/** Carries out what the core wants spilled and loaded: moves values between the store and their files. */
import type { Log } from '../common/node/log.js'
import type { TaskId } from '../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../protocol/limits.js'
import type { Loan } from '../protocol/transport/value-server.js'
import type { WorkerEvent } from './core/events.js'
import type { SpilledFile } from './core/instructions.js'
import { SharedReads } from './shared-reads.js'
import { SpillFiles } from './spill-files.js'
import type { ValueStore } from './value-store.js'

export interface SpillerOptions {
  /** Where files may be, for as long as the worker lives. */
  readonly scratch: string
  readonly store: ValueStore
  readonly log: Log
  readonly submit: (event: WorkerEvent) => void
  /** What may be in memory at once of spilled values that others get; and one value, whatever its size. */
  readonly maxLentBytes: number
}

export class Spiller {
  readonly #options: SpillerOptions
  readonly #files: SpillFiles
  readonly #reads: SharedReads
  /** Files that are being written, or whose values are in memory still, with the bytes that were written. */
  readonly #written = new Map<number, Uint8Array>()
  /** Values that are on disk only, by the number of their file. */
  readonly #away = new Map<TaskId, number>()
  /** Files whose writing goes on. */
  readonly #writing = new Map<number, Promise<void>>()

  constructor(options: SpillerOptions) {
    this.#options = options
    this.#files = new SpillFiles(options.scratch)
    this.#reads = new SharedReads({
      maxBytes: options.maxLentBytes,
      // Not shared with threads: then the collector knows what it takes, and hurries.
      read: (file) => this.#files.read(file, { isShared: false }),
    })
  }

  spill(task: TaskId, file: number): void {
    const { store, submit } = this.#options
    const bytes = store.get(task)
    if (bytes === undefined) {
      submit({ type: 'spill-failed', nowMs: performance.now(), task, file, reason: 'the value is not in memory' })
      return
    }
    this.#written.set(file, bytes)
    const writing = this.#files.write(file, bytes).then(
      () => submit({ type: 'value-spilled', nowMs: performance.now(), task, file }),
      (error: unknown) => {
        this.#written.delete(file)
        submit({ type: 'spill-failed', nowMs: performance.now(), task, file, reason: (error as Error).message })
      },
    )
    this.#writing.set(file, writing)
    void writing.then(() => this.#writing.delete(file))
  }

  /** A copy that came since the file was written is news that the core is yet to hear: it stays. */
  evict(task: TaskId, file: number): void {
    const { store } = this.#options
    if (store.get(task) === this.#written.get(file)) {
      store.drop(task)
      this.#away.set(task, file)
    }
    this.#written.delete(file)
  }

  load(task: TaskId, file: number): void {
    const { store, log, submit } = this.#options
    // Meanwhile the value may be let go, or made again, so that nobody needs what is read.
    const isNeeded = (): boolean => this.#away.get(task) === file
    this.#files.read(file, { isShared: true }).then(
      (bytes) => {
        if (!isNeeded()) return submit({ type: 'value-unreadable', nowMs: performance.now(), task, file })
        store.put(task, bytes)
        this.#away.delete(task)
        submit({ type: 'value-loaded', nowMs: performance.now(), task, file, sizeBytes: bytes.length })
      },
      (error: unknown) => {
        if (isNeeded())
          log.error({ err: error, task }, 'a spilled value cannot be read back; it is made again if it is needed')
        submit({ type: 'value-unreadable', nowMs: performance.now(), task, file })
      },
    )
  }

  discard(files: readonly SpilledFile[]): void {
    for (const { task, file } of files) {
      this.#written.delete(file)
      if (this.#away.get(task) === file) this.#away.delete(task)
      void (this.#writing.get(file) ?? Promise.resolve()).then(() => this.#files.discard(file))
    }
  }

  /** The store is to hold these no more. */
  forget(tasks: readonly TaskId[]): void {
    if (this.#away.size > 0) for (const task of tasks) this.#away.delete(task)
  }

  /** Has the threads that move values collect their garbage. */
  collect(): void {
    this.#files.collect()
  }

  /** Ends what is being spilled and loaded. That is no news any more. */
  async close(): Promise<void> {
    this.#away.clear()
    await this.#files.close()
  }

  tellFullDisk(reason: string): void {
    this.#options.log.error(
      {},
      `values cannot be spilled to disk: ${reason}; the worker does one task at a time while its memory is full, ` +
        'and goes on when there is room. Give it more with --disk-limit, --data-dir or --memory-limit.',
    )
  }

  /** A value of the store, or one that was spilled: that is lent. */
  lookup(task: TaskId): Uint8Array | Promise<Loan | undefined> | undefined {
    const { store, submit } = this.#options
    const bytes = store.get(task)
    if (bytes !== undefined) {
      if (bytes.length > MAX_INLINE_RESULT_BYTES) submit({ type: 'value-served', nowMs: performance.now(), task })
      return bytes
    }
    const file = this.#away.get(task)
    if (file === undefined) return undefined
    return this.#reads.lend(file, this.#files.sizeOf(file)).catch(() => {
      // It may have been loaded or let go while we waited for our turn; else its file is broken.
      if (this.#away.get(task) === file) submit({ type: 'value-unreadable', nowMs: performance.now(), task, file })
      const bytes = store.get(task)
      return bytes && { bytes, done: () => undefined }
    })
  }
}
