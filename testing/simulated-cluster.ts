/**
 * A scheduler and workers on virtual time: what runs in earnest, core and shell, but for sockets, threads and the disk. They die
 * as the faults say, and others take their places.
 */
import { NO_LOG, type Log, type LogFields } from '../common/node/log.js'
import { packageVersion } from '../common/node/package-version.js'
import type { TaskRoute } from '../client/in-task.js'
import { completeTaskOptions, DEFAULT_TASK_OPTIONS } from '../client/task-options.js'
import { ARRAY_LEASE, arrayId, type CodeHash, type TaskId } from '../protocol/ids.js'
import { MAX_ALLOWED_FAILURES } from '../client/failure-options.js'
import { KeptState } from '../scheduler/journal/kept-state.js'
import { Sessions } from '../scheduler/sessions.js'
import type { Network } from '../worker/network.js'
import { resolveWorkerOptions } from '../worker/options.js'
import type { TaskFunction } from '../worker/thread/code.js'
import { startWorker, type RunningWorker, type WorkerFiles } from '../worker/worker.js'
import { Actor, type World } from './actor.js'
import type { DrawnFaults } from './faults.js'
import { MemoryJournal, type Kept } from './memory-journal.js'
import { SimulatedNetwork } from './simulated-network.js'
import { SimulatedPool } from './simulated-pool.js'

export const SCHEDULER_ADDRESS = 'simulated:scheduler'
/** Nothing of a simulation is to spill, and what this process takes is not the workers' business. */
const MEMORY_BYTES = 2 ** 50
/** What runs take: those of one simulation are short, those of another long. */
const PACES_MS = [0.02, 1, 50] as const
const MAX_DOWN_MS = [0, 100, 20_000] as const
const MAX_REPLACED_MS = 2_000

/** Who dies at a worker, again and again, is to be blamed only if its program says so. */
export const TASK_OPTIONS = completeTaskOptions({ allowedFailures: MAX_ALLOWED_FAILURES }, DEFAULT_TASK_OPTIONS)

/** What happened. */
export interface Happenings {
  workerCrashes: number
  schedulerCrashes: number
  cuts: number
  runs: number
  reruns: number
}

export interface SimulatedClusterOptions {
  readonly world: World
  readonly faults: DrawnFaults
  readonly workers: number
  readonly threadsPerWorker: number
  /** The program's own functions, by their code. */
  readonly functions: Map<CodeHash, TaskFunction>
  readonly files: WorkerFiles
  readonly onBug: (error: unknown) => void
  readonly trace: (line: string) => void
}

export class SimulatedCluster {
  readonly happened: Happenings = { workerCrashes: 0, schedulerCrashes: 0, cuts: 0, runs: 0, reruns: 0 }
  readonly #options: SimulatedClusterOptions
  readonly #network: SimulatedNetwork
  readonly #files: WorkerFiles
  readonly #kept: Kept = { payloads: [] }
  readonly #workers = new Map<string, Promise<RunningWorker>>()
  readonly #actors = new Set<Actor>()
  readonly #ran = new Set<TaskId>()
  readonly #paceMs: number
  #scheduler: Actor
  #lastWorker = 0
  /** Faults strike while the program runs, and not before it has a client. */
  #strikes = false
  #isOver = false

