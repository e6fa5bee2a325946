/** Futures one after another, in the order in which they end. */
import { Fifo } from '../common/fifo.js'
import { HeddleError } from '../protocol/errors.js'
import type { Future } from './future.js'
import type { ErrorMode } from './gather.js'
import { checkOptionNames, checkSignal, describe, invalidOption } from './options.js'
import type { TaskFuture } from './task-future.js'
import { futuresAmong, Watch } from './watch.js'

declare const FACE: unique symbol

/** One half of {@link FutureStream}. */
export interface FutureStreamFace<T, Face> {
  /** The next future; `done` when there is none. */
  next(): Promise<IteratorResult<Future<T>, undefined>>
  /** Ends the stream: it holds nothing any more. Leaving a `for await` calls it. */
  return(): Promise<IteratorResult<Future<T>, undefined>>
  /** For `for await`: the stream itself. */
  [Symbol.asyncIterator](): FutureStream<T>
  /** For the compiler only. */
  readonly [FACE]?: Face
}

/**
 * Futures one after another, for `for await` or `next()`.
 *
 * It is no `AsyncIterable<Future<T>>`: the compiler takes what such an iterable gives for awaited, and so the variable of
 * the loop for the value. It does the same with an interface, from its second use on, and not with a union: that is why
 * this is one, of two faces that are alike.
 */
export type FutureStream<T> = FutureStreamFace<T, 1> | FutureStreamFace<T, 2>

/** What {@link asCompleted} gives. */
export type CompletedStream<T> = FutureStream<T> & Additions<T>

/** What {@link asCompleted} gives, beside the futures. */
export interface Additions<T> {
  /** How many futures it has still to give. */
  readonly left: number
  /**
   * Adds a future, or several, while the loop goes on.
   *
   * @throws {HeddleError} `ERR_HEDDLE_CLOSED` when the loop was left.
   */
  add(more: Future<T> | Iterable<Future<T>>): void
}

/** Options of {@link asCompleted}. */
export interface CompletedOptions {
  /** Ends the loop with this signal's reason. The tasks go on. */
  readonly signal?: AbortSignal | undefined
}

/** Options of `asCompleted.results`. */
export interface ResultsOptions<M extends ErrorMode = ErrorMode> extends CompletedOptions {
  /** What becomes of tasks that failed, as in {@link GatherOptions}. Default: `throw`, which ends the loop. */
  readonly errors?: M | undefined
}

/** The type of {@link asCompleted}. */
export interface AsCompleted {
  /** See {@link asCompleted}. */
  <F extends Future<unknown>>(futures: Iterable<F>, options?: CompletedOptions): CompletedStream<Awaited<F>>

  /**
   * The values instead of the futures, in the order in which these end. A few are fetched ahead of the loop.
   *
   * @example
   * ```ts
   * const squares = client.map((n: number) => n * n, [1, 2, 3])
   * let sum = 0
   * for await (const square of asCompleted.results(squares)) sum += square
   * console.log(sum) // => 14
   * ```
   */
  results<F extends Future<unknown>>(
    futures: Iterable<F>,
    options: ResultsOptions<'settle'>,
  ): AsyncIterableIterator<PromiseSettledResult<Awaited<F>>>
  results<F extends Future<unknown>>(
    futures: Iterable<F>,
    options?: ResultsOptions<'throw' | 'skip'>,
  ): AsyncIterableIterator<Awaited<F>>
}

/**
 * Gives futures in the order in which they end: the very objects that were passed in, each once for every time that it
 * was. One that failed, was cancelled or was released comes too; awaiting it tells. Futures may be added on the way, and
 * be of several clients. As long as the loop goes on it holds the futures that it has not given; leaving it lets go.
 *
 * @throws The reason of `signal`, from the loop.
 * @example
 * ```ts
 * const pages = client.map((n: number) => n * 10, [1, 2, 3])
 * for await (const page of asCompleted(pages)) {
 *   const error = await page.error()
 *   if (error === undefined) console.log(page.key, await page)
 * }
 * ```
 */
export const asCompleted: AsCompleted = Object.assign(
  (futures: Iterable<Future<unknown>>, options: CompletedOptions = {}): CompletedStream<never> => {
    const list = futuresAmong('asCompleted()', futures)
    checkOptionNames('asCompleted()', options, ['signal'])
    checkSignal(options.signal)
    return new Completed(list, options.signal) as CompletedStream<never> // The signature says what they are of.
  },
  {
    results: (futures: Iterable<Future<unknown>>, options: ResultsOptions = {}): AsyncIterableIterator<never> => {
      const list = futuresAmong('asCompleted.results()', futures)
      checkOptionNames('asCompleted.results()', options, ['signal', 'errors'])
      const { signal, errors = 'throw' } = options
      checkSignal(signal)
      if (!(['throw', 'settle', 'skip'] satisfies unknown[]).includes(errors)) {
        throw invalidOption(`errors is ${describe(errors)}; give "throw", "settle" or "skip".`)
      }
      return resultsOf(new Completed(list, signal), errors, signal) as AsyncIterableIterator<never>
    },
  },
)

