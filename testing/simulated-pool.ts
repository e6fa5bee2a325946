/** The threads of a simulated worker. */
import { present } from '../common/assert.js'
import type { TaskRoute } from '../client/in-task.js'
import type { CodeHash } from '../protocol/ids.js'
import type { StopCause } from '../worker/core/stopping.js'
import type { BatchEnd, IoEnd, IoPool, PoolHost, ThreadPool } from '../worker/thread-pool.js'
import { ArrayIds } from '../worker/thread/array-ids.js'
import type { BatchRequest, FunctionPlace, ThreadTemplate } from '../worker/thread/batch.js'
import { loadFunction, type TaskFunction } from '../worker/thread/code.js'
import { outsideTasks } from '../worker/thread/current-task.js'
import { IoTasks } from '../worker/thread/io-task.js'
import { disposeLocals, forgetLocals } from '../worker/thread/locals.js'
import { onTakenCall, type TakenCall } from '../worker/thread/stream.js'
import type { ThreadMessage } from '../worker/thread/thread-message.js'
import { onStopCall, type StopCall } from '../worker/thread/task-signal.js'
import { Actor } from './actor.js'
import { SimulatedThread, TERMINATED, type SimulatedThreadOptions } from './simulated-thread.js'

export interface SimulatedPoolOptions extends Pick<SimulatedThreadOptions, 'onRun' | 'pass'> {
  /** The worker. */
  readonly actor: Actor
  readonly host: PoolHost
  /** The program's own function of this code, if it is one; other code is loaded as in a thread. */
  readonly functionOf: (code: CodeHash) => TaskFunction | undefined
  /** How a thread's tasks reach the cluster. */
  readonly routeOf: (thread: Actor) => Pick<TaskRoute, 'dialScheduler' | 'dialHolder' | 'onFunction'>
}

/** A thread that is told to end does so by then. */
const MAX_END_MS = 10

export class SimulatedPool implements ThreadPool {
  readonly canTerminate = true
  readonly io: IoPool
  readonly threads = 'this'
  readonly #options: SimulatedPoolOptions
  readonly #slots: SimulatedThread[]
  readonly #ioTasks: IoTasks
  /** Slots whose tasks have taken their signals. */
  readonly #listening = new Set<number>()
  #lastThread = 0

  constructor(options: SimulatedPoolOptions) {
    this.#options = options
    const { actor, host } = options
    this.#slots = host.lanes.map(() => this.#newThread())
    this.#ioTasks = new IoTasks({
      loadFunction: (place) => this.#paced(place),
      onListening: (slot) => this.#listening.add(slot),
      tell: (message) => this.#tell(message),
      route: this.#routeOf(actor),
    })
    this.io = { run: (request) => this.#runIo(request), tellToStop: (slot, cause) => this.#tellIoToStop(slot, cause) }
    actor.onDeath(() => forgetLocals(host.worker))
  }

  async run(batch: BatchRequest): Promise<BatchEnd> {
    const thread = present(this.#slots[batch.thread], 'the thread of a slot')
    return await outsideTasks(() => thread.run(batch))
  }

  extend(added: BatchRequest): void {
    this.#slots[added.thread]?.extend(added)
  }

  tellToStop(call: StopCall): void {
    onStopCall(call)
  }

  tellTaken(call: TakenCall): void {
    onTakenCall(call)
  }

  terminate(slot: number): void {
    const thread = this.#slots[slot]
    if (thread?.isBusy === true) this.#endSoon(thread)
  }

  terminateThread(threadId: number): void {
    const thread = this.#slots.find((each) => each.threadId === threadId)
    if (thread !== undefined) this.#endSoon(thread)
  }

  /** There is one real thread, and its memory is the program's business. */
  collect(): void {}

  async close(): Promise<void> {
    const { worker, onMessage } = this.#options.host
    await disposeLocals(worker, (text) => onMessage({ type: 'log', level: 'error', task: undefined, text }))
  }

  #newThread(): SimulatedThread {
    const { actor: process, host, onRun, pass } = this.#options
    const threadId = ++this.#lastThread
    const actor = new Actor(`${process.name}, thread ${threadId}`, process.world, process)
    const route = this.#routeOf(actor)
    return new SimulatedThread({
      actor,
      threadId,
      lanes: host.lanes,
      tell: (message) => this.#tell(message),
      host: { loadFunction: (place) => this.#load(place), route },
      onRun,
      pass,
    })
  }

  /** What the worker does of it is its own doing, and goes on without the thread. */
  #tell(message: ThreadMessage): void {
    const { actor, host } = this.#options
    actor.run(() => outsideTasks(() => host.onMessage(message)))
  }

  #endSoon(thread: SimulatedThread): void {
    const { actor, host } = this.#options
    actor.in(actor.world.rng.between(0, MAX_END_MS), () => {
      const slot = this.#slots.indexOf(thread)
      if (slot === -1) return // Its time has come already.
      this.#slots[slot] = this.#newThread()
      const wasBusy = thread.isBusy
      thread.terminate()
      if (!wasBusy) host.onThreadExit(thread.threadId, TERMINATED)
    })
  }

  #routeOf(actor: Actor): TaskRoute {
    const { host, routeOf } = this.#options
    const arrayIds = new ArrayIds(host.scheduler?.arrayIds)
    const { worker } = host
    const takeArrayIds: TaskRoute['takeArrayIds'] = () => arrayIds.take()
    return { address: 'simulated:', token: undefined, tls: undefined, worker, takeArrayIds, ...routeOf(actor) }
  }

  async #runIo(request: BatchRequest): Promise<IoEnd> {
    this.#options.onRun(request.taskIds[0]!)
    const outcome = await outsideTasks(() => this.#ioTasks.run(request))
    this.#listening.delete(request.thread)
    return outcome === undefined ? { type: 'orphaned' } : { type: 'ended', outcome }
  }

  #tellIoToStop(slot: number, cause: StopCause): boolean {
    this.#ioTasks.stop(slot, cause)
    return this.#listening.has(slot)
  }

  #load({ code, url, exportName, name }: FunctionPlace): TaskFunction | Promise<TaskFunction> {
    return this.#options.functionOf(code) ?? loadFunction(url, exportName, name)
  }

  /** Time passes before a task without a thread calls its function, and before its outcome is told. */
  async #paced(place: FunctionPlace): Promise<TaskFunction> {
    const { actor, pass } = this.#options
    const call = await this.#load(place)
    if ((place as Partial<ThreadTemplate>).isStream !== false) return call
    return async (...args) => {
      await pass(actor)
      const result = await call(...args)
      await pass(actor)
      return result
    }
  }
}
