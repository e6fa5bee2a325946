/** The client: what a program talks to a cluster with. */
import { WorkerLostError } from '../protocol/errors.js'
import type { Explanation } from '../protocol/messages/explanation.js'
import type { ClusterStatus } from '../protocol/messages/status.js'
import * as dataCalls from './data-calls.js'
import type { RebalanceResult, RestartOptions, RetireOptions, RetireResult } from './data-calls.js'
import type { FutureStream } from './as-completed.js'
import { DelayedCall, PersistedCall, type Delayed } from './delayed.js'
import type {
  Tolerance,
  TolerantClient,
  TolerantInput,
  TolerantInputs,
  TolerantMapOptions,
  TolerantOption,
  TolerantOptions,
  TolerantResult,
} from './dependency-errors.js'
import { resolveCancelOptions, type CancelOptions, type CancelResult } from './cancellation.js'
import type { Future, Input, Inputs } from './future.js'
import { unmadeFutures } from './future-list.js'
import { futuresOf } from './futures-of.js'
import type { ErrorMode } from './gather.js'
import type { GraphOptions } from './graph-submitter.js'
import type { Items } from './map-slice.js'
import { isAsyncIterable, resolveInFlight, type MapStream } from './map-stream.js'
import { rateLimitOf, semaphoreOf, type RateLimitOptions } from './limit-options.js'
import type { RateLimit, Semaphore } from './limits.js'
import { checkOptionNames, describe, invalidOption } from './options.js'
import type { PreloadedName } from './preloaded.js'
import type { RawFutures, RawGraph } from './raw-graph.js'
import { remoteModule, type RemoteModule } from './remote-module.js'
import { profile, type Profile, type ProfileOptions } from './profile.js'
import * as reports from './reports.js'
import type { LogLine, Trace } from './reports.js'
import { runOnWorkers, type RunOnWorkersOptions } from './run-on-workers.js'
import { resolveScatterOptions } from './scattered-value.js'
import type { BlockedTasks, Session } from './session.js'
import type { SplittingClient } from './splitting-client.js'
import { placesOf, type Places } from './task-array.js'
import { TaskFuture } from './task-future.js'
import {
  checkKey,
  DEFAULT_TASK_OPTIONS,
  resolveMapOptions,
  resolveTaskOptions,
  type AnyMapOptions,
  type AnyTaskOptions,
  type MapOptions,
  type MapOptionsWithArgs,
  type OutputOptions,
  type ResolvedTaskOptions,
  type TaskOptions,
} from './task-options.js'
import type { TaskFunction } from './templates.js'

/** Options of {@link Client.gather}. */
export interface GatherOptions<M extends ErrorMode = ErrorMode> {
  /**
   * What becomes of tasks that failed. `throw` (the default): the first failure rejects the whole. `settle`: each place has
   * a result as of `Promise.allSettled`. `skip`: failed tasks have no place among the results.
   */
  readonly errors?: M | undefined
}

/** Options of {@link Client.compute}, {@link Client.persist} and {@link Client.submitGraph}. */
export interface ComputeOptions {
  /**
   * Runs a call whose only input is a call that nobody else needs in one task with it. Default: true. False keeps every
   * call a task of its own, to see each on the status page.
   */
  readonly fuse?: boolean | undefined
}

/** The futures of many {@link Delayed}. */
export type ComputedFutures<G extends readonly Delayed<unknown>[]> = {
  -readonly [K in keyof G]: G[K] extends Delayed<infer T> ? Future<T> : never
}

/** Options of {@link Client.replicate}. */
export interface ReplicateOptions {
  /** How many workers shall hold each value. Default, and at most: all that are there. */
  readonly copies?: number | undefined
}

/** More than there are workers. */
const MAX_COPIES = Number.MAX_SAFE_INTEGER

/** Options of {@link Client.scatter}. */
export interface ScatterOptions {
  /**
   * Has every worker that is there hold a copy; the future is finished when all do. The value leaves this program once, and
   * workers give it on to each other, as a tree. A worker that can't get it in several attempts does without, and its tasks
   * fetch the value when they need it. Default: one worker gets it.
   */
  readonly broadcast?: boolean | undefined
  /** Names or addresses of the workers that may have it. Default: any. It waits until one of them is there. */
  readonly workers?: readonly string[] | undefined
}

/** Further options of {@link Client.map} over an async iterable. */
export interface StreamOptions {
  /** How many items may be under way at once. Default: 64. */
  readonly inFlight?: number | undefined
}

/** Options of {@link Client.waitForWorkers}. */
export interface WaitForWorkersOptions {
  /** Gives up with a `TimeoutError` after so many milliseconds. Without it, it waits for ever. */
  readonly timeoutMs?: number | undefined
  /** Gives up with this signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * A connection to a cluster. `connect()` gives one.
 *
 * What makes futures returns them at once. What is wrong with a call (a function that can't travel, an argument that
 * can't be sent, an unknown option, a closed client) is thrown from the call; what is wrong with the task comes from its
 * future.
 */
export class Client implements AsyncDisposable {
  readonly #session: Session
  readonly #options: ResolvedTaskOptions
  readonly #close: () => Promise<void>

  /** @internal Use `connect()`. */
  constructor(session: Session, close: () => Promise<void>, options: ResolvedTaskOptions = DEFAULT_TASK_OPTIONS) {
    this.#session = session
    this.#close = close
    this.#options = options
  }

