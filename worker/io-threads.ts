/**
 * The thread in which tasks without a thread of their own run, all at once. It is started with the first of them. Another
 * takes its place when it dies, and when it has loaded so much code that it should not get more.
 */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { within } from '../common/node/within.js'
import { unreachable } from '../common/assert.js'
import { DISPOSE_TIMEOUT_MS } from '../protocol/limits.js'
import type { StopCause } from './core/stopping.js'
import { isOutOfMemory, outOfMemory, resourceLimits } from './thread-heap.js'
import { CLOSED, type IoEnd, type IoPool, type PoolHost, type ThreadExit } from './thread-pool.js'
import type { BatchRequest } from './thread/batch.js'
import type { FromIoThread, IoThreadData, ToIoThread } from './thread/io-message.js'
import type { ThreadMessage } from './thread/thread-message.js'

/** The file that the thread starts with. */
const THREAD_ENTRY = fileURLToPath(new URL('./thread/io-main.js', import.meta.url))

interface Run {
  readonly settle: (end: IoEnd) => void
  isListening: boolean
}

export class IoThreads implements IoPool {
  readonly #host: Pick<PoolHost, 'worker' | 'scheduler' | 'heap' | 'onMessage'>
  /** By slot, wherever it runs. */
  readonly #threads = new Map<number, IoThread>()
  /** Gets the next task. */
  #current: IoThread | undefined
  readonly #live = new Set<IoThread>()
  #isClosed = false

  /** Name of the broadcast channel on which streams hear what was taken of them. */
  readonly #takenChannel: string

  constructor(host: Pick<PoolHost, 'worker' | 'scheduler' | 'heap' | 'onMessage'>, takenChannel: string) {
    this.#host = host
    this.#takenChannel = takenChannel
  }

