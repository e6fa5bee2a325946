/** What becomes of tasks when others that they need fail, as the compiler sees it: at run time it is one more option. */
import type { FutureStream } from './as-completed.js'
import type { Client, StreamOptions } from './client.js'
import type { Delayed } from './delayed.js'
import type { Future, Input, Inputs, Leaf } from './future.js'
import type { SplittingClient } from './splitting-client.js'
import type { MapOptions, OutputOptions, TaskOptions } from './task-options.js'

/**
 * What becomes of a task when one that it needs fails. `skip`: it does not run, and its future gives `undefined`. `pass-error`:
 * it runs, and gets the error in the place of the value.
 */
export type Tolerance = 'skip' | 'pass-error'

/** The option that says it. */
export interface TolerantOption<M extends Tolerance = Tolerance> {
  /**
   * What becomes of the task when one that it needs fails, be it that it threw, was cancelled, had its time or was lost with its
   * workers. `fail` (the default): it fails with the same error. `skip`: it does not run, and its future gives `undefined`;
   * what needs it goes on. `pass-error`: it runs, and gets the error, as `await` would throw it, in the place of the value.
   */
  readonly onDependencyError: M
}

/** Options for {@link Client.with} that give a {@link TolerantClient}. */
export type TolerantOptions<M extends Tolerance = Tolerance> = Omit<TaskOptions, 'onDependencyError'> &
  TolerantOption<M>

/** Options of one `map` or `starmap` whose tasks go on when others fail. With `args` if the function has parameters for them. */
export type TolerantMapOptions<M extends Tolerance, I, A extends readonly unknown[]> = MapOptionsOf<M, I, A> &
  TolerantOption<M>

type MapOptionsOf<M extends Tolerance, I, A extends readonly unknown[]> = Omit<
  MapOptions<I, readonly []>,
  'onDependencyError' | 'args'
> &
  (A extends readonly [] ? unknown : { readonly args: TolerantInputs<M, NoInfer<A>> })

type NestedInput<T> = T extends Leaf
  ? never
  : T extends ReadonlyMap<infer K, infer V>
    ? ReadonlyMap<K, InputOrError<V>>
    : T extends ReadonlySet<infer V>
      ? ReadonlySet<InputOrError<V>>
      : T extends object
        ? { readonly [K in keyof T]: InputOrError<T[K]> }
        : never

/**
 * What may be given where a task that takes errors wants a `T`: as {@link Input}, but futures (and delayed calls, in graphs)
 * only where the `T` may be an `Error`.
 *
 * @example
 * ```ts
 * const half = client.submit((x: number) => x / 2, 8)
 * const report = (x: number | Error) => (x instanceof Error ? x.message : String(x))
 * console.log(await client.with({ onDependencyError: 'pass-error' }).submit(report, half)) // => 4
 * ```
 */
export type InputOrError<T> = T | (Error extends T ? Future<T> : never) | NestedInput<T>

/** What may be given where such a task wants a `T`. */
export type TolerantInput<M extends Tolerance | 'fail', T> = M extends 'pass-error'
  ? InputOrError<NoInfer<T>>
  : Input<T>

/** The arguments of such a task with the parameters `A`. */
export type TolerantInputs<M extends Tolerance | 'fail', A extends readonly unknown[]> = M extends 'pass-error'
  ? { [K in keyof A]: InputOrError<A[K]> }
  : Inputs<A>

/** What the future of such a task gives that returns `R`. */
export type TolerantResult<M extends Tolerance | 'fail', R> = M extends 'skip' ? Awaited<R> | undefined : Awaited<R>

/** As {@link DelayedInput}, of functions that take errors. */
export type DelayedInputOrError<T> = T | (Error extends T ? Delayed<T> | Future<T> : never) | NestedDelayed<T>

/** As {@link DelayedInputs}, of functions that take errors. */
export type DelayedInputsOrErrors<A extends readonly unknown[]> = { [K in keyof A]: DelayedInputOrError<A[K]> }

