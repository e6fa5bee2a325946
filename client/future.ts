/** Futures as their users see them, and where they may be given in the place of values. */
import type { Explanation } from '../protocol/messages/explanation.js'
import type { CancelOptions, CancelResult } from './cancellation.js'

/**
 * Where a task is, as far as this client knows. `pending`: it waits or runs. `lost`: the connection to the scheduler
 * ended before it was known. A future that was released keeps the status it had.
 */
export type FutureStatus = 'pending' | 'finished' | 'error' | 'cancelled' | 'lost'

/** What a task said of itself by `task.report()`. */
export interface TaskProgress {
  /** How much of it is done, from 0 to 1. */
  readonly fraction: number
  /** In its own words; empty when it gave none. */
  readonly note: string
  /** Which run of it said so: 1 for the first. A task that runs again begins again. */
  readonly attempt: number
}

/** Options of {@link Future.result}. */
export interface ResultOptions {
  /** Gives up with a `TimeoutError` after so many milliseconds. The task goes on. */
  readonly timeoutMs?: number | undefined
  /** Gives up with this signal's reason. The task goes on. */
  readonly signal?: AbortSignal | undefined
}

/**
 * The result of a task that may not be there yet. The result lives in the cluster: a future can be an argument of other
 * tasks without its value ever coming here, and awaiting it brings a copy here.
 *
 * A result stays in the cluster as long as somebody holds its future: until `release()`, the end of the scope of a
 * `using`, or the future's collection as garbage. Work whose future is gone, and that nobody waits for, is dropped.
 *
 * @example
 * ```ts
 * const rows = client.submit((text: string) => text.split('\n'), 'a;1\nb;2') // Future<string[]>, at once
 * const count = rows.pipe((all: string[]) => all.length)                     // the rows don't travel to this process
 * console.log(await count)                                                   // => 2
 * ```
 */
export interface Future<T> extends PromiseLike<T>, Disposable {
  /** The task's name in the cluster: the key that was given, or a generated one, unique to the task. */
  readonly key: string
  /** What this client knows of the task now. It never asks the scheduler. */
  readonly status: FutureStatus

  /**
   * What the task reports of itself while it runs, by `task.report()`: the latest at once, if there is one, then each that
   * follows. Whoever reads slowly misses what came in between. It ends with the task, however that ends, and throws
   * nothing. Reading it holds the work, as awaiting the future does.
   *
   * @example
   * ```ts
   * const copy = client.submit(async (parts: number) => {
   *   const { task } = await import('heddle/task')
   *   for (let part = 1; part <= parts; part++) task.report(part / parts, `part ${part}`)
   *   return parts
   * }, 10)
   * for await (const { fraction, note } of copy.progress) console.log(`${Math.round(fraction * 100)} %, ${note}`)
   * console.log(`${await copy} parts`)
   * ```
   */
  readonly progress: AsyncIterable<TaskProgress>

  /** As `Promise.prototype.catch`. */
  catch<U = never>(onRejected?: ((reason: unknown) => U | PromiseLike<U>) | null): Promise<T | U>

  /** As `Promise.prototype.finally`. */
  finally(onFinally?: (() => void) | null): Promise<T>

  /**
   * The value, as `await` gives it, for callers who won't wait for ever.
   *
   * @throws {TimeoutError} when `timeoutMs` passed; and the reason of `signal`. Both leave the task alone.
   * @throws What the task threw.
   * @example
   * ```ts
   * const future = client.submit(() => 6 * 7)
   * console.log(await future.result({ timeoutMs: 60_000 })) // => 42
   * ```
   */
  result(options?: ResultOptions): Promise<T>

  /**
   * Waits for the task's end and gives what it threw, without throwing it; `undefined` when it went well.
   *
   * @example
   * ```ts
   * const future = client.submit(() => JSON.parse('{'))
   * const error = await future.error()
   * console.log(error instanceof SyntaxError) // => true
   * ```
   */
  error(): Promise<unknown>