interface Taker {
  resolve(result: IteratorResult<Future<unknown>, undefined>): void
  reject(reason: unknown): void
}

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

class Completed implements FutureStreamFace<unknown, 1 | 2>, Additions<unknown> {
  readonly #watch = new Watch((future) => this.#onOver(future))
  /** Over, and not given yet. */
  readonly #ready = new Fifo<TaskFuture<unknown>>()
  /** Who asked for a future when none was ready. */
  readonly #takers = new Fifo<Taker>()
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = (): void => this.#abort()
  #isLeft = false
  /** There while somebody waits. */
  #endWait: (() => void) | undefined

  constructor(futures: readonly TaskFuture<unknown>[], signal: AbortSignal | undefined) {
    this.#signal = signal
    if (signal?.aborted === true) return
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    this.#watch.add(futures)
  }

  get left(): number {
    return this.#ready.length + this.#watch.openCount
  }

  add(more: Future<unknown> | Iterable<Future<unknown>>): void {
    const futures = futuresAmong('asCompleted().add()', isList(more) ? more : [more])
    if (this.#isLeft) throw new HeddleError('ERR_HEDDLE_CLOSED', 'This loop was left; make a new one of asCompleted().')
    if (this.#signal?.aborted !== true) this.#watch.add(futures)
  }

  next(): Promise<IteratorResult<Future<unknown>, undefined>> {
    // A reason may be anything.
    if (this.#signal?.aborted === true) return Promise.reject(this.#signal.reason as Error)
    const value = this.#ready.shift()
    if (value !== undefined) return Promise.resolve({ done: false, value })
    if (this.#watch.openCount === 0) return Promise.resolve(DONE)
    return new Promise((resolve, reject) => {
      this.#takers.push({ resolve, reject })
      this.#endWait ??= this.#watch.beginWait()
    })
  }

  return(): Promise<IteratorResult<Future<unknown>, undefined>> {
    this.#isLeft = true
    this.#letGo()
    for (let taker = this.#takers.shift(); taker !== undefined; taker = this.#takers.shift()) taker.resolve(DONE)
    this.#waitNoMore()
    return Promise.resolve(DONE)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** One that can be given at once. */
  takeReady(): Future<unknown> | undefined {
    return this.#ready.shift()
  }

  #onOver(future: TaskFuture<unknown>): void {
    const taker = this.#takers.shift()
    if (taker === undefined) this.#ready.push(future)
    else taker.resolve({ done: false, value: future })
    if (this.#watch.openCount === 0) {
      for (let more = this.#takers.shift(); more !== undefined; more = this.#takers.shift()) more.resolve(DONE)
    }
    if (this.#takers.length === 0) this.#waitNoMore()
  }

  #waitNoMore(): void {
    this.#endWait?.()
    this.#endWait = undefined
  }

  #abort(): void {
    this.#letGo()
    const reason: unknown = this.#signal?.reason
    for (let taker = this.#takers.shift(); taker !== undefined; taker = this.#takers.shift()) taker.reject(reason)
    this.#waitNoMore()
  }

  #letGo(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#watch.end()
    this.#ready.retain(() => false)
  }
}

function isList(given: unknown): boolean {
  return typeof given === 'object' && given !== null && Symbol.iterator in given
}

/** So many values are asked for before the loop wants them. */
const VALUES_AHEAD = 16

async function* resultsOf(
  completed: Completed,
  errors: ErrorMode,
  signal: AbortSignal | undefined,
): AsyncGenerator<unknown, void> {
  const ahead = new Fifo<Promise<PromiseSettledResult<unknown>>>()
  try {
    for (;;) {
      for (let more; ahead.length < VALUES_AHEAD && (more = completed.takeReady()) !== undefined;) {
        ahead.push(settledOf(more, signal))
      }
      if (ahead.length === 0) {
        const next = await completed.next()
        if (next.done === true) return
        ahead.push(settledOf(next.value, signal))
        continue
      }
      const result = await ahead.shift()!
      signal?.throwIfAborted()
      if (errors === 'settle') yield result
      else if (result.status === 'fulfilled') yield result.value
      else if (errors === 'throw') throw result.reason
    }
  } finally {
    await completed.return()
  }
}

function settledOf(future: Future<unknown>, signal: AbortSignal | undefined): Promise<PromiseSettledResult<unknown>> {
  return future.result({ signal }).then(
    (value) => ({ status: 'fulfilled', value }),
    (reason: unknown) => ({ status: 'rejected', reason }),
  )
}
