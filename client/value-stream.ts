/** The values of a stream as they arrive: those that were not read yet, within the limits that its task keeps. */
import { Fifo } from '../common/fifo.js'
import { HeddleError } from '../protocol/errors.js'
import { decodeValue } from '../protocol/values/decode.js'
import type { TaskFuture } from './task-future.js'

export interface ValueStreamOptions {
  /** Of how many values there were. */
  readonly future: TaskFuture<unknown>
  /** Tells the task how many were taken since it began. */
  readonly tellTaken: (taken: number) => void
  /** No value comes any more, or none is wanted. */
  readonly onOver: () => void
}

/** So many values are taken before the task is told, unless none is left. */
const TELL_EVERY = 16

type End = { readonly error: unknown } | 'done'

/** Those that somebody waits for a value of: they must stay though nothing else may hold them, nor who waits. */
const awaited = new Set<ValueStream<unknown>>()

export class ValueStream<T> implements AsyncIterableIterator<T> {
  readonly #options: ValueStreamOptions
  readonly #chunks = new Fifo<Uint8Array>()
  #received = 0
  #taken = 0
  #told = 0
  /** Set when no value comes any more. */
  #end: End | undefined
  #isStarted = false
  #wake: (() => void) | undefined
  /** Calls to `next` are answered one after the other. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: ValueStreamOptions) {
    this.#options = options
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<T, undefined>> {
    this.#start()
    const next = this.#last.then(() => this.#next())
    this.#last = next.catch(() => undefined)
    return next
  }

  /** Whoever reads wants no more: the task is stopped. Resolves when it is. */
  async return(): Promise<IteratorResult<T, undefined>> {
    const wasOpen = this.#end === undefined
    while (this.#chunks.shift() !== undefined);
    this.#finish('done')
    // A client that is closed has nothing left to stop.
    if (wasOpen && !this.#options.future.owner.isEnded) await this.#options.future.cancel()
    return { done: true, value: undefined }
  }

  /** A value came. They come in order, and each once: else some were lost on the way. */
  push(index: number, value: Uint8Array): void {
    if (this.#end !== undefined) return
    if (index !== this.#received) return this.break()
    this.#received += 1
    this.#chunks.push(value)
    this.#wake?.()
  }

  /** So many values there were. */
  onCount(count: unknown): void {
    if (count === this.#received) this.#finish('done')
    else this.break()
  }

  fail(error: unknown): void {
    this.#finish({ error })
  }

  /** Values may have been lost. Those that came before may still be read. */
  break(): void {
    if (this.#end !== undefined) return
    const { future } = this.#options
    const message =
      `The stream ${future.key} broke off with the connection to the scheduler, which may have taken values along; ` +
      'those that you have read are right, so begin another behind the last one of them.'
    this.#finish({ error: new HeddleError('ERR_HEDDLE_STREAM_BROKEN', message, { retryable: true }) })
    // Whoever reads has the error above; that the task is stopped is of no further interest.
    if (!future.owner.isEnded) future.cancel().catch(() => undefined)
  }

  async #next(): Promise<IteratorResult<T, undefined>> {
    while (this.#chunks.length === 0 && this.#end === undefined) {
      awaited.add(this)
      await new Promise<void>((resolve) => (this.#wake = resolve))
      awaited.delete(this)
    }
    const chunk = this.#chunks.shift()
    if (chunk === undefined) {
      const end = this.#end
      this.#end = 'done'
      if (end !== undefined && end !== 'done') throw end.error
      return { done: true, value: undefined }
    }
    this.#taken += 1
    if (this.#end === undefined && (this.#chunks.length === 0 || this.#taken - this.#told >= TELL_EVERY)) {
      this.#told = this.#taken
      this.#options.tellTaken(this.#taken)
    }
    // The compiler checked what the function yields; what came is that.
    return { done: false, value: decodeValue(chunk, { owned: true }) as T }
  }

  /** Only whoever reads waits for the end: a stream that nobody reads and holds is let go of. */
  #start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    const self = new WeakRef(this)
    this.#options.future.then(
      // A stream that was skipped has no count, and gave nothing.
      (count) => self.deref()?.onCount(count ?? 0),
      (error: unknown) => self.deref()?.fail(error),
    )
  }

  #finish(end: End): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#options.onOver()
    this.#wake?.()
  }
}
