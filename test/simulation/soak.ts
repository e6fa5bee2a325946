/**
 * One cluster for hours of virtual time, with the same load all the time: two clients stay, others come and go, some amid their
 * work; workers die, leave and lose their connections, and others come in their place; connections of clients break; tasks are
 * cancelled, retried, published, nested and limited. At the end of each round everything settles and is let go of, and what
 * scheduler, workers and clients still keep then must not be more from round to round.
 */
import assert from 'node:assert/strict'
import { MAX_ERROR_GROUPS } from '../../protocol/limits.js'
import { drawWorld } from './draw-world.js'
import { OPERATIONS, PACES } from './expression.js'
import { SimulatedClient, type Temper } from './simulated-client.js'
import { SimulatedReader } from './simulated-reader.js'
import { SimulatedWorker } from './simulated-worker.js'
import { settle } from './simulation.js'
import { addSizes, checkFlat, sizesOf, type Sizes } from './sizes.js'
import type { World } from './world.js'

export const HOUR_MS = 3_600_000
/** In so much virtual time happens what the constants below say. */
const SHARE_MS = 300_000
const RESIDENT_ACTIONS = 5
const VISITORS = 1
const VISITOR_ACTIONS = 8
const BLOWS = 1
const CUTS = 0.5
/** Of clients that stay: real programs call the same functions again. */
const MAX_TEMPLATES = 4
const RESIDENTS = 2
const WORKERS = 4
const PULSE_MS = 10_000
/** How often in a round it is looked at what is kept amid the work. */
const LOOKS = 12
const JOURNAL_BYTES = 2 ** 18
/** What the engine itself keeps of code that it compiled, and whatever else is not ours. */
const HEAP_SLACK_BYTES = 4 * 2 ** 20
/** What has a limit that is reached only after hours: array ids of past workers, what is known of functions, and of errors. */
const SLACK = {
  heapBytes: HEAP_SLACK_BYTES,
  'scheduler.journalBytes': JOURNAL_BYTES,
  'scheduler.pastLeases': 64,
  'scheduler.functions': OPERATIONS.length * PACES.length,
  'scheduler.clients': 100,
  // What these were told of code counts with the clients, as long as a task of theirs leads to them.
  'scheduler.workers': 100,
  'scheduler.errors': 2 * MAX_ERROR_GROUPS,
}

export interface SoakOptions {
  readonly seed: number
  readonly rounds: number
  readonly roundMs: number
  readonly onRound?: (round: Round, world: World) => void
  /** Sees what every core is told and asks for. */
  readonly trace?: ((line: string) => void) | undefined
}

export interface Round {
  readonly virtualMs: number
  readonly steps: number
  /** Tasks that were submitted, runs, workers that were lost, and connections of clients that broke, since the beginning. */
  readonly done: { readonly submitted: number; readonly runs: number; readonly lost: number; readonly cuts: number }
  /** The most records that were kept amid the work, by whom. */
  readonly most: Sizes
  /** What is kept when all is done: records by who keeps them and in which field, bytes of the journal and of the heap. */
  readonly kept: Sizes
}

/** @throws When a promise of the cluster is broken, or something grows. */
export function soak({ seed, rounds, roundMs, onRound, trace }: SoakOptions): readonly Round[] {
  const world = soakedWorld(seed, trace)
  const crew = new Crew(world, roundMs)
  const all: Round[] = []
  for (let i = 0; i < rounds; i++) {
    all.push(crew.round())
    onRound?.(all.at(-1)!, world)
  }
  if (rounds < 2) return all
  checkFlat(
    all.map(({ kept }) => kept),
    SLACK,
  )
  return all
}

/** What a seed draws for one short life is set here for a long one: some of everything. */
function soakedWorld(seed: number, trace: SoakOptions['trace']): World {
  const drawn = drawWorld({ seed, faults: true, crashes: true, replaceAtBytes: JOURNAL_BYTES, ...(trace && { trace }) })
  return {
    ...drawn,
    fetchFailure: 0.02,
    separation: 0.1,
    replicating: 0.1,
    cancelling: 0.1,
    stopping: 0.1,
    operating: 0.05,
    retrying: 0.1,
    attaching: 0.1,
    tolerating: 0.2,
    publishing: 0.1,
    rebalancing: 0.1,
    retiring: 0.02,
    restarting: 0,
    spillFailure: 0.02,
    nesting: 0.1,
    needing: 0.3,
    limits: [
      { name: 'db', kind: 'semaphore', units: 3, perSecond: 0 },
      { name: 'api', kind: 'rate', units: 2, perSecond: 50 },
    ],
    leastThreads: 1,
    memoryLimits: [2 ** 20, 20, 4],
    diskLimits: [2 ** 20, 2],
  }
}

/** Who makes the load, and the faults. */
class Crew {
  readonly #world: World
  readonly #roundMs: number
  readonly #residents: readonly SimulatedClient[]
  #visitors: (SimulatedClient | SimulatedReader)[] = []
  #workersMade = 0
  #visitorsMade = 0
  #most: Sizes = {}