  /**
   * Runs a function in the cluster. Arguments may be futures, or hold some at any depth of arrays, plain objects, Maps and
   * Sets: the task gets their values. They are encoded before the call returns, so they may change afterwards.
   *
   * @throws {FunctionNotPortableError} when the function uses names from its surroundings.
   * @throws {NotSerializableError} when an argument can't be sent; `path` says which.
   * @example
   * ```ts
   * const sum = client.submit((a: number, b: number) => a + b, 3, 4) // Future<number>
   * const text = client.submit((n: number) => String(n), sum)        // Future<string>
   * console.log(await text)                                          // => 7
   * ```
   */
  submit<A extends readonly unknown[], R>(fn: (...args: A) => R, ...args: Inputs<A>): Future<Awaited<R>>
  /**
   * Runs a function of a module that the workers were started with, by name: the file's without its extension, a dot, and
   * that of the export.
   *
   * @example
   * ```ts
   * // heddle worker join ws://10.0.0.5:8786 --preload tasks.js
   * const small = client.submit<Uint8Array>('tasks.resize', 'a.png', 100)
   * ```
   */
  submit<R = unknown>(name: PreloadedName, ...args: readonly unknown[]): Future<R>
  submit(fn: TaskFunction | PreloadedName, ...args: readonly unknown[]): never {
    // The overloads say what it returns; a name is told from a function where its template is made.
    return this.#session.submit(fn as TaskFunction, args, this.submit, this.#options) as never
  }

  /**
   * Runs a function on each item, as a task of its own. The function gets `(item, ...args)` and nothing else: no index, as
   * the `map` of an array would give. `args` in the options are further arguments, the same for all and sent once.
   *
   * Over more than 1,000 items, the list is copied and its items are encoded soon after the call: don't change an item
   * until its future has settled. An item that can't be sent rejects its own future then, and throws from the call before.
   * The futures of such a list are made when they are looked at, and those that are dropped without `release()` are noticed
   * by groups of 16 neighbours. `Object.keys` and its like don't see those that have not been made.
   *
   * Over an async iterable it gives a stream of futures in the order of the items, which is read no faster than results
   * leave: an item is in flight from when it was read until its task is over and its future was taken, and so many are at
   * once as `inFlight` says. What the source throws, or an item that can't be sent, ends the stream in its place. Leaving
   * the loop closes the source, and lets go of what was not taken.
   *
   * @example
   * ```ts
   * const squares = client.map((x: number) => x * x, [1, 2, 3])                // Future<number>[]
   * const scaled = client.map((x: number, by: number) => x * by, squares, { args: [10] })
   * console.log(await client.gather(scaled))                                   // => [ 10, 40, 90 ]
   *
   * async function* lines() { yield 'one'; yield 'three' }                     // or a file's, by node:readline
   * let letters = 0
   * for await (const length of client.map((line: string) => line.length, lines(), { inFlight: 100 })) letters += await length
   * console.log(letters)                                                       // => 8
   * ```
   */
  map<T, R>(
    fn: (item: T) => R,
    items: Iterable<Input<T>>,
    options?: MapOptions<NoInfer<Input<T>>, readonly []>,
  ): Future<Awaited<R>>[]
  map<T, A extends readonly unknown[], R>(
    fn: (item: T, ...args: A) => R,
    items: Iterable<Input<T>>,
    options: MapOptionsWithArgs<NoInfer<Input<T>>, A>,
  ): Future<Awaited<R>>[]
  map<T, A extends readonly unknown[], R, M extends Tolerance>(
    fn: (item: T, ...args: A) => R,
    items: Iterable<NoInfer<TolerantInput<M, T>>>,
    options: TolerantMapOptions<M, NoInfer<TolerantInput<M, T>>, A>,
  ): Future<TolerantResult<M, R>>[]
  map<R = unknown>(
    name: PreloadedName,
    items: Iterable<unknown>,
    options?: MapOptions<unknown, readonly unknown[]>,
  ): Future<R>[]
  map<T, R>(
    fn: (item: T) => R,
    items: AsyncIterable<Input<T>> | FutureStream<T>,
    options?: MapOptions<NoInfer<Input<T>>, readonly []> & StreamOptions,
  ): FutureStream<Awaited<R>>
  map<T, A extends readonly unknown[], R>(
    fn: (item: T, ...args: A) => R,
    items: AsyncIterable<Input<T>> | FutureStream<T>,
    options: MapOptionsWithArgs<NoInfer<Input<T>>, A> & StreamOptions,
  ): FutureStream<Awaited<R>>
  map<T, A extends readonly unknown[], R, M extends Tolerance>(
    fn: (item: T, ...args: A) => R,
    items: AsyncIterable<NoInfer<TolerantInput<M, T>>> | FutureStream<NoInfer<T>>,
    options: TolerantMapOptions<M, NoInfer<TolerantInput<M, T>>, A> & StreamOptions,
  ): FutureStream<TolerantResult<M, R>>
  map<R = unknown>(
    name: PreloadedName,
    items: AsyncIterable<unknown>,
    options?: MapOptions<unknown, readonly unknown[]> & StreamOptions,
  ): FutureStream<R>
  map(
    fn: TaskFunction | PreloadedName,
    items: Iterable<unknown> | AsyncIterable<unknown>,
    options: AnyMapOptions & StreamOptions = {},
  ): never {
    // The overloads say what the tasks return; a name is told from a function where its template is made.
    const run = fn as TaskFunction
    if (isAsyncIterable(items)) return this.#mapStream(run, items, options) as never
    return this.#map(run, { values: listOf('map', items), are: 'item' }, options, this.map) as never
  }