type NestedDelayed<T> = T extends Leaf
  ? never
  : T extends ReadonlyMap<infer K, infer V>
    ? ReadonlyMap<K, DelayedInputOrError<V>>
    : T extends ReadonlySet<infer V>
      ? ReadonlySet<DelayedInputOrError<V>>
      : T extends object
        ? { readonly [K in keyof T]: DelayedInputOrError<T[K]> }
        : never

/**
 * The client that `client.with({ onDependencyError })` gives: its tasks go on when others that they need fail.
 *
 * @example
 * ```ts
 * const parse = (text: string): number => {
 *   if (!/^[0-9]+$/.test(text)) throw new Error(`${text} is no number`)
 *   return Number(text)
 * }
 * const numbers = client.map(parse, ['1', 'two', '3'])
 * const doubled = client.with({ onDependencyError: 'skip' }).map((n: number) => 2 * n, numbers) // Future<number | undefined>[]
 * console.log(await client.gather(doubled))                                                      // => [ 2, undefined, 6 ]
 *
 * const describe = (all: (number | Error)[]) => all.map((n) => (n instanceof Error ? n.message : n)).join(', ')
 * const report = client.with({ onDependencyError: 'pass-error' }).submit(describe, numbers)      // Future<string>
 * console.log(await report)                                                                      // => 1, two is no number, 3
 * ```
 */
export interface TolerantClient<M extends Tolerance> extends Omit<
  Client,
  'submit' | 'map' | 'starmap' | 'stream' | 'module' | 'with' | 'compute' | 'persist' | 'submitGraph'
> {
  /** As {@link Client.submit}. */
  submit<A extends readonly unknown[], R>(
    fn: (...args: A) => R,
    ...args: TolerantInputs<M, A>
  ): Future<TolerantResult<M, R>>

  /** As {@link Client.map}. */
  map<T, R>(
    fn: (item: T) => R,
    items: Iterable<TolerantInput<M, T>>,
    options?: MapOptionsOf<M, NoInfer<TolerantInput<M, T>>, readonly []>,
  ): Future<TolerantResult<M, R>>[]
  map<T, A extends readonly unknown[], R>(
    fn: (item: T, ...args: A) => R,
    items: Iterable<TolerantInput<M, T>>,
    options: MapOptionsOf<M, NoInfer<TolerantInput<M, T>>, A>,
  ): Future<TolerantResult<M, R>>[]
  map<T, R>(
    fn: (item: T) => R,
    items: AsyncIterable<TolerantInput<M, T>> | FutureStream<T>,
    options?: MapOptionsOf<M, NoInfer<TolerantInput<M, T>>, readonly []> & StreamOptions,
  ): FutureStream<TolerantResult<M, R>>
  map<T, A extends readonly unknown[], R>(
    fn: (item: T, ...args: A) => R,
    items: AsyncIterable<TolerantInput<M, T>> | FutureStream<T>,
    options: MapOptionsOf<M, NoInfer<TolerantInput<M, T>>, A> & StreamOptions,
  ): FutureStream<TolerantResult<M, R>>

  /** As {@link Client.starmap}. */
  starmap<A extends readonly unknown[], R>(
    fn: (...args: A) => R,
    argTuples: Iterable<Readonly<TolerantInputs<M, A>>>,
    options?: MapOptionsOf<M, NoInfer<TolerantInputs<M, A>>, readonly []>,
  ): Future<TolerantResult<M, R>>[]

  /** As {@link Client.stream}. A stream that is skipped gives no values. */
  stream<A extends readonly unknown[], T>(
    fn: (...args: A) => AsyncIterable<T> | Iterable<T> | Promise<AsyncIterable<T> | Iterable<T>>,
    ...args: TolerantInputs<M, A>
  ): AsyncIterableIterator<Awaited<T>>

  /** As {@link Client.with}. What becomes of its tasks stays as it is unless `onDependencyError` is given. */
  with(options: OutputOptions): SplittingClient<M>
  with<N extends Tolerance>(options: TolerantOptions<N>): TolerantClient<N>
  with(options: TaskOptions & { readonly onDependencyError: 'fail' }): Client
  with(options: Omit<TaskOptions, 'onDependencyError'>): TolerantClient<M>
}