  constructor(world: World, roundMs: number) {
    this.#world = world
    this.#roundMs = roundMs
    this.#fillUp()
    this.#residents = Array.from(
      { length: RESIDENTS },
      (_, i) => new SimulatedClient(world, `resident-${i}`, temperOf(0, roundMs)),
    )
    settle(world)
  }

  /** The load of one round, and the silence after it. */
  round(): Round {
    const { agenda, scheduler, counts, workers } = this.#world
    this.#most = {}
    this.#world.hasMemory = false
    this.#schedule()
    this.#settle()
    const present = [...this.#residents, ...this.#visitors]
    const clients = present.filter(
      (client) => client instanceof SimulatedClient && !client.hasLeft,
    ) as SimulatedClient[]
    for (const client of clients) client.wantAll()
    this.#settle()
    for (const client of present) client.checkSettled()
    for (const client of clients) client.releaseAll()
    this.#settle()
    scheduler.checkHoldsNoTasks()
    for (const worker of workers.values()) worker.checkHoldsNothing()
    for (const visitor of this.#visitors) visitor.leave()
    this.#visitors = []
    for (const worker of workers.values()) worker.leaveTaskClient()
    this.#settle()
    forgetPast(this.#world)
    for (const resident of this.#residents) resident.forgetPast()
    const { submitted, runs, workersLost: lost, cuts } = counts
    const done = { submitted, runs, lost, cuts }
    return { virtualMs: agenda.nowMs, steps: agenda.steps, done, most: this.#most, kept: this.#kept() }
  }

  #settle(): void {
    this.#fillUp()
    settle(this.#world)
  }

  #schedule(): void {
    const { agenda, rng, crashRng, workers } = this.#world
    const shares = this.#roundMs / SHARE_MS
    const sometime = (action: () => void): void => void agenda.in(rng.between(0, this.#roundMs), action)
    for (const resident of this.#residents) resident.goOn(Math.round(RESIDENT_ACTIONS * shares), this.#roundMs)
    for (let i = 0; i < VISITORS * shares; i++) sometime(() => this.#visit())
    for (let i = 0; i < BLOWS * shares; i++) sometime(() => rng.pick([...workers.values()])?.suffer())
    for (let i = 0; i < CUTS * shares; i++)
      sometime(() => crashRng.pick([...this.#residents, ...this.#visitors])?.disconnect())
    for (let atMs = 0; atMs < this.#roundMs; atMs += PULSE_MS) agenda.in(atMs, () => this.#tick())
    for (let i = 0; i < LOOKS; i++) sometime(() => this.#look())
  }

  #tick(): void {
    for (const worker of this.#world.workers.values()) worker.pulse()
    this.#fillUp()
  }

  /** Others come for those that went. */
  #fillUp(): void {
    const { workers, rng } = this.#world
    while (workers.size < WORKERS)
      new SimulatedWorker(this.#world, `worker-${this.#workersMade++}`, rng.pick([1, 2, 4])!)
  }

  /** Somebody comes, and goes after a while or when the round is over. */
  #visit(): void {
    const { agenda, rng, streamRng } = this.#world
    const spanMs = rng.pick([1_000, 60_000])!
    const reads = rng.chance(0.2)
    const name = `visitor-${this.#visitorsMade++}`
    const visitor = reads
      ? new SimulatedReader(this.#world, spanMs, name)
      : new SimulatedClient(this.#world, name, temperOf(VISITOR_ACTIONS, spanMs))
    this.#visitors.push(visitor)
    if (streamRng.chance(0.5)) agenda.in(streamRng.between(0, 2 * spanMs), () => visitor.leave())
  }

  #look(): void {
    const sizes = this.#sizes()
    const most: Record<string, number> = { ...this.#most }
    for (const [name, size] of Object.entries(sizes)) {
      const who = name.slice(0, name.indexOf('.'))
      if (name === 'scheduler.journalBytes') continue
      most[who] = 0
      for (const [other, each] of Object.entries(sizes))
        if (other.startsWith(`${who}.`) && other !== 'scheduler.journalBytes') most[who] += each
      most[who] = Math.max(most[who], this.#most[who] ?? 0, size)
    }
    this.#most = most
  }

  #sizes(): Sizes {
    const { scheduler, workers } = this.#world
    const present = [...this.#residents, ...this.#visitors]
    const clients = present.filter((client) => client instanceof SimulatedClient)
    return {
      ...named('scheduler', { ...sizesOf(scheduler.state, ['config', 'rng']), journalBytes: scheduler.journalBytes }),
      ...named('workers', addSizes([...workers.values()].map((worker) => worker.sizes))),
      ...named('clients', addSizes(clients.map((client) => client.sizes))),
    }
  }

  #kept(): Sizes {
    const { gc } = globalThis as { readonly gc?: () => void }
    if (gc === undefined) return this.#sizes()
    gc()
    return { ...this.#sizes(), heapBytes: process.memoryUsage().heapUsed }
  }
}

function temperOf(actions: number, spanMs: number): Temper {
  // Failing tasks soon make all fail that depend on them.
  const sound = OPERATIONS.filter((operation) => !['throw', 'exit', 'refused', 'fatal'].includes(operation))
  const operations = [...sound, ...sound, ...sound, ...OPERATIONS]
  return { actions, spanMs, maxArray: 100, operations, paces: PACES, maxTemplates: MAX_TEMPLATES }
}

function named(who: string, sizes: Sizes): Sizes {
  return Object.fromEntries(Object.entries(sizes).map(([name, size]) => [`${who}.${name}`, size]))
}

/** What only the checks of a simulation keep, of tasks that are no more. A call that failed too often stays stopped for good. */
function forgetPast(world: World): void {
  assert.equal(world.limitedTasks.size, 0, 'tasks that have limits run on')
  world.known.length = 0
  const { ranTasks, foreseen, letGo, goneOn, leftBehind, cancelledKeys, hurriedKeys, flakes } = world
  const { limitsOfTask, published, reach } = world
  const sets = [ranTasks, letGo, goneOn, leftBehind, cancelledKeys, hurriedKeys]
  for (const kept of [...sets, foreseen, flakes, limitsOfTask, published, reach]) kept.clear()
}