  /**
   * As `map`, with all the arguments of each task in a list of its own.
   *
   * @example
   * ```ts
   * const powers = client.starmap((base: number, exponent: number) => base ** exponent, [[2, 10], [3, 2]])
   * console.log(await client.gather(powers)) // => [ 1024, 9 ]
   * ```
   */
  starmap<A extends readonly unknown[], R>(
    fn: (...args: A) => R,
    argTuples: Iterable<Readonly<Inputs<A>>>,
    options?: MapOptions<NoInfer<Inputs<A>>, readonly []>,
  ): Future<Awaited<R>>[]
  starmap<A extends readonly unknown[], R, M extends Tolerance>(
    fn: (...args: A) => R,
    argTuples: Iterable<Readonly<NoInfer<TolerantInputs<M, A>>>>,
    options: TolerantMapOptions<M, NoInfer<TolerantInputs<M, A>>, readonly []>,
  ): Future<TolerantResult<M, R>>[]
  starmap(fn: TaskFunction, argTuples: Iterable<unknown>, options: AnyMapOptions = {}): Future<never>[] {
    const values = listOf('starmap', argTuples)
    const wrong = values.findIndex((value) => !Array.isArray(value))
    if (wrong >= 0) {
      const found = describe(values[wrong])
      throw invalidOption(`argTuples[${wrong}] is ${found}; client.starmap() takes a list of arguments for each task.`)
    }
    return this.#map(fn, { values, are: 'arguments' }, options, this.starmap)
  }

  /**
   * Runs a generator function in the cluster, and gives what it yields, one value after another, as it comes. The
   * generator is resumed only while few values are on their way (64 of them, or 8 MiB), so a slow reader slows it down.
   * Meanwhile it keeps its thread; a stream that mostly waits is better off with `resources: { threads: 0 }`. Breaking out
   * of the loop stops the task: the generator's `finally` runs. An error that it throws comes after the values before it.
   *
   * No value is left out or comes twice. Where that can't be promised, the loop throws, behind the values that are right: a
   * `WorkerLostError` when the worker is lost (unless nothing had come yet: then it starts again), and an error of code
   * `ERR_HEDDLE_STREAM_BROKEN` when this client loses its connection.
   *
   * @throws {FunctionNotPortableError} when the function uses names from its surroundings.
   * @throws {NotSerializableError} when an argument can't be sent; `path` says which.
   * @example
   * ```ts
   * const squares = client.stream(async function* (count: number) {
   *   for (let i = 1; i <= count; i++) yield i * i
   * }, 1_000_000) // AsyncIterable<number>
   * for await (const square of squares) if (square > 100) break
   * ```
   */
  stream<A extends readonly unknown[], T>(
    fn: (...args: A) => AsyncIterable<T> | Iterable<T> | Promise<AsyncIterable<T> | Iterable<T>>,
    ...args: Inputs<A>
  ): AsyncIterableIterator<Awaited<T>> {
    const { key, outputs, pure } = this.#options
    if (key !== undefined || outputs > 0 || pure) {
      throw invalidOption(
        'A stream is read once: it has no key or outputs and is not pure; use a client without these.',
      )
    }
    // What it takes and gives is checked by the signature; the session handles functions of any kind.
    const stream: unknown = this.#session.stream(fn as unknown as TaskFunction, args, this.stream, this.#options)
    return stream as AsyncIterableIterator<Awaited<T>>
  }

  /**
   * Runs a graph of {@link delayed} calls: what the results need, and nothing else, each call once. Linear chains of calls
   * become one task each, and the order is depth first, so that few results are held at a time. A large graph is
   * submitted a little at a time, between other work of the program.
   *
   * Of several at once, given as a list, calls that they share run once. One that was persisted gives the future that
   * it has. What can't be sent rejects the futures that need it.
   *
   * @example
   * ```ts
   * const square = delayed((x: number) => x * x)
   * const add = delayed((a: number, b: number) => a + b)
   * const nine = square(3)
   * const [sum, root] = client.compute([add(nine, 16), nine]) // [Future<number>, Future<number>]
   * console.log(await client.gather([sum, root]))             // => [ 25, 9 ]
   * ```
   */
  compute<T>(graph: Delayed<T>, options?: ComputeOptions): Future<T>
  compute<const G extends readonly Delayed<unknown>[]>(graphs: G, options?: ComputeOptions): ComputedFutures<G>
  compute(graphs: Delayed<unknown> | readonly Delayed<unknown>[], options: ComputeOptions = {}): never {
    const futures = this.#compute('client.compute()', graphs, options, this.compute)
    // The overloads say what they are of.
    return (Array.isArray(graphs) ? futures : futures[0]) as never
  }

  /**
   * Starts a graph, and keeps its results in the cluster: gives what stands for them in further graphs, in as many as you
   * like. They are dropped when nothing holds what it gave any more.
   *
   * @example
   * ```ts
   * const load = delayed((n: number) => Array.from({ length: n }, (_, i) => i))
   * const rows = client.persist(load(1_000))                                          // runs now, once
   * const count = delayed((all: number[]) => all.length)(rows)
   * const sum = delayed((all: number[]) => all.reduce((a, b) => a + b, 0))(rows)
   * console.log(await client.gather(client.compute([count, sum])))                    // => [ 1000, 499500 ]
   * ```
   */
  persist<T>(graph: Delayed<T>, options?: ComputeOptions): Delayed<T>
  persist<const G extends readonly Delayed<unknown>[]>(
    graphs: G,
    options?: ComputeOptions,
  ): { -readonly [K in keyof G]: G[K] }
  persist(graphs: Delayed<unknown> | readonly Delayed<unknown>[], options: ComputeOptions = {}): never {
    const futures = this.#compute('client.persist()', graphs, options, this.persist)
    const list = Array.isArray(graphs) ? (graphs as readonly Delayed<unknown>[]) : [graphs]
    const persisted = list.map((graph, i) =>
      graph instanceof PersistedCall ? graph : new PersistedCall(graph as DelayedCall, futures[i]!),
    )
    return (Array.isArray(graphs) ? persisted : persisted[0]) as never
  }

