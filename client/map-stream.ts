/** The futures of a `map` over an asynchronous source, in its order. The source is read no faster than results leave. */
import { Fifo } from '../common/fifo.js'
import type { Future } from './future.js'
import type { FutureStream } from './as-completed.js'
import type { TaskParent } from './parent.js'
import { describe, invalidOption } from './options.js'
import type { TaskFuture } from './task-future.js'
import { Watch } from './watch.js'

/** How many tasks of one stream are under way at once, unless it is told otherwise. */
const DEFAULT_IN_FLIGHT = 64
const MAX_IN_FLIGHT = 1_000_000
/** What went wrong once nobody cared any more, on the way to the source's end. */
const ignore = (): void => undefined

export interface MapStreamOptions {
  /** Makes the task of the next item. */
  readonly submit: (item: unknown) => TaskFuture<unknown>
  /** No more items come. */
  readonly close: () => void
  readonly inFlight: number
  /** Ends the stream with its reason; the tasks are cancelled by whoever submits them. */
  readonly signal: AbortSignal | undefined
  /** After so many the rest is cancelled, by the scheduler, and no item is read any more; 0 for never. */
  readonly maxFailures: number
  /** The task in whose code this is, if it is one's: its thread may run others while it waits. */
  readonly parent: TaskParent | undefined
}

interface Asker {
  readonly resolve: (result: IteratorResult<Future<unknown>, undefined>) => void
  readonly reject: (error: unknown) => void
}

/** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` */
export function resolveInFlight(given: unknown = DEFAULT_IN_FLIGHT): number {
  if (Number.isInteger(given) && (given as number) >= 1 && (given as number) <= MAX_IN_FLIGHT) return given as number
  throw invalidOption(`inFlight is ${describe(given)}; give a whole number from 1 up.`)
}

export function isAsyncIterable(items: unknown): items is AsyncIterable<unknown> {
  return typeof items === 'object' && items !== null && Symbol.asyncIterator in items
}

/** A task is in flight from when its item was read until it is over and its future was taken. */
export class MapStream {
  readonly #source: AsyncIterator<unknown>
  readonly #options: MapStreamOptions
  /** Futures that nobody has taken, in order. */
  readonly #made = new Fifo<TaskFuture<unknown>>()
  readonly #askers = new Fifo<Asker>()
  /** Those in flight: nothing was heard of it yet, it was taken, or it is over. With both it is in flight no more. */
  readonly #inFlight = new Map<TaskFuture<unknown>, 'made' | 'taken' | 'over'>()
  readonly #watch = new Watch((future) => this.#onOver(future))
  readonly #onAbort = (): void => this.#fail(this.#options.signal?.reason)
  #failures = 0
  #isReading = false
  #isAwaited = false
  /** The source has no more, or what went wrong with it. */
  #end: { readonly error: unknown; readonly hasFailed: boolean } | undefined

  constructor(source: AsyncIterable<unknown>, options: MapStreamOptions) {
    this.#source = source[Symbol.asyncIterator]()
    this.#options = options
    options.signal?.addEventListener('abort', this.#onAbort)
    if (options.signal?.aborted === true) this.#onAbort()
  }

  next(): Promise<IteratorResult<Future<unknown>, undefined>> {
    const given = new Promise<IteratorResult<Future<unknown>, undefined>>((resolve, reject) => {
      this.#askers.push({ resolve, reject })
    })
    this.#give()
    this.#read()
    return given
  }

  /** The source is closed, and what nobody took is let go of. */
  async return(): Promise<IteratorResult<Future<unknown>, undefined>> {
    const isFirst = this.#end === undefined
    this.#finish({ error: undefined, hasFailed: false })
    for (let future = this.#made.shift(); future !== undefined; future = this.#made.shift()) future.release()
    this.#watch.end()
    this.#inFlight.clear()
    this.#give()
    // A source that was asked for its next item may take as long as it likes for that.
    if (isFirst && this.#isReading) this.#closeSource()
    else if (isFirst) await this.#source.return?.()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): FutureStream<never> {
    return this as unknown as FutureStream<never> // The signature of `map` says what it is of.
  }

  /** Reads the next item while fewer are in flight than may be. One at a time: a source is asked in turn. */
  #read(): void {
    if (this.#isReading || this.#end !== undefined || this.#inFlight.size >= this.#options.inFlight) return
    this.#isReading = true
    new Promise<IteratorResult<unknown>>((resolve) => resolve(this.#source.next())).then(
      (read) => this.#onRead(read),
      (error: unknown) => this.#onRead({ error }),
    )
  }

  #onRead(read: IteratorResult<unknown> | { readonly error: unknown }): void {
    this.#isReading = false
    if (this.#end !== undefined) return // It was left meanwhile.
    if ('error' in read) this.#finish({ error: read.error, hasFailed: true })
    else if (read.done === true) this.#finish({ error: undefined, hasFailed: false })
    else this.#submit(read.value)
    this.#give()
    this.#read()
  }

  #submit(item: unknown): void {
    let future: TaskFuture<unknown>
    try {
      future = this.#options.submit(item)
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#made.push(future)
    this.#inFlight.set(future, 'made')
    this.#watch.add([future])
  }

  #onOver(future: TaskFuture<unknown>): void {
    const { maxFailures } = this.#options
    this.#leave(future, 'over')
    if (future.status === 'error') this.#failures += 1
    if (maxFailures > 0 && this.#failures >= maxFailures && this.#end === undefined) {
      this.#finish({ error: undefined, hasFailed: false })
      this.#closeSource()
      this.#give()
    } else this.#read()
  }

  /** The stream ends with this error, behind the futures that were made; nothing more is read. */
  #fail(error: unknown): void {
    if (this.#end !== undefined) return
    this.#finish({ error, hasFailed: true })
    this.#closeSource()
    this.#give()
  }

  /** What it may say of that does not matter any more. */
  #closeSource(): void {
    new Promise<unknown>((resolve) => resolve(this.#source.return?.())).catch(ignore)
  }

  /** Gives futures to those who asked, then the end. */
  #give(): void {
    while (this.#askers.length > 0) {
      const future = this.#made.peek()
      if (future === undefined && this.#end === undefined) return this.#wait()
      const { resolve, reject } = this.#askers.shift()!
      if (future !== undefined) {
        this.#made.shift()
        this.#leave(future, 'taken')
        resolve({ done: false, value: future })
      } else if (this.#end!.hasFailed) {
        const { error } = this.#end!
        this.#end = { error: undefined, hasFailed: false } // Told once, as by any iterator.
        reject(error)
      } else resolve({ done: true, value: undefined })
    }
    if (this.#isAwaited) this.#options.parent?.endWait()
    this.#isAwaited = false
  }

  #wait(): void {
    if (!this.#isAwaited) this.#options.parent?.beginWait()
    this.#isAwaited = true
  }

  #finish(end: { readonly error: unknown; readonly hasFailed: boolean }): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#options.close()
  }

  #leave(future: TaskFuture<unknown>, how: 'taken' | 'over'): void {
    const before = this.#inFlight.get(future)
    if (before === 'made') this.#inFlight.set(future, how)
    else if (before !== how) this.#inFlight.delete(future)
  }
}