  constructor(options: SimulatedClusterOptions) {
    const { world, faults, workers } = options
    this.#options = options
    const { scratch, codes } = options.files
    this.#files = {
      scratch,
      codes: {
        // The program's own functions are called where they are.
        store: (define) => (options.functions.has(define.code) ? Promise.resolve('') : codes.store(define)),
        urlOf: (code) => codes.urlOf(code),
      },
    }
    this.#paceMs = world.rng.pick(PACES_MS)!
    this.#network = new SimulatedNetwork({
      rng: world.rng.fork(),
      maxDelayMs: faults.maxDelayMs,
      breaks: () => this.#strikes && faults.cutsConnection(),
      onSent: (from) => this.#onSent(from),
      onCut: (between) => {
        this.happened.cuts++
        this.#tell(`the connection of ${between} breaks`)
      },
    })
    this.#scheduler = this.#startScheduler()
    for (let i = 0; i < workers; i++) this.#startWorker(`worker-${++this.#lastWorker}`)
  }

  /** How an actor reaches others. */
  routeOf(
    actor: Actor,
  ): Pick<TaskRoute, 'onFunction' | 'taskOptions'> & Required<Pick<TaskRoute, 'dialScheduler' | 'dialHolder'>> {
    return {
      dialScheduler: () => this.#network.dial(actor, SCHEDULER_ADDRESS),
      dialHolder: (address, signal) => this.#network.dial(actor, address, signal),
      onFunction: (code, fn) => this.#options.functions.set(code, fn as TaskFunction),
      taskOptions: TASK_OPTIONS,
    }
  }

  /** From now on things go wrong. */
  beginFaults(): void {
    this.#strikes = true
  }

  /** From now on nothing goes wrong any more. Resolves when workers have let go of what their tasks keep. */
  async close(): Promise<void> {
    this.#strikes = false
    this.#isOver = true
    await Promise.all([...this.#workers.values()].map(async (running) => (await running).close()))
  }

  /** Everything in it dies. */
  end(): void {
    this.#strikes = false
    this.#isOver = true
    this.#scheduler.kill()
    for (const actor of this.#actors) actor.kill()
  }

  #startScheduler(): Actor {
    const { world, onBug } = this.#options
    const actor = new Actor('scheduler', world)
    const log = this.#logOf(actor.name)
    actor.run(() => {
      const config = {
        peerSecret: 'simulated',
        seed: 1,
        firstArray: arrayId(ARRAY_LEASE),
        startedAtMs: performance.now(),
        packageVersion: packageVersion(),
        nodeVersion: process.version,
        keepsState: true,
      }
      const journal = new MemoryJournal(this.#kept)
      const state = new KeptState({ journal, log, config })
      actor.onDeath(() => state.close())
      const { machine, lastMember } = state
      const sessions = new Sessions({
        machine,
        log,
        onCrash: onBug,
        lastMember,
        keep: (records, onKept) => state.keep(records, onKept),
      })
      sessions.start()
      this.#network.listen(SCHEDULER_ADDRESS, actor, (socket) => sessions.accept(socket))
    })
    return actor
  }

  /** It may die in the midst of what it sends. */
  #onSent(from: Actor): void {
    const { faults, world } = this.#options
    if (from !== this.#scheduler || !this.#strikes || !faults.killsScheduler()) return
    this.happened.schedulerCrashes++
    this.#tell('the scheduler dies')
    this.#scheduler.kill()
    world.agenda.in(faults.rng.between(0, faults.rng.pick(MAX_DOWN_MS)!), () => {
      this.#tell('the scheduler is back')
      this.#scheduler = this.#startScheduler()
    })
  }

  #startWorker(name: string): void {
    const { world, threadsPerWorker, functions, onBug } = this.#options
    const actor = new Actor(name, world)
    const address = `simulated:${name}`
    const log = this.#logOf(name)
    const { dialHolder, ...route } = this.routeOf(actor)
    const network: Network = {
      dialScheduler: (signal) => this.#network.dial(actor, SCHEDULER_ADDRESS, signal),
      dialPeer: dialHolder,
      listen: (_localAddress, onSocket) => {
        const close = this.#network.listen(address, actor, onSocket)
        return Promise.resolve({ address, close })
      },
    }
    // The address is none that is ever dialled: the network above goes another way.
    const options = resolveWorkerOptions({
      schedulerUrl: 'ws://simulated',
      name,
      incarnation: name,
      threads: threadsPerWorker,
      memoryLimitBytes: MEMORY_BYTES,
      diskLimitBytes: 0,
    })
    const running = actor.run(() =>
      startWorker(options, {
        log,
        taskLog: log,
        network,
        files: this.#files,
        isWatched: true,
        createPool: (host) =>
          new SimulatedPool({
            actor,
            host,
            functionOf: (code) => functions.get(code),
            routeOf: (thread) => ({ ...route, ...this.routeOf(thread) }),
            onRun: (task) => this.#onRun(task),
            pass: (thread) => this.#pass(name, actor, thread),
          }),
      }),
    )
    void running.then((worker) => this.#onEnd(name, worker), onBug)
    this.#workers.set(name, running)
    this.#actors.add(actor)
    actor.onDeath(() => this.#actors.delete(actor))
  }

  /** A worker ends when it has left, or to be started again. */
  async #onEnd(name: string, worker: RunningWorker): Promise<void> {
    await worker.closed.catch(this.#options.onBug)
    this.#workers.delete(name)
    if (worker.isToRestart && !this.#isOver) this.#replace(name)
  }

  /** Time passes, and the worker may die. */
  async #pass(name: string, worker: Actor, thread: Actor): Promise<void> {
    const { faults, world } = this.#options
    await new Promise<void>((resolve) => thread.in(world.rng.between(0, this.#paceMs), resolve))
    if (!this.#strikes || !faults.killsWorker()) return
    this.happened.workerCrashes++
    this.#tell(`${name} dies`)
    worker.kill()
    this.#workers.delete(name)
    this.#replace(name)
    await new Promise(() => undefined) // Nothing of it goes on.
  }

  #replace(name: string): void {
    const { faults, world } = this.#options
    const next = `worker-${++this.#lastWorker}`
    world.agenda.in(faults.rng.between(0, MAX_REPLACED_MS), () => {
      if (this.#isOver) return
      this.#tell(`${next} takes the place of ${name}`)
      this.#startWorker(next)
    })
  }

  #onRun(task: TaskId): void {
    this.happened.runs++
    if (this.#ran.has(task)) this.happened.reruns++
    this.#ran.add(task)
  }

  #tell(what: string): void {
    const { world, trace } = this.#options
    trace(`${world.agenda.nowMs.toFixed(1)} ms: ${what}`)
  }

  #logOf(name: string): Log {
    const tell = (level: string) => (_fields: LogFields, text: string) => this.#tell(`${name} says (${level}): ${text}`)
    return { ...NO_LOG, info: tell('info'), warn: tell('warn'), error: tell('error') }
  }
}
