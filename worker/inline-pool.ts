/**
 * A pool without threads: tasks run in the thread that made it, in between what that thread does. For `inline:`
 * clusters, where a breakpoint in the caller's own function must be hit.
 */
import { HeddleError } from '../protocol/errors.js'
import type { CodeHash } from '../protocol/ids.js'
import type { TaskRoute } from '../client/in-task.js'
import type { StopCause } from './core/stopping.js'
import { CLOSED, type BatchEnd, type IoEnd, type IoPool, type PoolHost, type ThreadPool } from './thread-pool.js'
import { takeAdded } from './thread/added.js'
import { ArrayIds } from './thread/array-ids.js'
import type { BatchHost, BatchRequest, FunctionPlace } from './thread/batch.js'
import { loadFunction, type TaskFunction } from './thread/code.js'
import { outsideTasks } from './thread/current-task.js'
import { IoTasks } from './thread/io-task.js'
import { disposeLocals } from './thread/locals.js'
import { runBatch } from './thread/run-batch.js'
import { onTakenCall, type TakenCall } from './thread/stream.js'
import { onStopCall, type StopCall } from './thread/task-signal.js'

export interface InlinePoolOptions {
  readonly host: PoolHost
  /** The caller's own function of this code, if it is one; other code is loaded as in a thread. */
  readonly functionOf: (code: CodeHash) => TaskFunction | undefined
  /** How tasks reach the cluster, in memory. */
  readonly dial?: Pick<TaskRoute, 'dialScheduler' | 'dialHolder'>
}

export class InlinePool implements ThreadPool {
  /** Code that runs in this thread cannot be stopped from this thread. */
  readonly canTerminate = false
  readonly io: IoPool
  readonly threads = 'this'
  readonly #options: InlinePoolOptions
  /** Slots whose tasks have taken their signals. */
  readonly #listening = new Set<number>()
  /** Slots whose tasks begin in the next turn. */
  readonly #waiting = new Set<number>()
  /** By slot: what was added to the batch that runs. */
  readonly #added = new Map<number, BatchRequest[]>()
  readonly #ioTasks: IoTasks
  readonly #batchHost: BatchHost
  #isClosed = false

  constructor(options: InlinePoolOptions) {
    this.#options = options
    const { lanes, worker, scheduler, onMessage } = options.host
    const arrayIds = new ArrayIds(scheduler?.arrayIds)
    const route = {
      address: 'inline:',
      token: undefined,
      tls: undefined,
      worker,
      takeArrayIds: () => arrayIds.take(),
      ...options.dial,
    }
    const load = (template: FunctionPlace): TaskFunction | Promise<TaskFunction> => this.#load(template)
    this.#ioTasks = new IoTasks({
      loadFunction: load,
      onListening: (slot) => this.#listening.add(slot),
      tell: onMessage,
      route,
    })
    this.#batchHost = {
      threadId: 0,
      lanes,
      loadFunction: load,
      tell: onMessage,
      takeAdded: (behind) => takeAdded(() => this.#added.get(behind.thread)?.shift(), behind),
      route,
    }
    this.io = { run: (request) => this.#runIo(request), tellToStop: (slot, cause) => this.#tellIoToStop(slot, cause) }
  }

  async run(batch: BatchRequest): Promise<BatchEnd> {
    // What is to be sent in this turn leaves first: a task may take long.
    await new Promise((resolve) => setImmediate(resolve))
    if (this.#isClosed) {
      return { type: 'exited', threadId: 0, wasTerminated: true, ...CLOSED }
    }
    const { thread } = batch
    this.#added.set(thread, [])
    const reply = await outsideTasks(() => runBatch(batch, this.#batchHost))
    this.#added.delete(thread)
    return { type: 'replied', reply }
  }

  extend(added: BatchRequest): void {
    this.#added.get(added.thread)?.push(added)
  }

  async #runIo(request: BatchRequest): Promise<IoEnd> {
    this.#waiting.add(request.thread)
    await new Promise((resolve) => setImmediate(resolve))
    if (!this.#waiting.delete(request.thread)) return { type: 'orphaned' }
    if (this.#isClosed) return { type: 'exited', ...CLOSED, isCulprit: true }
    const outcome = await outsideTasks(() => this.#ioTasks.run(request))
    this.#listening.delete(request.thread)
    return outcome === undefined ? { type: 'orphaned' } : { type: 'ended', outcome }
  }

  #tellIoToStop(slot: number, cause: StopCause): boolean {
    if (this.#waiting.delete(slot)) return false
    this.#ioTasks.stop(slot, cause)
    return this.#listening.has(slot)
  }

  tellToStop(call: StopCall): void {
    onStopCall(call)
  }

  tellTaken(call: TakenCall): void {
    onTakenCall(call)
  }

  terminate(): never {
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', 'A task of an inline: cluster cannot be stopped; use threads.')
  }

  terminateThread(): never {
    return this.terminate()
  }

  /** The caller's thread is the only one, and its memory the caller's business. */
  collect(): void {}

  async close(): Promise<void> {
    this.#isClosed = true
    const { worker, onMessage } = this.#options.host
    await disposeLocals(worker, (text) => onMessage({ type: 'log', level: 'error', task: undefined, text }))
  }

  #load({ code, url, exportName }: FunctionPlace): TaskFunction | Promise<TaskFunction> {
    return this.#options.functionOf(code) ?? loadFunction(url, exportName)
  }
}
