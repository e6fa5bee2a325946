/**
 * `heddle/pool`: the part of Piscina's API that programs use, on a cluster. A program that has a pool of threads moves to
 * many machines by changing one import.
 *
 * @module heddle/pool
 */
/// <reference types="node" preserve="true" />
import { EventEmitter } from 'node:events'
import { availableParallelism } from 'node:os'
import { HeddleError } from '../protocol/errors.js'
import { Client } from './client.js'
import { connect, type Cluster } from './connect.js'
import type { Future } from './future.js'
import { checkOptionNames, describe, invalidOption } from './options.js'
import { PoolRun, type Abortable } from './pool-run.js'

export type { Abortable } from './pool-run.js'

/** Options of a {@link Pool}. */
export interface PoolOptions {
  /**
   * The module with the functions that run as tasks: a `file:` URL or an absolute path, in JavaScript or TypeScript, an ES
   * module or CommonJS. It is bundled with all that it imports. `run()` may name another.
   */
  readonly filename?: string | URL | null | undefined
  /** Which export of the module runs. Default: `default`. `run()` may name another. */
  readonly name?: string | null | undefined
  /**
   * How many tasks may wait beyond those for which the cluster has threads: `run()` rejects further ones. `'auto'` is the
   * square of the count of threads. Default: no limit.
   */
  readonly maxQueue?: number | 'auto' | undefined
  /** The client to use. It stays open when the pool is destroyed. */
  readonly client?: Client | undefined
  /** The cluster to connect to. Default, if there is no `client` either: what `connect()` connects to. */
  readonly cluster?: Cluster | undefined
}

/** Options of {@link Pool.run}. */
export interface PoolRunOptions {
  /** ArrayBuffers that the caller gives up: they are detached once the task has them. */
  readonly transferList?: readonly ArrayBuffer[] | undefined
  /** As in {@link PoolOptions}, for this task. */
  readonly filename?: string | URL | null | undefined
  /** As in {@link PoolOptions}, for this task. */
  readonly name?: string | null | undefined
  /** Stops the task when it emits `abort`: an AbortSignal or an EventEmitter. The promise is rejected with an `AbortError`. */
  readonly signal?: Abortable | null | undefined
}

/** What a pool was made with, its defaults filled in. */
export interface FilledPoolOptions {
  /** The module of `run()` calls that name none. */
  readonly filename: string | URL | null
  /** The export of `run()` calls that name none. */
  readonly name: string
  /** How many tasks may wait; `'auto'` worked out for the threads that the cluster has now. */
  readonly maxQueue: number
}

const OPTIONS = ['filename', 'name', 'maxQueue', 'client', 'cluster']
const RUN_OPTIONS = ['transferList', 'filename', 'name', 'signal']
/** Why other options of Piscina have no place here. */
const OTHERS: Readonly<Record<string, string>> = {
  minThreads: 'threads belong to the cluster: set them with LocalCluster or "heddle worker join --threads"',
  maxThreads: 'threads belong to the cluster: set them with LocalCluster or "heddle worker join --threads"',
  idleTimeout: 'threads belong to the cluster, and stay as long as its workers do',
  concurrentTasksPerWorker: 'a thread runs one task at a time',
  resourceLimits: 'memory belongs to the cluster: set it with LocalCluster or "heddle worker join --memory-limit"',
  env: 'tasks see the environment of their worker',
  argv: 'tasks see the arguments of their worker; pass values in the task',
  execArgv: 'tasks see the arguments of their worker; set NODE_OPTIONS where the worker starts',
  workerData: 'pass values in the task, or scatter them once with client.scatter()',
  taskQueue: 'the scheduler has the queue',
  niceIncrement: 'start the worker with nice',
  closeTimeout: 'close() waits for all tasks, and destroy() for none',
  recordTiming: 'the status page and client.info() have the times of each function',
}

/**
 * A pool of threads as Piscina has it, whose threads are those of a cluster.
 *
 * Emits `needsDrain` when it has as many tasks as the cluster has threads, `drain` when it has fewer again, `error` when it
 * can't connect and no `run()` hears of it, and `close` after {@link Pool.close}.
 *
 * @example
 * ```ts
 * import { Pool } from 'heddle/pool'
 *
 * const pool = new Pool({ filename: new URL('./worker.js', import.meta.url).href })
 * console.log(await pool.run({ a: 4, b: 6 })) // => 10
 * await pool.destroy()
 * ```
 */
