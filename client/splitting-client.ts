/** A client whose tasks have several outputs, as the compiler sees it: at run time it is a client with other options. */
import type { Client } from './client.js'
import type { Future, Input, Inputs } from './future.js'
import type { MapOptions, MapOptionsWithArgs, OutputOptions, TaskOptions } from './task-options.js'

/** What a task with several outputs returns: an array, or a promise of one. */
type Outputs = readonly [] | readonly unknown[] | PromiseLike<readonly unknown[]>

/** The futures of a task that returns `R`: of a tuple a tuple of futures, of any other array an array of them. */
export type OutputFutures<R> = R extends readonly unknown[]
  ? { -readonly [K in keyof R]: Future<Awaited<R[K]>> }
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
export interface SplittingClient extends Omit<
  Client,
  'submit' | 'map' | 'starmap' | 'module' | 'with' | 'compute' | 'persist' | 'submitGraph'
> {
  /** As {@link Client.submit}, with a future for each output. */
  submit<A extends readonly unknown[], R extends Outputs>(
    fn: (...args: A) => R,
    ...args: Inputs<A>
  ): OutputFutures<Awaited<R>>

  /** As {@link Client.map}, with a list of futures for each item. */
  map<T, R extends Outputs>(
    fn: (item: T) => R,
    items: Iterable<Input<T>>,
    options?: Omit<MapOptions<NoInfer<Input<T>>, readonly []>, 'key'>,
  ): OutputFutures<Awaited<R>>[]
  map<T, A extends readonly unknown[], R extends Outputs>(
    fn: (item: T, ...args: A) => R,
    items: Iterable<Input<T>>,
    options: Omit<MapOptionsWithArgs<NoInfer<Input<T>>, A>, 'key'>,
  ): OutputFutures<Awaited<R>>[]

  /** As {@link Client.starmap}, with a list of futures for each task. */
  starmap<A extends readonly unknown[], R extends Outputs>(
    fn: (...args: A) => R,
    argTuples: Iterable<Readonly<Inputs<A>>>,
    options?: Omit<MapOptions<NoInfer<Inputs<A>>, readonly []>, 'key'>,
  ): OutputFutures<Awaited<R>>[]

  /** As {@link Client.with}. The count of outputs stays unless another is given. */
  with(options: TaskOptions & Partial<OutputOptions>): SplittingClient
}
