/** One run of a program in a simulated cluster, by one seed: virtual time goes from what happens to what happens next. */
import { Rng } from '../common/rng.js'
import { Client } from '../client/client.js'
import { openSession, type Session } from '../client/session.js'
import { TimeoutError } from '../protocol/errors.js'
import { HANDSHAKE_TIMEOUT_MS } from '../protocol/limits.js'
import { taskOfContext } from '../worker/thread/current-task.js'
import type { WorkerFiles } from '../worker/worker.js'
import { Actor, outsideSimulations, type World } from './actor.js'
import { Agenda } from './agenda.js'
import { DrawnFaults, type ResolvedFaults } from './faults.js'
import { SCHEDULER_ADDRESS, SimulatedCluster, TASK_OPTIONS, type Happenings } from './simulated-cluster.js'
import { realTurn } from './virtual-globals.js'

export interface RunOptions {
  readonly seed: number
  readonly workers: number
  readonly threadsPerWorker: number
  readonly faults: ResolvedFaults
  /** Of virtual time. */
  readonly timeoutMs: number
  readonly files: WorkerFiles
  readonly trace: (line: string) => void
}

export interface RunReport extends Happenings {
  readonly virtualMs: number
  /** What the program returned. */
  readonly result: unknown
}

/** @throws What the program throws. */
export async function runSeed(program: (client: Client) => unknown, options: RunOptions): Promise<RunReport> {
  // Its own, whoever calls: nothing of one simulation is part of another.
  return await outsideSimulations(() => new SeedRun(options).run(program))
}

class SeedRun {
  readonly #options: RunOptions
  readonly #agenda = new Agenda()
  readonly #actor: Actor
  /** Apart from the program, which draws random numbers of its own and not as often as connections break. */
  readonly #client: Actor
  readonly #cluster: SimulatedCluster
  readonly #failed: Promise<never>
  #fail: (error: unknown) => void = () => undefined

  constructor(options: RunOptions) {
    const { seed, faults, workers, threadsPerWorker, files, trace } = options
    const rng = new Rng(seed)
    this.#options = options
    this.#failed = new Promise((_, reject) => (this.#fail = reject))
    this.#failed.catch(() => undefined)
    const drawn = new DrawnFaults(rng.fork(), faults)
    const world: World = {
      agenda: this.#agenda,
      seed,
      rng,
      areDelayed: drawn.maxDelayMs > 0,
      onUncaught: (error, actor) => this.#onUncaught(error, actor),
    }
    // What it draws is the same in every run, so that its result is no other for what fails.
    this.#actor = new Actor('the program', { ...world, seed: 0 })
    this.#client = new Actor('the client', world)
    this.#cluster = new SimulatedCluster({
      world,
      faults: drawn,
      workers,
      threadsPerWorker,
      functions: new Map(),
      files,
      onBug: this.#fail,
      trace,
    })
  }

  /** As worker/thread/uncaught.ts does it where tasks are told apart. */
  #onUncaught(error: unknown, { name }: Actor): void {
    const task = taskOfContext()
    if (task === undefined) this.#fail(error)
    else if (!task.isOver && task.fail !== undefined) task.fail(error)
    else this.#options.trace(`An exception was thrown in ${name} after its task had ended: ${String(error)}`)
  }

  async run(program: (client: Client) => unknown): Promise<RunReport> {
    try {
      const result = await this.#drive(() => this.#runProgram(program))
      const virtualMs = this.#agenda.nowMs
      await this.#drive(() => this.#cluster.close())
      return { ...this.#cluster.happened, virtualMs, result }
    } finally {
      this.#cluster.end()
      this.#actor.kill()
      this.#client.kill()
    }
  }

  async #runProgram(program: (client: Client) => unknown): Promise<unknown> {
    const session = await this.#client.run(() => this.#openSession())
    await using client = new Client(session, () => session.close(), TASK_OPTIONS)
    this.#cluster.beginFaults()
    return await program(client)
  }

  async #openSession(): Promise<Session> {
    const { dialScheduler, dialHolder, onFunction } = this.#cluster.routeOf(this.#client)
    return await openSession({
      socket: await dialScheduler(),
      address: SCHEDULER_ADDRESS,
      name: 'program',
      timeoutMs: HANDSHAKE_TIMEOUT_MS,
      redial: dialScheduler,
      dialHolder,
      onFunction,
    })
  }

  /** Lets things happen until what is called has settled. Time stands while the real world has something to do for it. */
  async #drive<T>(call: () => Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options
    let isSettled = false
    // What it asks for at once counts, too.
    const before = openRequests()
    const called = this.#actor.run(call)
    const settled = Promise.race([called, this.#failed]).finally(() => (isSettled = true))
    settled.catch(() => undefined)
    const endMs = this.#agenda.nowMs + timeoutMs
    for (;;) {
      do await realTurn()
      while (openRequests() > before)
      if (isSettled) return await settled
      if (this.#agenda.nowMs > endMs || !this.#agenda.step()) throw notDone(this.#agenda.nowMs)
    }
  }
}

/** What this process has asked the system for, as to read a file, and a bundler that runs. */
function openRequests(): number {
  let count = 0
  for (const type of process.getActiveResourcesInfo()) if (/Req|^ProcessWrap/.test(type)) count++
  return count
}

function notDone(virtualMs: number): TimeoutError {
  return new TimeoutError(
    `The program had not ended after ${Math.round(virtualMs / 1_000)} s of virtual time; see what it waits for: what is ` +
      'neither a timer nor a file, such as a server, is not there in a simulation, or give more timeoutMs.',
  )
}
