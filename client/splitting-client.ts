/** A client whose tasks have several outputs, as the compiler sees it: at run time it is a client with other options. */
import type { Client } from './client.js'
import type { Tolerance, TolerantInput, TolerantInputs, TolerantResult } from './dependency-errors.js'
import type { Future } from './future.js'
import type { MapOptions, OutputOptions, TaskOptions } from './task-options.js'

/** What a task with several outputs returns: an array, or a promise of one. */
type Outputs = readonly [] | readonly unknown[] | PromiseLike<readonly unknown[]>

/** The futures of a task that returns `R`: of a tuple a tuple of futures, of any other array an array of them. */
export type OutputFutures<R, M extends Tolerance | 'fail' = 'fail'> = R extends readonly unknown[]
  ? { -readonly [K in keyof R]: Future<TolerantResult<M, R[K]>> }
  : never

/**
 * The client that `client.with({ outputs: n })` gives. What its functions return must be an array of n values; each value
 * gets a future of its own. An array of another length, or no array, fails the task, and so all of its futures, with an
 * error of code `ERR_HEDDLE_WRONG_OUTPUTS`.
 *
 * @example
 * ```ts
 * const splitter = client.with({ outputs: 3 })
 * const byThird = (ns: number[]) => [0, 1, 2].map((rest) => ns.filter((n) => n % 3 === rest))
 * const parts = splitter.map(byThird, [[1, 2, 3], [4, 5, 6]])           // Future<number[]>[][]
 * const sum = (lists: number[][]) => lists.flat().reduce((a, b) => a + b, 0)
 * const sums = [0, 1, 2].map((rest) => client.submit(sum, parts.map((part) => part[rest]!)))
 * console.log(await client.gather(sums))                                // => [ 9, 5, 7 ]
 * ```
 */
export interface SplittingClient<M extends Tolerance | 'fail' = 'fail'> extends Omit<
  Client,
  'submit' | 'map' | 'starmap' | 'module' | 'with' | 'compute' | 'persist' | 'submitGraph'
> {
  /** As {@link Client.submit}, with a future for each output. */
  submit<A extends readonly unknown[], R extends Outputs>(
    fn: (...args: A) => R,
    ...args: TolerantInputs<M, A>
  ): OutputFutures<Awaited<R>, M>

  /** As {@link Client.map}, with a list of futures for each item. */
  map<T, R extends Outputs>(
    fn: (item: T) => R,
    items: Iterable<TolerantInput<M, T>>,
    options?: Omit<MapOptions<NoInfer<TolerantInput<M, T>>, readonly []>, 'key'>,
  ): OutputFutures<Awaited<R>, M>[]
  map<T, A extends readonly unknown[], R extends Outputs>(
    fn: (item: T, ...args: A) => R,
    items: Iterable<TolerantInput<M, T>>,
    options: Omit<MapOptions<NoInfer<TolerantInput<M, T>>, readonly []>, 'key' | 'args'> & {
      readonly args: TolerantInputs<M, A>
    },
  ): OutputFutures<Awaited<R>, M>[]

  /** As {@link Client.starmap}, with a list of futures for each task. */
  starmap<A extends readonly unknown[], R extends Outputs>(
    fn: (...args: A) => R,
    argTuples: Iterable<Readonly<TolerantInputs<M, A>>>,
    options?: Omit<MapOptions<NoInfer<TolerantInputs<M, A>>, readonly []>, 'key'>,
  ): OutputFutures<Awaited<R>, M>[]

  /** As {@link Client.with}. The count of outputs stays unless another is given. */
  with<N extends Tolerance | 'fail'>(
    options: Omit<TaskOptions & Partial<OutputOptions>, 'onDependencyError'> & { readonly onDependencyError: N },
  ): SplittingClient<N>
  with(options: Omit<TaskOptions & Partial<OutputOptions>, 'onDependencyError'>): SplittingClient<M>
}