  /**
   * Runs a graph that is given as an object: a function with its arguments under each key, and `ref(key)` among the
   * arguments for the result of another. Gives a future for each key asked for, in that order; what those don't need
   * never runs. Keys name calls inside this graph only: several graphs may use the same ones.
   *
   * @throws {GraphError} when a key is missing, or when there is a cycle; the message names the way there. Of a graph with
   * more than about 1,000 calls, the futures are rejected with it instead.
   * @example
   * ```ts
   * const graph = {
   *   'load-0': [(n: number) => n + 1, 1],
   *   'load-1': [(n: number) => n + 1, 2],
   *   sum: [(all: number[]) => all.reduce((a, b) => a + b, 0), ['load-0', 'load-1'].map(ref)],
   * } as const
   * const [sum] = client.submitGraph(graph, ['sum']) // Future<number>
   * console.log(await sum)                           // => 5
   * ```
   */
  submitGraph<const G extends RawGraph, const K extends readonly (keyof G & string)[]>(
    graph: G,
    keys: K,
    options: ComputeOptions = {},
  ): RawFutures<G, K> {
    const resolved = this.#graphOptions('client.submitGraph()', options)
    if (typeof graph !== 'object' || graph === null || Array.isArray(graph)) {
      throw invalidOption(
        `client.submitGraph() takes an object with a call under each key, and not ${describe(graph)}.`,
      )
    }
    const given: unknown = keys
    if (!Array.isArray(given) || given.some((key) => typeof key !== 'string')) {
      throw invalidOption(`client.submitGraph() takes an array of keys to ask for, and not ${describe(given)}.`)
    }
    // The signature says what they are of.
    return this.#session.submitGraph(graph, keys, resolved, this.submitGraph) as RawFutures<G, K>
  }

  /**
   * Brings a value of this program to the cluster, straight to a worker, and gives one future for it, whatever the value.
   * Give the future to as many tasks as you like: the value travels once. Large memory in it (typed arrays and buffers of
   * 1 MiB and more) is sent from where it is, without a copy: don't change it, and transfer it to nobody, until the
   * future's `status` is `'finished'`, as it is when a task that takes it has ended; or scatter a copy (`array.slice()`).
   * All else may change once the call returns.
   *
   * Nothing can make the value again: if every worker that has it is lost, tasks that need it fail with a
   * `WorkerLostError`.
   *
   * @throws {NotSerializableError} when the value can't be sent; `path` says which part.
   * @example
   * ```ts
   * const table = client.scatter(new Float64Array(1_000_000), { broadcast: true })
   * const sums = client.map((row: number, all: Float64Array) => all[row], [1, 2, 3], { args: [table] })
   * ```
   */
  scatter<T>(value: T, options: ScatterOptions = {}): Future<Awaited<T>> {
    // What it is a future of is what was given.
    return this.#session.scatter(value, resolveScatterOptions(options)) as Future<Awaited<T>>
  }

