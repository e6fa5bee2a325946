/**
 * A cluster on this machine, for as long as this program lives: a scheduler and workers as child processes, reachable on
 * loopback only. They end with the program that started them, however it ends.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { availableParallelism, hostname, tmpdir } from 'node:os'
import { Child, describeExit, type ChildExit } from '../common/node/child-process.js'
import { createLog } from '../common/node/log.js'
import type { Supervisor } from '../common/node/supervisor.js'
import { ERROR_CODES, HeddleError, TimeoutError, type ErrorCode } from '../protocol/errors.js'
import { superviseWorker } from '../worker/nanny.js'
import { defaultDiskLimitBytes, defaultMemoryLimitBytes } from '../worker/options.js'
import { askScheduler } from './ask-scheduler.js'
import { resolveLocalOptions, type LocalClusterOptions, type ResolvedLocalOptions } from './local-options.js'

const SCHEDULER_ENTRY = new URL('../scheduler/main.js', import.meta.url)
/** Longer than a timer can wait is as good as never. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1
/** What a process may take to end by itself. Results go with the cluster, so there is little to end. */
const CLOSE_GRACE_MS = 1_000

/**
 * A scheduler and workers as child processes of this program.
 *
 * @example
 * ```ts
 * await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1, memoryLimit: '2GiB' })
 * await using client = await connect(cluster)
 * ```
 */
export class LocalCluster implements AsyncDisposable {
  /** Where clients connect: `ws://127.0.0.1:…`. */
  readonly address: string
  /** The address of the status page. */
  readonly statusPage: string
  readonly #scheduler: Child
  readonly #workers: readonly Supervisor[]
  #closed: Promise<void> | undefined

  private constructor(port: number, scheduler: Child, workers: readonly Supervisor[]) {
    this.address = `ws://127.0.0.1:${port}`
    this.statusPage = `http://127.0.0.1:${port}/`
    this.#scheduler = scheduler
    this.#workers = workers
  }

  /**
   * Starts a cluster, and resolves when all its workers have joined. By default it has as many threads as the machine
   * has cores, over at most four workers.
   *
   * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION`, `ERR_HEDDLE_TIMEOUT`, or why a process could not start.
   * @throws The reason of `signal`, when it aborts before that. Nothing of the cluster is left then.
   */
  static async start(options: LocalClusterOptions = {}): Promise<LocalCluster> {
    const resolved = resolveLocalOptions(options, availableParallelism())
    const { signal, timeoutMs } = resolved
    signal?.throwIfAborted()
    // We choose the port and hand the socket over: who dials it before the scheduler is up is kept waiting, not refused.
    const listener = await listenOnLoopback()
    if (signal?.aborted === true) {
      listener.close()
      throw signal.reason
    }
    const { port } = listener.address() as AddressInfo
    const env = { HEDDLE_LOG_LEVEL: resolved.logLevel, HEDDLE_TOKEN: undefined }
    const scheduler = new Child({ entry: SCHEDULER_ENTRY, env, listener })
    listener.close()
    const cluster = new LocalCluster(port, scheduler, startWorkers(`ws://127.0.0.1:${port}`, resolved))
    const givenUp = new AbortController()
    const onAbort = (): void => givenUp.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    const onTimeout = (): void => givenUp.abort(cluster.#lateness(timeoutMs))
    const timer = setTimeout(onTimeout, Math.min(timeoutMs, MAX_TIMEOUT_MS))
    try {
      await Promise.race([cluster.#joined(givenUp.signal), cluster.#failed(), rejectedBy(givenUp.signal)])
    } catch (error) {
      givenUp.abort(error)
      await cluster.close()
      throw error
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    // From here on nothing of the cluster keeps this program from ending.
    scheduler.unref()
    for (const worker of cluster.#workers) worker.unref()
    return cluster
  }

  /** Process ids, of the scheduler first. */
  get pids(): readonly number[] {
    return [this.#scheduler.pid, ...this.#workers.map(({ pid }) => pid)].filter((pid) => pid !== undefined)
  }

  /** Ends all processes. Work that is not done is lost. A second call does nothing more. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop(CLOSE_GRACE_MS)))
    await this.#scheduler.stop(CLOSE_GRACE_MS)
  }

  async #joined(signal: AbortSignal): Promise<void> {
    await askScheduler(this.address, {
      name: `LocalCluster on ${hostname()}`,
      timeoutMs: MAX_TIMEOUT_MS, // The signal comes before.
      signal,
      question: { type: 'await-workers', request: 1, count: this.#workers.length },
      answer: 'workers-present',
    })
  }

  #lateness(timeoutMs: number): TimeoutError {
    const count = this.#workers.length
    const message = `The cluster's ${count} workers did not join in ${timeoutMs} ms; see the log on standard error, or wait longer.`
    return new TimeoutError(message)
  }

  /** Rejects as soon as a process gives up before everything is up. */
  async #failed(): Promise<never> {
    const scheduler = this.#scheduler.exited.then((exit): never => {
      throw errorOfExit(exit)
    })
    const workers = this.#workers.map(async (worker): Promise<never> => {
      const end = await worker.ended
      if (end.type === 'gave-up') throw new HeddleError(knownCode(end.code), end.message)
      throw new HeddleError('ERR_HEDDLE_CLOSED', 'The cluster was closed while it started.')
    })
    return await Promise.race([scheduler, ...workers])
  }
}

function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}

function listenOnLoopback(): Promise<Server> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(server))
  })
}

function startWorkers(address: string, options: ResolvedLocalOptions): Supervisor[] {
  const { threads, name, logLevel } = options
  const memoryLimitBytes = options.memoryLimitBytes ?? Math.floor(defaultMemoryLimitBytes() / threads.length)
  return threads.map((count, index) => {
    const workerName = `${name}-${index + 1}`
    const log = createLog({ level: logLevel, format: 'text', name: workerName })
    const worker = superviseWorker(
      {
        schedulerUrl: address,
        name: workerName,
        threads: count,
        memoryLimitBytes,
        threadHeapBytes: options.threadHeapBytes,
        // Workers share the disk.
        diskLimitBytes: options.diskLimitBytes ?? Math.floor(defaultDiskLimitBytes(tmpdir()) / threads.length),
        resources: options.resources,
        ioTasks: options.ioTasks,
        tags: options.tags,
        preload: options.preload,
        remoteCode: options.remoteCode,
        incarnation: randomUUID(),
        logLevel,
        logFormat: 'text',
      },
      log,
    )
    void worker.ended.then((end) => {
      if (end.type === 'gave-up') log.error({}, `this worker is not started again: ${end.message}`)
    })
    return worker
  })
}

function errorOfExit(exit: ChildExit): HeddleError {
  const { code, message } = exit.failure ?? {
    code: 'ERR_HEDDLE_SCHEDULER_UNREACHABLE',
    message: `The cluster's scheduler ended while it started: ${describeExit(exit)}; see the log on standard error.`,
  }
  return new HeddleError(knownCode(code), message)
}

function knownCode(code: string): ErrorCode {
  return ERROR_CODES.find((each) => each === code) ?? 'ERR_HEDDLE_FATAL'
}
