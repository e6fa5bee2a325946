/** Threads by Piscina. This is the only file that knows that package. */
import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { BroadcastChannel, type MessagePort, type Worker } from 'node:worker_threads'
import type * as Piscina from 'piscina'
import { collectGarbage } from '../common/node/garbage.js'
import { requirePackage } from '../common/node/require-package.js'
import { within } from '../common/node/within.js'
import { DISPOSE_TIMEOUT_MS } from '../protocol/limits.js'
import { IoThreads } from './io-threads.js'
import { isOutOfMemory, outOfMemory, resourceLimits } from './thread-heap.js'
import type { BatchEnd, PoolHost, PoolThreads, ThreadExit, ThreadPool } from './thread-pool.js'
import type { BatchReply, BatchRequest } from './thread/batch.js'
import { CollectionCount } from './thread/garbage.js'
import type { TakenCall } from './thread/stream.js'
import type { StopCall } from './thread/task-signal.js'
import type { ThreadData, ThreadMessage, ThreadStarted } from './thread/thread-message.js'

const piscina = requirePackage('piscina') as typeof Piscina

/** The file that threads start with. */
const THREAD_ENTRY = fileURLToPath(new URL('./thread/start.js', import.meta.url))

/** Names no batch: the thread that gets it is idle, and puts itself in order. */
interface IdleRequest {
  readonly [piscina.queueOptionsSymbol]: Run
}

/** A batch on its way. */
interface Run {
  /** Emits `abort` to stop it. Cheaper than an AbortController, of which each batch would need another. */
  readonly stop: EventEmitter
  wasStopped: boolean
  /** The thread that has it, once one has. */
  thread: Worker | undefined
  /** Node's number of that: a thread that is gone has none any more. */
  threadId: number
}

export class PiscinaPool implements ThreadPool {
  readonly #piscina: Piscina.Piscina<BatchRequest | IdleRequest, BatchReply>
  readonly #runs = new Map<number, Run>()
  /** How each thread that ever had a batch exits. */
  readonly #exits = new WeakMap<Worker, Promise<ThreadExit>>()
  /** Threads that have loaded their code; each emits its number here when it has. */
  readonly #started = new WeakSet<Worker>()
  readonly #starts = new EventEmitter()
  /** Where each of them looks for what is added to its batch. */
  readonly #additions = new WeakMap<Worker, MessagePort>()
  readonly #collectionCount = new CollectionCount()
  /** Heard by the tasks of all threads of this pool; each looks whether it is meant. */
  readonly #stopChannel = new BroadcastChannel(`heddle-stop-${randomUUID()}`)
  /** As that, for streams. */
  readonly #takenChannel = new BroadcastChannel(`heddle-taken-${randomUUID()}`)

  readonly #onThreadExit: PoolHost['onThreadExit']
  readonly #heap: PoolHost['heap']

  readonly canTerminate = true
  readonly io: IoThreads