  /**
   * The same client with other options for the tasks it makes. It shares the connection: closing one closes both.
   *
   * @example
   * ```ts
   * const urgent = client.with({ priority: 10, name: 'checkout' })
   * const total = urgent.submit((prices: number[]) => prices.reduce((a, b) => a + b, 0), [3, 4])
   * ```
   *
   * With `outputs: n` its tasks return arrays of n values, and each call gives n futures. Every value is kept where it was
   * made, and moved to where it is needed, on its own; all that is dropped once no future of the call is held.
   *
   * @example
   * ```ts
   * const split = (n: number) => [n % 2, Math.floor(n / 2)]
   * const [rest, half] = client.with({ outputs: 2 }).submit(split, 7)  // Future<number>[]
   * console.log(await half)                                            // => 3
   * ```
   *
   * With `onDependencyError` its tasks go on when others that they need fail: skipped, or with the error as an argument. See
   * {@link TolerantClient}.
   */
  with(options: OutputOptions): SplittingClient
  with<M extends Tolerance>(options: Omit<OutputOptions, 'onDependencyError'> & TolerantOption<M>): SplittingClient<M>
  with<M extends Tolerance>(options: TolerantOptions<M>): TolerantClient<M>
  with(options: TaskOptions): Client
  with(options: AnyTaskOptions): never {
    // The overloads say what it is for the compiler.
    return new Client(this.#session, this.#close, resolveTaskOptions(options, this.#options)) as never
  }

  /**
   * The functions of a module, to run as tasks. The module and all it imports are bundled once and sent once to each
   * worker; TypeScript works as it is. Calls return futures at once; if the module can't be bundled, those are rejected.
   *
   * @example
   * ```ts
   * const tasks = client.module<typeof import('./tasks.js')>(new URL('./tasks.ts', import.meta.url))
   * const small = tasks.resize('a.png', 100)                 // a future
   * const all = client.map(tasks.resize, ['b.png', 'c.png'], { args: [100] })
   * ```
   */
  module<M>(location: URL | string): RemoteModule<M> {
    if (this.#options.outputs > 0) {
      throw invalidOption(
        'A client with outputs has no modules; take the functions from the client that it was made of.',
      )
    }
    if (this.#options.rules.onDependencyError !== 'fail') {
      throw invalidOption(
        'A client with onDependencyError has no modules; take the functions from the client that it was made of.',
      )
    }
    const source = this.#session.module(location)
    return remoteModule<M>(source, (fn, args) => {
      return this.#session.submit(fn, args, fn, this.#options) as Future<unknown>
    })
  }

  /**
   * The values of many futures, in their order. It asks for all of them at once, which is much cheaper than awaiting
   * each.
   *
   * @example
   * ```ts
   * const [count, name] = await client.gather([client.submit(() => 3), client.submit(() => 'warp')])
   * const halves = client.map((n: number) => { if (n % 2 === 1) throw new Error(`${n} is odd`); return n / 2 }, [2, 3, 4])
   * console.log(count, name, await client.gather(halves, { errors: 'skip' })) // => 3 warp [ 1, 2 ]
   * ```
   */
  gather<const F extends readonly Future<unknown>[]>(
    futures: F,
    options?: GatherOptions<'throw'>,
  ): Promise<{ -readonly [K in keyof F]: Awaited<F[K]> }>
  gather<const F extends readonly Future<unknown>[]>(
    futures: F,
    options: GatherOptions<'settle'>,
  ): Promise<{ -readonly [K in keyof F]: PromiseSettledResult<Awaited<F[K]>> }>
  gather<F extends Future<unknown>>(futures: readonly F[], options: GatherOptions<'skip'>): Promise<Awaited<F>[]>
  async gather(futures: readonly Future<unknown>[], options: GatherOptions = {}): Promise<never> {
    this.#session.checkOpen()
    checkOptionNames('client.gather()', options, ['errors'])
    const { errors = 'throw' } = options
    const modes: readonly unknown[] = ['throw', 'settle', 'skip'] satisfies ErrorMode[]
    if (!modes.includes(errors)) throw invalidOption(`errors is ${describe(errors)}; give "throw", "settle" or "skip".`)
    // The overloads say what the results are.
    return (await this.#session.gather(this.#placesOf('client.gather()', futures), errors)) as never
  }

  /**
   * A future of a task that is in the cluster already, by its key: of this client, of another, in any process. The result
   * stays as long as somebody holds one of its futures. If there is no such task now, the future fails with an error of
   * code `ERR_HEDDLE_UNKNOWN_KEY`; so pass a key on only when the task has reached the scheduler, as it has once anything
   * was awaited after the submit.
   *
   * @example
   * ```ts
   * const { key } = client.with({ key: 'model-7' }).submit(() => [1, 2, 3])
   * const again = client.future<number[]>(key)
   * console.log((await again).length) // => 3
   * ```
   */
  future<T>(key: string): Future<T> {
    checkKey(key)
    // Nobody but the caller knows what the task returns.
    return this.#session.attach(key, this.#options.parent) as Future<T>
  }

  /**
   * Has work go on until it has an outcome, though nobody holds its future, and though this client may be gone: takes a
   * future, or a value with futures in it as `futuresOf` finds them. Afterwards the result goes, unless somebody holds it.
   * A cluster that `connect()` started itself ends with its client all the same.
   *
   * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` in a task: what it submits ends with it.
   * @throws {HeddleError} `ERR_HEDDLE_RELEASED` when a future was released or cancelled.
   * @example
   * ```ts
   * client.fireAndForget(client.submit((text: string) => console.log(text), 'for the log of a worker'))
   * ```
   */
  fireAndForget(work: unknown): void {
    this.#notForTasks(
      'client.fireAndForget()',
      'What a task submits ends with it: await it, or let a client submit it.',
    )
    const futures = futuresOf(work)
    if (futures.length === 0) throw invalidOption(`client.fireAndForget() got ${describe(work)}; give it a future.`)
    this.#session.detach(this.#own('client.fireAndForget()', futures))
  }

  /**
   * The futures in a value, each once: at any depth of arrays, plain objects, Maps and Sets, of what `persist` gave, and of
   * the arguments of delayed calls.
   *
   * @example
   * ```ts
   * const parts = { left: client.submit(() => 1), right: [client.submit(() => 2)] }
   * await wait(client.futuresOf(parts))
   * client.release(client.futuresOf(parts))
   * ```
   */
  futuresOf(value: unknown): Future<unknown>[] {
    return futuresOf(value)
  }

  /**
   * Lets go of many futures at once, as `future.release()` does of one.
   *
   * @example
   * ```ts
   * const parts = client.map((word: string) => word.length, ['warp', 'and', 'weft'])
   * const total = await client.submit((lengths: number[]) => lengths.reduce((a, b) => a + b, 0), parts)
   * client.release(parts)
   * console.log(total) // => 11
   * ```
   */
  release(futures: Iterable<Future<unknown>>): void {
    for (const future of this.#own('client.release()', [...futures])) future.release()
  }

  /**
   * Stops many tasks at once, as `future.cancel()` does one. Resolves when all their slots are free, with a result for each.
   *
   * @example
   * ```ts
   * const jobs = client.map((n: number) => { while (n > 0); }, Array.from({ length: 100 }, () => 1))
   * const results = await client.cancel(jobs, { reason: 'the user left' })
   * console.log(results.filter(({ stoppedBy }) => stoppedBy === 'queue').length, 'had not begun')
   * ```
   */
  async cancel(futures: Iterable<Future<unknown>>, options: CancelOptions = {}): Promise<CancelResult[]> {
    this.#session.checkOpen()
    const resolved = resolveCancelOptions('client.cancel()', options)
    return await this.#session.cancel(this.#own('client.cancel()', [...futures]), resolved)
  }

  /**
   * Has several workers hold each of these values, for work that will need them in many places and so that the death of a
   * worker loses none. The values spread as a tree: who has a copy gives it on. Resolves when all copies are there; values
   * that are not finished yet are waited for, and futures that fail are left out.
   *
   * @throws {WorkerLostError} when a value could not be copied to so many workers.
   * @example
   * ```ts
   * const table = client.submit(() => new Float64Array(1_000_000))
   * await client.replicate([table], { copies: 2 })
   * ```
   */
  async replicate(futures: readonly Future<unknown>[], options: ReplicateOptions = {}): Promise<void> {
    this.#session.checkOpen()
    checkOptionNames('client.replicate()', options, ['copies'])
    const { copies = MAX_COPIES } = options
    if (!Number.isSafeInteger(copies) || copies < 1) {
      throw invalidOption(`copies is ${describe(copies)}; give a whole number from 1 up.`)
    }
    const missing = await this.#session.replicate(this.#own('client.replicate()', futures), copies)
    if (missing === 0) return
    const message = `${missing} of ${futures.length} values could not be copied to ${copies} workers; see their logs for why.`
    throw new WorkerLostError(message)
  }

  /**
   * Which workers hold each of these values: their names, under the key of each future. A value that is not there yet has
   * none.
   *
   * @example
   * ```ts
   * const table = client.scatter(new Float64Array(1_000_000), { broadcast: true })
   * await table
   * console.log((await client.whoHas([table]))[table.key]!.sort()) // => [ 'local-1', 'local-2' ]
   * ```
   */
  async whoHas(futures: readonly Future<unknown>[]): Promise<Record<string, string[]>> {
    return await dataCalls.whoHas(this.#session, this.#own('client.whoHas()', futures))
  }

  /**
   * Keeps a value in the cluster under a name, also when this client is gone: any client gets it by {@link Client.dataset},
   * until somebody unpublishes it. It may be a future, finished or not, or any value with futures in it, which are resolved;
   * a large value of this program is better scattered first, and its future published. Resolves when the name is taken, by
   * when scattered values that were given, themselves or inside of others, are at workers, for which it waits; work need not be
   * done by then. Await the futures of scattered values that a published task takes before this program ends.
   *
   * @throws {HeddleError} `ERR_HEDDLE_KEY_CONFLICT` when something else is published under the name.
   * @example
   * ```ts
   * await client.publish('prices', client.submit(() => [3, 4, 12]))
   * // In another program, tomorrow:
   * const prices = client.dataset<number[]>('prices')
   * console.log(await client.submit((all: number[]) => all.length, prices)) // => 3
   * ```
   */
  async publish(name: string, value: unknown): Promise<void> {
    if (value instanceof TaskFuture) this.#own('client.publish()', [value])
    const options = { ...this.#options, outputs: 0, key: undefined, signal: undefined }
    await dataCalls.publish(this.#session, { name, value, options })
  }

  /**
   * A future of what is published under the name, by whichever client. If there is nothing, it fails with
   * `ERR_HEDDLE_NO_DATASET`.
   *
   * @example
   * ```ts
   * await client.publish('rates', new Map([['EUR', 1.1]]))
   * const rates = await client.dataset<Map<string, number>>('rates')
   * console.log(rates.get('EUR')) // => 1.1
   * ```
   */
  dataset<T>(name: string): Future<T> {
    // What was published is what whoever published it says.
    return dataCalls.dataset(this.#session, name) as Future<T>
  }

  /**
   * The names under which something is published, the oldest first.
   *
   * @example
   * ```ts
   * for (const name of await client.datasets()) console.log(name)
   * ```
   */
  async datasets(): Promise<string[]> {
    return await dataCalls.datasets(this.#session)
  }

  /**
   * Takes back what is published under the name, whoever published it. It is dropped when no client holds a future of it.
   * Resolves to whether there was anything.
   *
   * @example
   * ```ts
   * await client.unpublish('prices')
   * ```
   */
  async unpublish(name: string): Promise<boolean> {
    return await dataCalls.unpublish(this.#session, name)
  }

  /**
   * Moves values until all workers hold about equally many bytes, as after some have joined. A value stays readable while it
   * moves; those with several copies stay where they are, and so does what a task is about to read. Resolves, when all have
   * moved, to how much that was.
   *
   * @example
   * ```ts
   * const { values, sizeBytes } = await client.rebalance()
   * console.log(`${values} values moved, ${sizeBytes} bytes`)
   * ```
   */
  async rebalance(): Promise<RebalanceResult> {
    return await dataCalls.rebalance(this.#session)
  }

  /**
   * Runs a function once on every worker, or on those named, and gives what it returned by the worker's name. It runs at
   * once, beside what the worker's threads are at, on a thread that such calls and other I/O tasks share: so see what a
   * worker has with it, or have it load something; don't compute there.
   *
   * The first failure rejects the whole; its `worker` says where it was.
   *
   * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` when there is no worker of a name; then it runs nowhere.
   * @throws {TimeoutError} when that takes longer than `timeoutMs`; what has not ended is cancelled.
   * @example
   * ```ts
   * const uptimes = await client.runOnWorkers(() => process.uptime()) // { 'local-1': 3.2, 'local-2': 3.1 }
   * console.log(Object.keys(uptimes).length === (await client.info()).workers.length) // => true
   * ```
   */
  async runOnWorkers<R>(fn: () => R, options?: RunOnWorkersOptions): Promise<Record<string, Awaited<R>>>
  async runOnWorkers<R = unknown>(name: PreloadedName, options?: RunOnWorkersOptions): Promise<Record<string, R>>
  async runOnWorkers(fn: TaskFunction | PreloadedName, options: RunOnWorkersOptions = {}): Promise<never> {
    const caller = this.runOnWorkers as unknown as TaskFunction
    const values = runOnWorkers({ session: this.#session, fn, options, base: this.#options, caller })
    return (await values) as never // The overloads say what they are.
  }

  /**
   * Has workers leave, given by name or address: they get nothing more, end what they run, and what only they hold moves to
   * those that stay, so that nothing is done again. Resolves when they are gone. `heddle drain` does the same. The last worker
   * with values that would be lost with it waits for another one to join (`staysBecause` in {@link Client.info}), until the
   * deadline, if there is one.
   *
   * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` when there is no worker of a name; then nobody leaves.
   * @example
   * ```ts
   * const { workers } = await client.info()
   * const old = workers.filter(({ host }) => host === 'node-7').map(({ name }) => name)
   * if (old.length > 0) await client.retireWorkers(old, { deadlineMs: 60_000 })
   * ```
   */
  async retireWorkers(workers: string | readonly string[], options: RetireOptions = {}): Promise<RetireResult> {
    this.#notForTasks('client.retireWorkers()')
    return await dataCalls.retireWorkers(this.#session, workers, options)
  }

  /**
   * Starts the cluster afresh: unfinished work and results of every client are cancelled, nothing is published any more, and
   * every worker process ends, whatever it does, and is started again. Resolves when as many workers are back.
   *
   * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` when nobody would start one of them again; then nothing happens.
   * @throws {TimeoutError} when that takes longer than `timeoutMs`, which is a minute unless you say otherwise; it names the
   * workers that are not back.
   * @example
   * ```ts
   * await client.restart({ timeoutMs: 60_000 })
   * ```
   */
  async restart(options: RestartOptions = {}): Promise<void> {
    this.#notForTasks('client.restart()')
    await dataCalls.restart(this.#session, options)
  }

  /**
   * What the cluster is doing: its workers, how many tasks are in which state, by function too, and totals.
   *
   * @example
   * ```ts
   * const { workers, tasks } = await client.info()
   * console.log(`${workers.length} workers, ${tasks.processing} tasks running`)
   * ```
   */
  async info(): Promise<ClusterStatus> {
    return await this.#session.status()
  }

  /**
   * The last lines of the logs of all workers, or of those named, and of what tasks printed there, the oldest first: up to
   * 1,000 of each worker. `heddle logs` prints them.
   *
   * @example
   * ```ts
   * await client.submit(() => console.log('weaving'))
   * for (const { worker, task, text } of await client.logs()) console.log(worker, task, text)
   * ```
   */
  async logs(...workers: readonly string[]): Promise<LogLine[]> {
    this.#notForTasks('client.logs()')
    return await reports.logs(this.#session, workers)
  }

  /**
   * What every thread of every worker ran last, in Chrome's trace format, which Perfetto and `chrome://tracing` open: written
   * to a file, if there is a path, and given. Tasks that follow each other and take less than a millisecond each are one
   * entry, which says how many they were. A worker keeps the last 10,000 entries.
   *
   * @example
   * ```ts
   * await client.timeline('trace.json') // Drop the file onto https://ui.perfetto.dev
   * ```
   */
  async timeline(path?: string): Promise<Trace> {
    this.#notForTasks('client.timeline()')
    return await reports.timeline(this.#session, path)
  }

  /**
   * Samples what the threads of workers do, for a while, and tells where their time went, by function: a tree for a flame
   * graph and a list, and a file if there is a `path`, which Chrome's developer tools and speedscope open. Threads are
   * sampled whatever they run, an endless loop too, which slows them down by a few percent. Only one that native code holds
   * can't be asked: it is listed as missing. One profile at a time can be taken of a worker.
   *
   * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` for an unknown worker, or more than 100,000 samples of a thread.
   * @example
   * ```ts
   * const { functions, threads } = await client.profile({ durationMs: 500, path: 'cluster.cpuprofile' })
   * for (const { name, selfMs } of functions.slice(0, 10)) console.log(`${Math.round(selfMs)} ms in ${name}`)
   * console.log(`${threads.length} threads`)
   * ```
   */
  async profile(options: ProfileOptions = {}): Promise<Profile> {
    this.#notForTasks('client.profile()')
    return await profile(this.#session, options)
  }

  /**
   * Writes what the scheduler knows to a file, as JSON, for a bug report: workers, clients, counts, and tasks that wait with
   * their keys and what they wait for. It has no values, no arguments and no token.
   *
   * @example
   * ```ts
   * await client.dump('heddle-dump.json')
   * ```
   */
  async dump(path: string): Promise<void> {
    this.#notForTasks('client.dump()')
    await reports.dump(this.#session, path)
  }

  /**
   * Waits until the cluster has at least `count` workers.
   *
   * @throws {TimeoutError} when that takes longer than `timeoutMs`.
   * @example
   * ```ts
   * await client.waitForWorkers(2, { timeoutMs: 30_000 }) // throws a TimeoutError if they don't come
   * ```
   */
  async waitForWorkers(count: number, options: WaitForWorkersOptions = {}): Promise<void> {
    checkOptionNames('client.waitForWorkers()', options, ['timeoutMs', 'signal'])
    if (!Number.isSafeInteger(count) || count < 0) {
      throw invalidOption(`The count of workers is ${describe(count)}; give a whole number from 0 up.`)
    }
    await this.#session.waitForWorkers(count, options.timeoutMs, options.signal)
  }

  /**
   * A semaphore of the whole cluster: `units` of it are had at once, by tasks whose option `limits` names it, and by whoever
   * calls `acquire()`. It is declared before anything that this client submits later. What had a unit gives it back however
   * it ends: a task that fails or is cancelled, a worker that dies, a client that goes.
   *
   * @throws {HeddleError} `ERR_HEDDLE_LIMIT_CONFLICT` when the name is known as another limit. If it is another client's,
   * that turns out a moment later: then it is a warning of the process, and what `acquire()` and later calls throw.
   * @example
   * ```ts
   * client.semaphore('db', 2)
   * const rows = client.map((id: number) => id * 2, [1, 2, 3], { limits: { db: 1 } }) // two at once
   * ```
   */
  semaphore(name: string, units: number): Semaphore {
    this.#session.checkOpen()
    const limit = semaphoreOf(name, units)
    this.#session.limits.declare(limit)
    return { name, units, acquire: async (options) => await this.#session.limits.acquire(limit, options) }
  }

  /**
   * A rate limit of the whole cluster: so many tasks whose option `limits` names it begin in a second, and so many calls
   * of `acquire()` return. See {@link Client.semaphore} for when it is declared and what it throws.
   *
   * @example
   * ```ts
   * client.rateLimit('api', { perSecond: 20 })
   * const pages = client.map((n: number) => `page ${n}`, [1, 2, 3], { limits: { api: 1 } })
   * ```
   */
  rateLimit(name: string, options: RateLimitOptions): RateLimit {
    this.#session.checkOpen()
    const limit = rateLimitOf(name, options)
    this.#session.limits.declare(limit)
    const { perSecond, units: burst } = limit
    return { name, perSecond, burst, acquire: async (given) => await this.#session.limits.acquire(limit, given) }
  }

  /**
   * Why a task is where it is, by its key, whoever submitted it: see {@link Future.explain}. The state is `unknown` when
   * there is no such task.
   *
   * @example
   * ```ts
   * const { state, reason, workers } = await client.explain('resize-3k9f')
   * console.log(state, reason, ...workers.map(({ name, reason }) => `${name} ${reason}`))
   * ```
   */
  async explain(key: string): Promise<Explanation> {
    checkKey(key)
    return await this.#session.explain(0, key)
  }

  /**
   * Calls back when ready tasks of this client can't run as things stand: no worker has what they need, or they name a
   * limit that nobody has declared. Told once, and again when it was over meanwhile.
   *
   * @example
   * ```ts
   * client.on('blocked', ({ functions, reason }) => console.error(`${functions.join(', ')}: ${reason}`))
   * ```
   */
  on(event: 'blocked', listener: (blocked: BlockedTasks) => void): this {
    this.#listen(event, listener, true)
    return this
  }

  /** Undoes {@link Client.on}. */
  off(event: 'blocked', listener: (blocked: BlockedTasks) => void): this {
    this.#listen(event, listener, false)
    return this
  }

  /**
   * Ends the connection, and the cluster too if `connect()` started it. Pending futures are rejected, and what this client
   * held is dropped. A second call does nothing more.
   */
  close(): Promise<void> {
    return this.#close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close()
  }

  #listen(event: string, listener: (blocked: BlockedTasks) => void, isOn: boolean): void {
    if (event !== 'blocked') throw invalidOption(`A client has no event ${describe(event)}; it has "blocked".`)
    if (typeof listener !== 'function') throw invalidOption(`The listener is ${describe(listener)}; give a function.`)
    this.#session.onBlocked(listener, isOn)
  }

  /** A future for each of the graphs. */
  #compute(
    where: string,
    graphs: Delayed<unknown> | readonly Delayed<unknown>[],
    options: ComputeOptions,
    called: TaskFunction,
  ): readonly Future<unknown>[] {
    const resolved = this.#graphOptions(where, options)
    const list: readonly unknown[] = Array.isArray(graphs) ? graphs : [graphs]
    for (const graph of list) {
      if (graph instanceof DelayedCall) continue
      if (!(graph instanceof PersistedCall)) {
        throw invalidOption(`${where} takes what delayed functions give, and not ${describe(graph)}.`)
      }
      this.#own(where, [graph.future])
    }
    const calls = list.filter((graph) => graph instanceof DelayedCall)
    const computed = this.#session.compute(calls, resolved, called)
    let next = 0
    return list.map((graph) => (graph instanceof PersistedCall ? graph.future : computed[next++]!))
  }

  #graphOptions(where: string, options: ComputeOptions): GraphOptions {
    checkOptionNames(where, options, ['fuse'])
    const { fuse = true } = options
    if (typeof fuse !== 'boolean') throw invalidOption(`fuse is ${describe(fuse)}; give true or false.`)
    const task = this.#options
    if (task.key !== undefined) {
      throw invalidOption(`The key "${task.key}" is for one task, and ${where} makes many; use a client without it.`)
    }
    if (task.rules.onDependencyError !== 'fail') {
      throw invalidOption(
        `onDependencyError is said of each function of a graph, as in delayed(fn, { onDependencyError: 'skip' }); use a client without it.`,
      )
    }
    if (task.outputs > 0)
      throw invalidOption(`A client with outputs has no graphs; use the client that it was made of.`)
    return { fuse, task }
  }

  #mapStream(
    fn: TaskFunction,
    items: AsyncIterable<unknown>,
    { inFlight, ...options }: AnyMapOptions & StreamOptions,
  ): MapStream {
    if (this.#options.outputs > 0) {
      throw invalidOption('A client with outputs maps lists only; use the client that it was made of for a stream.')
    }
    const resolved = resolveMapOptions('client.map()', options, this.#options)
    return this.#session.mapStream(fn, items, resolved, resolveInFlight(inFlight), this.map)
  }

  #map(fn: TaskFunction, items: Items, options: AnyMapOptions, called: TaskFunction): Future<never>[] {
    const where = items.are === 'item' ? 'client.map()' : 'client.starmap()'
    if ('inFlight' in options) {
      throw invalidOption(
        'inFlight is for items from an async iterable; the tasks of a list are all submitted at once.',
      )
    }
    // The overloads say what the tasks return.
    return this.#session.map(fn, items, resolveMapOptions(where, options, this.#options), called) as Future<never>[]
  }

  /** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` when a task calls. */
  #notForTasks(call: string, instead = 'It is for clients outside the cluster.'): void {
    if (this.#options.parent !== undefined) throw invalidOption(`${call} is not for tasks. ${instead}`)
  }

  /** The same, without making the futures of a large map of which there is none yet. */
  #placesOf(where: string, futures: readonly Future<unknown>[]): Places {
    const unmade = Array.isArray(futures) ? unmadeFutures(futures, this.#session) : undefined
    return unmade ?? placesOf(this.#own(where, futures))
  }

  /** Checks that these are futures, and of this client. */
  #own(where: string, futures: readonly Future<unknown>[]): readonly TaskFuture<unknown>[] {
    if (!Array.isArray(futures))
      throw invalidOption(`${where} takes an array of futures, and not ${describe(futures)}.`)
    return futures.map((future: unknown, place) => {
      if (!(future instanceof TaskFuture)) {
        throw invalidOption(`Entry ${place} given to ${where} is ${describe(future)}, and no future.`)
      }
      if (future.owner === this.#session) return future as TaskFuture<unknown>
      throw invalidOption(`Entry ${place} given to ${where} is a future of another client; give it to that one.`)
    })
  }
}

/** A copy: the list may change while its items are encoded. */
function listOf(method: string, items: Iterable<unknown>): readonly unknown[] {
  const isIterable = typeof items === 'object' && items !== null && typeof items[Symbol.iterator] === 'function'
  if (isIterable) return Array.from(items)
  throw invalidOption(`client.${method}() takes a list of items, and not ${describe(items)}.`)
}