  /**
   * Calls back with the status each time that it changes; once, soon, if it is over already. It does not hold the work.
   * Returns what ends the calls.
   *
   * @example
   * ```ts
   * const future = client.submit(() => 6 * 7)
   * const stop = future.onStatus((status) => console.log(status)) // => finished
   * await future
   * stop()
   * ```
   */
  onStatus(onStatus: (status: FutureStatus) => void): () => void

  /**
   * Submits a task that gets this future's value: the same as `client.submit(fn, future, ...rest)`.
   *
   * @example
   * ```ts
   * const scores = client.submit(() => [9, 7, 4, 1])
   * const top = scores.pipe((all: number[], n: number) => all.slice(0, n), 2)
   * console.log(await top) // => [ 9, 7 ]
   * ```
   */
  pipe<A extends readonly unknown[], R>(fn: (value: T, ...rest: A) => R, ...rest: Inputs<A>): Future<Awaited<R>>

  /**
   * Stops the task. Whoever awaits this future, or one that needs it, gets an `AbortError` at once, with `reason` as its
   * `cause`. Code that runs hears of it by its `task.signal` and is stopped when its grace is over, an endless loop too;
   * other tasks are not touched. Resolves when the slot is free. If another client holds the task too, it goes on, and
   * only this client lets go.
   *
   * @example
   * ```ts
   * const endless = client.submit(() => { while (true); })
   * console.log(await endless.cancel({ reason: 'too slow' })) // { stoppedBy: 'thread' }, if it had begun
   * ```
   */
  cancel(options?: CancelOptions): Promise<CancelResult>

  /**
   * Why the task is where it is: what it waits for, which workers can't take it and why, how many come before it.
   *
   * @example
   * ```ts
   * const future = client.submit(() => 6 * 7)
   * const { state, reason } = await future.explain()
   * console.log(`${state}: ${reason}`)
   * ```
   */
  explain(): Promise<Explanation>

  /**
   * Has a task that failed run again, with the inputs that it failed for, and with whatever else failed for the same
   * reason, futures of other clients too. This one is pending from now on, the others as soon as the scheduler has said
   * so. Of a task that did not fail it does nothing.
   *
   * @throws {HeddleError} `ERR_HEDDLE_RELEASED` when the future was released or cancelled; and what was wrong with the
   * call when its function or arguments could not be sent, which trying again does not change.
   * @example
   * ```ts
   * const future = client.submit(() => { if (Math.random() < 0.5) throw new Error('no luck'); return 6 * 7 })
   * while ((await future.error()) !== undefined) future.retry()
   * console.log(await future) // => 42
   * ```
   */
  retry(): void

  /**
   * Lets go of the result: the cluster drops it, or the work under way, unless somebody else needs it. Whoever awaits
   * this future, now or later, gets an error with the code `ERR_HEDDLE_RELEASED`. A second call does nothing.
   */
  release(): void
}

/** Values that are never looked into for futures, or for what gives some. */
export type Leaf =
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  | Date
  | RegExp
  | Error
  | ArrayBuffer
  | SharedArrayBuffer
  | ArrayBufferView
  | ((...args: never[]) => unknown)

type Nested<T> = T extends Leaf
  ? never
  : T extends ReadonlyMap<infer K, infer V>
    ? ReadonlyMap<K, Input<V>>
    : T extends ReadonlySet<infer V>
      ? ReadonlySet<Input<V>>
      : T extends object
        ? { readonly [K in keyof T]: Input<T[K]> }
        : never

/**
 * What may be given where a task wants a `T`: a `T`, a `Future<T>`, or arrays, plain objects, Maps and Sets with futures
 * in the places of values. The task itself gets values only.
 *
 * @example
 * ```ts
 * const half = client.submit((x: number) => x / 2, 8)                       // Future<number>
 * client.submit((p: { x: number; y: number }) => p.x + p.y, { x: half, y: 1 })
 * ```
 */
export type Input<T> = T | Future<T> | Nested<T>

/** The arguments of a task with the parameters `A`. */
export type Inputs<A extends readonly unknown[]> = { [K in keyof A]: Input<A[K]> }