// As Piscina's: a program that says nothing of its types compiles on.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export class Pool<T = any, R = any> extends EventEmitter implements AsyncDisposable {
  readonly #filename: string | URL | null
  readonly #name: string
  readonly #maxQueue: number | 'auto'
  readonly #isOwner: boolean
  readonly #runs = new Set<PoolRun<R>>()
  readonly #startedAtMs = performance.now()
  readonly #giveUp = new AbortController()
  readonly #opening: Promise<Client | undefined>
  #client: Client | undefined
  /** Why there is no client and never will be. */
  #failure: unknown
  /** Until the cluster has said how many it has: as many as a cluster of this machine would have. */
  #threads = availableParallelism()
  #isCounting = false
  #completed = 0
  #needsDrain = false
  #isClosed = false
  #ended: Promise<void> | undefined

  /** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION`, saying what to do about an option that only threads of one process can have. */
  constructor(options: PoolOptions = {}) {
    super()
    for (const name of Object.keys(options)) {
      const why = OTHERS[name]
      if (why !== undefined) throw invalidOption(`A heddle Pool has no option "${name}"; leave it out: ${why}.`)
    }
    checkOptionNames('Pool', options, OPTIONS)
    const { filename, name, maxQueue = Infinity, client, cluster } = options
    this.#filename = checkedFilename(filename) ?? null
    this.#name = checkedName(name) ?? 'default'
    this.#maxQueue = checkedMaxQueue(maxQueue)
    if (client !== undefined && cluster !== undefined)
      throw invalidOption('Give a Pool a client or a cluster, not both.')
    if (client !== undefined && !(client instanceof Client)) {
      throw invalidOption(`client is ${describe(client)}; give what connect() resolves to.`)
    }
    this.#isOwner = client === undefined
    this.#client = client
    this.#opening = client === undefined ? this.#open(cluster) : Promise.resolve(client)
    if (client !== undefined) this.#countThreads()
  }

  /** How many of its tasks wait for a thread, as far as the pool can know: those beyond the threads of the cluster. */
  get queueSize(): number {
    return Math.max(0, this.#runs.size - this.#threads)
  }

  /** How many tasks have ended, well or badly. Those that were stopped don't count. */
  get completed(): number {
    return this.#completed
  }

  /** Has it as many tasks as the cluster has threads, or more? */
  get needsDrain(): boolean {
    return this.#needsDrain
  }

  /** Milliseconds since the pool was made. */
  get duration(): number {
    return performance.now() - this.#startedAtMs
  }

  /** What it was made with. */
  get options(): FilledPoolOptions {
    return Object.freeze({ filename: this.#filename, name: this.#name, maxQueue: this.#queueLimit })
  }

  /**
   * Runs a function of the module with `task` as its one argument.
   *
   * @throws {HeddleError} As a rejection: `ERR_HEDDLE_QUEUE_FULL` past `maxQueue`, `ERR_HEDDLE_CLOSED` after `close()` or
   * `destroy()`, `ERR_HEDDLE_INVALID_OPTION`; and whatever the task throws.
   * @example
   * ```ts
   * import { Pool } from 'heddle/pool'
   *
   * await using pool = new Pool({ filename: new URL('./worker.js', import.meta.url).href })
   * console.log(await pool.run({ a: 4, b: 6 }, { name: 'multiply', signal: AbortSignal.timeout(60_000) })) // => 24
   * ```
   */
  async run(task: T, options: PoolRunOptions = {}): Promise<R> {
    checkOptionNames('pool.run()', options, RUN_OPTIONS)
    const filename = checkedFilename(options.filename) ?? this.#filename
    const name = checkedName(options.name) ?? this.#name
    const transferList = checkedTransferList(options.transferList ?? [])
    if (filename === null) throw invalidOption('The pool has no filename; give it one, or give one to run().')
    if (this.#isClosed) throw closedError()
    if (this.#failure !== undefined) throw this.#failure as Error
    if (this.#runs.size >= this.#threads + this.#queueLimit) throw this.#fullError()
    const run = new PoolRun<R>(options.signal ?? undefined)
    this.#runs.add(run)
    this.#look()
    const submit = (client: Client | undefined): void => {
      if (client === undefined || run.isAborted) return
      run.start(() => {
        const functions = client.module<Record<string, (task: unknown) => unknown>>(filename)
        const future = client.submit(functions[name]!, task)
        for (const buffer of transferList) structuredClone(undefined, { transfer: [buffer] })
        // The compiler knows nothing of the module; what its function gives is what the caller says.
        return future as Future<R>
      })
    }
    if (this.#client === undefined) void this.#opening.then(submit)
    else submit(this.#client)
    try {
      return await run.outcome
    } finally {
      this.#runs.delete(run)
      if (!run.isAborted) this.#completed += 1
      this.#look()
    }
  }

  /**
   * Takes no more tasks, waits for those it has, and disconnects, unless the client was given.
   *
   * @example
   * ```ts
   * import { Pool } from 'heddle/pool'
   *
   * const pool = new Pool({ filename: new URL('./worker.js', import.meta.url).href })
   * const sums = [1, 2, 3].map((n) => pool.run({ a: n, b: n }))
   * await pool.close()
   * console.log(await Promise.all(sums)) // => [ 2, 4, 6 ]
   * ```
   */
  async close(options: { readonly force?: false | undefined } = {}): Promise<void> {
    checkOptionNames('pool.close()', options, ['force'])
    if ((options.force as unknown) === true) {
      throw invalidOption('pool.close() knows no force: the pool can’t tell what has started; use pool.destroy().')
    }
    this.#isClosed = true
    while (this.#runs.size > 0) await Promise.allSettled([...this.#runs].map(({ outcome }) => outcome))
    await this.#end()
    this.emit('close')
  }

  /** Stops all its tasks, whose promises are rejected, and disconnects, unless the client was given. */
  async destroy(): Promise<void> {
    this.#isClosed = true
    const reason = closedError()
    await Promise.all([...this.#runs].map((run) => run.abort(reason)))
    await this.#end()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #queueLimit(): number {
    return this.#maxQueue === 'auto' ? this.#threads ** 2 : this.#maxQueue
  }

  async #open(cluster: Cluster | undefined): Promise<Client | undefined> {
    const { signal } = this.#giveUp
    try {
      this.#client = await (cluster === undefined ? connect({ signal }) : connect(cluster, { signal }))
    } catch (error) {
      if (!signal.aborted) this.#fail(error)
      return undefined
    }
    this.#countThreads()
    return this.#client
  }

  /** Whoever ran something hears of it there; else nobody would but by this event. */
  #fail(error: unknown): void {
    this.#failure = error
    const hasRuns = this.#runs.size > 0
    for (const run of this.#runs) run.fail(error)
    if (!hasRuns) this.emit('error', error)
  }

  #end(): Promise<void> {
    this.#giveUp.abort()
    return (this.#ended ??= this.#opening.then((client) => (this.#isOwner ? client?.close() : undefined)))
  }

  /** Workers come and go: asked when the pool begins to be full, since only then it matters. */
  #countThreads(): void {
    if (this.#isCounting || this.#client === undefined) return
    this.#isCounting = true
    const counted = this.#client.info().then(
      ({ workers }) => {
        this.#threads = workers.reduce((sum, { threads }) => sum + threads, 0)
        this.#look({ isCounted: true })
      },
      () => undefined, // The client is closed: every run says so.
    )
    void counted.finally(() => (this.#isCounting = false))
  }

  /** Something came or went. */
  #look({ isCounted = false } = {}): void {
    const isFull = this.#runs.size > 0 && this.#runs.size >= this.#threads
    if (isFull === this.#needsDrain) return
    this.#needsDrain = isFull
    if (isFull && !isCounted) this.#countThreads()
    queueMicrotask(() => this.emit(isFull ? 'needsDrain' : 'drain'))
  }

  #fullError(): HeddleError {
    const message = `The pool has ${this.#runs.size} tasks for ${this.#threads} threads, and may have no more than ${this.#queueLimit} waiting; wait for its event "drain".`
    return new HeddleError('ERR_HEDDLE_QUEUE_FULL', message, { retryable: true })
  }
}

function closedError(): HeddleError {
  return new HeddleError('ERR_HEDDLE_CLOSED', 'The pool is closed; make another one with new Pool().')
}

function checkedFilename(filename: unknown): string | URL | undefined {
  if (filename === undefined || filename === null) return undefined
  if (typeof filename === 'string' || filename instanceof URL) return filename
  throw invalidOption(`filename is ${describe(filename)}; give an absolute path or a file: URL.`)
}

function checkedName(name: unknown): string | undefined {
  if (name === undefined || name === null) return undefined
  if (typeof name === 'string' && name !== '' && name !== 'then') return name
  throw invalidOption(`name is ${describe(name)}; give the name of an export.`)
}

function checkedMaxQueue(maxQueue: unknown): number | 'auto' {
  if (maxQueue === 'auto' || (typeof maxQueue === 'number' && maxQueue >= 0)) return maxQueue
  throw invalidOption(`maxQueue is ${describe(maxQueue)}; give a number from 0 up, or "auto".`)
}

function checkedTransferList(list: unknown): readonly ArrayBuffer[] {
  if (!Array.isArray(list)) throw invalidOption(`transferList is ${describe(list)}; give an array of ArrayBuffers.`)
  const wrong: unknown = list.find((each) => !(each instanceof ArrayBuffer))
  if (wrong === undefined) return list as ArrayBuffer[]
  throw invalidOption(`transferList has ${describe(wrong)}; only an ArrayBuffer can move to another machine.`)
}