  /** Node's numbers of the threads that there are. */
  get threadIds(): readonly number[] {
    return [...this.#live].map((thread) => thread.threadId)
  }

  async run(request: BatchRequest): Promise<IoEnd> {
    if (this.#isClosed) return { type: 'exited', ...CLOSED, isCulprit: true }
    const thread = (this.#current ??= this.#start())
    this.#threads.set(request.thread, thread)
    try {
      return await thread.run(request)
    } finally {
      this.#threads.delete(request.thread)
    }
  }

  tellToStop(slot: number, cause: StopCause): boolean {
    return this.#threads.get(slot)?.tellToStop(slot, cause) ?? false
  }

  collect(): void {
    for (const thread of this.#live) thread.collect()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#live].map((thread) => thread.close()))
  }

  #start(): IoThread {
    const thread = new IoThread({
      worker: this.#host.worker,
      scheduler: this.#host.scheduler,
      heap: this.#host.heap,
      takenChannel: this.#takenChannel,
      onMessage: (message) => this.#host.onMessage(message),
      onRetired: () => {
        if (this.#current === thread) this.#current = undefined
      },
      onExit: () => this.#live.delete(thread),
    })
    this.#live.add(thread)
    return thread
  }
}

interface IoThreadOptions {
  /** The worker's name. */
  readonly worker: string
  readonly scheduler: PoolHost['scheduler']
  readonly heap: PoolHost['heap']
  readonly takenChannel: string
  readonly onMessage: (message: ThreadMessage) => void
  /** It takes no more tasks. */
  readonly onRetired: () => void
  readonly onExit: () => void
}

class IoThread {
  readonly #options: IoThreadOptions
  readonly #worker: Worker
  readonly #runs = new Map<number, Run>()
  /** It has loaded its code, or is gone. */
  readonly #started: Promise<unknown>
  readonly #exited: Promise<void>
  #isRetired = false
  #onDisposed: (() => void) | undefined
  /** The slot whose task ended the thread. */
  #culprit: number | undefined
  #error: unknown

  constructor(options: IoThreadOptions) {
    this.#options = options
    const { worker, scheduler, takenChannel } = options
    const workerData = { worker, scheduler, takenChannel } satisfies IoThreadData
    this.#worker = new Worker(THREAD_ENTRY, { workerData, resourceLimits: resourceLimits(options.heap) })
    this.#started = Promise.race([once(this.#worker, 'message'), once(this.#worker, 'exit')]).catch(() => undefined)
    this.#worker.on('message', (message: FromIoThread) => this.#onMessage(message))
    this.#worker.on('error', (error: unknown) => (this.#error = error))
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (exitCode) => {
        this.#onExit(exitCode)
        resolve()
      })
    })
  }

  get threadId(): number {
    return this.#worker.threadId
  }

  run(request: BatchRequest): Promise<IoEnd> {
    const ended = new Promise<IoEnd>((settle) => this.#runs.set(request.thread, { settle, isListening: false }))
    const transferList = [request.args.bytes.buffer as ArrayBuffer]
    if (request.inputs.length > 0) transferList.push(request.inputValues.bytes.buffer as ArrayBuffer)
    this.#worker.postMessage({ type: 'run', request } satisfies ToIoThread, transferList)
    return ended
  }

  /** One that has not taken its signal may be about to. */
  tellToStop(slot: number, cause: StopCause): boolean {
    this.#worker.postMessage({ type: 'stop', slot, cause } satisfies ToIoThread)
    return this.#runs.get(slot)?.isListening === true
  }

  collect(): void {
    this.#worker.postMessage({ type: 'collect' } satisfies ToIoThread)
  }

  /** Node aborts the whole process when a thread is terminated amid linking its modules, so it may load them first. */
  async close(): Promise<void> {
    await this.#started
    const disposed = new Promise<void>((resolve) => (this.#onDisposed = resolve))
    this.#worker.postMessage({ type: 'dispose', worker: this.#options.worker } satisfies ToIoThread)
    await within(DISPOSE_TIMEOUT_MS, Promise.race([disposed, this.#exited]))
    await this.#worker.terminate()
    await this.#exited
  }

  #onMessage(message: FromIoThread): void {
    switch (message.type) {
      case 'ended': {
        const { slot, outcome, isWornOut } = message
        const run = this.#runs.get(slot)
        this.#runs.delete(slot)
        run?.settle(outcome === undefined ? { type: 'orphaned' } : { type: 'ended', outcome })
        if (isWornOut || this.#isRetired) this.#retire()
        break
      }
      case 'listening': {
        const run = this.#runs.get(message.slot)
        if (run !== undefined) run.isListening = true
        break
      }
      case 'exiting':
        this.#culprit = message.slot
        this.#retire()
        break
      case 'log':
      case 'chunk':
      case 'report':
        this.#options.onMessage(message)
        break
      case 'disposed':
        this.#onDisposed?.()
        break
      case 'started':
        break
      default:
        unreachable(message)
    }
  }

  /** What it runs may end, and then it goes. */
  #retire(): void {
    if (!this.#isRetired) this.#options.onRetired()
    this.#isRetired = true
    if (this.#runs.size === 0) void this.close()
  }

  #onExit(exitCode: number): void {
    this.#options.onRetired()
    this.#options.onExit()
    const exit = exitOf(this.#error, exitCode, this.#options.heap)
    for (const [slot, { settle }] of this.#runs) {
      const isCulprit = this.#culprit === undefined || this.#culprit === slot
      settle({ type: 'exited', ...exit, isCulprit })
    }
    this.#runs.clear()
  }
}

function exitOf(error: unknown, exitCode: number, heap: PoolHost['heap']): ThreadExit {
  if (isOutOfMemory(error)) return outOfMemory(exitCode, heap, 'all tasks without a thread of their own share')
  const reason =
    error === undefined
      ? `exited with code ${exitCode}; a task must return or throw, not call process.exit()`
      : `failed: ${String((error as { readonly message?: unknown }).message)}`
  return { exitCode, reason: `the thread that it shared ${reason}`, isOutOfMemory: false }
}