  constructor({ worker, lanes, scheduler, heap, lentIn, onMessage, onError, onThreadExit }: PoolHost) {
    this.#onThreadExit = onThreadExit
    this.#heap = heap
    this.io = new IoThreads({ worker, scheduler, heap, onMessage }, this.#takenChannel.name)
    this.#piscina = new piscina.Piscina<BatchRequest | IdleRequest, BatchReply>({
      filename: THREAD_ENTRY,
      name: 'runInThread',
      minThreads: lanes.length,
      maxThreads: lanes.length,
      // Sent once to each thread, not with each batch: any of them may serve any slot.
      workerData: {
        worker,
        lanes,
        scheduler,
        heap,
        collections: this.#collectionCount.memory,
        stopChannel: this.#stopChannel.name,
        takenChannel: this.#takenChannel.name,
      } satisfies ThreadData,
      resourceLimits: resourceLimits(heap),
      // The default would block the event loop of an idle thread, and with it what its tasks left open: timers, sockets.
      atomics: 'disabled',
      recordTiming: false,
      // Any idle thread will do. We take part in the choice to learn which it was.
      loadBalancer: (task, workers) => {
        const idle = leastLent(
          workers.filter((each) => each.currentUsage === 0),
          lentIn,
        )
        if (idle === undefined) return null
        const run = task[piscina.queueOptionsSymbol] as Run
        run.thread = this.#piscina.threads.find((each) => each.threadId === idle.id)
        run.threadId = idle.id
        if (run.thread !== undefined) this.#watchExit(run.thread)
        return idle
      },
    })
    this.#piscina.on('message', (message: ThreadMessage | ThreadStarted) => {
      if (message.type === 'started') this.#onStarted(message)
      else onMessage(message)
    })
    this.#piscina.on('error', (error: unknown) => onError(error, this.#piscina.threads.length))
  }

  get threads(): PoolThreads {
    const ours = this.#piscina.threads.map(({ threadId }, i) => ({ name: `thread ${i + 1}`, threadId }))
    return [...ours, ...this.io.threadIds.map((threadId, i) => ({ name: `io thread ${i + 1}`, threadId }))]
  }

  async run(batch: BatchRequest): Promise<BatchEnd> {
    const run: Run = { stop: new EventEmitter(), wasStopped: false, thread: undefined, threadId: -1 }
    this.#runs.set(batch.thread, run)
    try {
      const task = Object.assign(batch, { [piscina.queueOptionsSymbol]: run })
      const reply = await this.#piscina.run(task, { signal: run.stop, transferList: memoryOf(batch) })
      return { type: 'replied', reply }
    } catch (error) {
      const { threadId, wasStopped: wasTerminated } = run
      const exit = await this.#exitOf(run.thread, error)
      return { type: 'exited', threadId, wasTerminated, ...(wasTerminated ? { ...exit, ...TERMINATED } : exit) }
    } finally {
      this.#runs.delete(batch.thread)
    }
  }

  extend(added: BatchRequest): void {
    const thread = this.#runs.get(added.thread)?.thread
    // A thread that has not begun yet is not about to end either: it goes without.
    if (thread !== undefined) this.#additions.get(thread)?.postMessage(added, memoryOf(added))
  }

  tellToStop(call: StopCall): void {
    this.#stopChannel.postMessage(call)
  }

  tellTaken(call: TakenCall): void {
    this.#takenChannel.postMessage(call)
  }

  terminate(thread: number): void {
    const run = this.#runs.get(thread)
    if (run === undefined) return
    run.wasStopped = true
    run.stop.emit('abort')
  }

  terminateThread(threadId: number): void {
    void this.#piscina.threads.find((each) => each.threadId === threadId)?.terminate()
  }

  collect(): void {
    this.#collectionCount.askAll()
    collectGarbage()
    this.io.collect()
    void this.#runInIdle('collectInThread')
  }

  /** Node aborts the whole process when a thread is terminated amid linking its modules, so each may load them first. */
  async close(): Promise<void> {
    await Promise.all(this.#piscina.threads.map((thread) => this.#startOf(thread)))
    await Promise.all([this.#closeThreads(), this.io.close()])
    this.#stopChannel.close()
    this.#takenChannel.close()
  }

  async #closeThreads(): Promise<void> {
    await within(DISPOSE_TIMEOUT_MS, this.#runInIdle('disposeInThread'))
    await this.#piscina.destroy()
  }

  /** Runs a function of the threads' entry file in every thread that is idle. Resolves when all are done. */
  async #runInIdle(name: string): Promise<void> {
    const idle: Promise<unknown>[] = []
    // Each goes to an idle thread of its own: they are given out before any of them can end.
    for (let count = this.#piscina.threads.length - this.#runs.size; count > 0; count--) {
      const run: Run = { stop: new EventEmitter(), wasStopped: false, thread: undefined, threadId: -1 }
      // One that dies meanwhile has nothing left to put in order.
      idle.push(this.#piscina.run({ [piscina.queueOptionsSymbol]: run }, { name }).catch(() => undefined))
    }
    await Promise.all(idle)
  }

  #onStarted({ threadId, additions }: ThreadStarted): void {
    const thread = this.#piscina.threads.find((each) => each.threadId === threadId)
    if (thread !== undefined) {
      this.#started.add(thread)
      this.#additions.set(thread, additions)
    }
    this.#starts.emit(String(threadId))
  }

  async #startOf(thread: Worker): Promise<void> {
    if (this.#started.has(thread)) return
    thread.ref() // Nothing else may be left that keeps this process from ending.
    const stop = new AbortController()
    const { signal } = stop
    await Promise.race([once(this.#starts, String(thread.threadId), { signal }), once(thread, 'exit', { signal })])
    stop.abort()
  }

  #watchExit(thread: Worker): void {
    if (this.#exits.has(thread)) return
    const { threadId } = thread
    let error: unknown
    thread.once('error', (why: unknown) => (error = why))
    const exited = new Promise<ThreadExit>((resolve) => {
      thread.once('exit', (exitCode) => resolve(exitOf(exitCode, error, this.#heap)))
    })
    this.#exits.set(thread, exited)
    void exited.then((exit) => {
      for (const run of this.#runs.values()) if (run.thread === thread) return // It tells of that itself.
      this.#onThreadExit(threadId, exit)
    })
  }

  /** Waits until the thread is really gone, for until then it may still run what it ran. */
  async #exitOf(thread: Worker | undefined, error: unknown): Promise<ThreadExit> {
    // Does nothing to a thread that exited by itself; one that failed otherwise must not go on.
    await thread?.terminate()
    const exit = thread === undefined ? undefined : await this.#exits.get(thread)
    return exit ?? exitOf(1, error, this.#heap)
  }
}

/** What goes to a thread with a batch, and not as a copy. */
function memoryOf({ args, inputs, inputValues }: BatchRequest): ArrayBuffer[] {
  const buffers = [args.bytes.buffer as ArrayBuffer]
  if (inputs.length > 0) buffers.push(inputValues.bytes.buffer as ArrayBuffer)
  return buffers
}

/** Of those that are idle, the one where least goes on that waited for other tasks. */
function leastLent<W extends { readonly id: number }>(idle: readonly W[], lentIn: PoolHost['lentIn']): W | undefined {
  let best: W | undefined
  let least = Infinity
  for (const each of idle) {
    const { count, resumed } = lentIn(each.id)
    const lent = count + resumed * MANY
    if (lent < least) {
      best = each
      least = lent
    }
    if (lent === 0) break
  }
  return best
}

/** One that goes on counts more than any number that wait. */
const MANY = 2 ** 20

const TERMINATED = { reason: 'its thread was terminated', isOutOfMemory: false } as const

function exitOf(code: number, error: unknown, heap: PoolHost['heap']): ThreadExit {
  // As the operating system would see it: `process.exit(-1)` is 255.
  const exitCode = code & 255
  if (isOutOfMemory(error)) return outOfMemory(exitCode, heap, 'its thread has')
  const reason =
    error === undefined
      ? `its thread exited with code ${exitCode}; a task must return or throw, not call process.exit()`
      : `its thread failed: ${String((error as { readonly message?: unknown }).message)}`
  return { exitCode, reason, isOutOfMemory: false }
}
