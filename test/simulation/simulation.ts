/**
 * One simulation: clients, a scheduler and workers in one process, on virtual time and by one seed. First they do as
 * they like (safety: every answer is checked against a plain evaluation), then everything that is held must settle
 * (liveness), and in the end nothing may be left anywhere.
 */
import assert from 'node:assert/strict'
import type { Rng } from '../../common/rng.js'
import { HEARTBEAT_INTERVAL_MS } from '../../protocol/limits.js'
import { drawWorld } from './draw-world.js'
import { OPERATIONS, PACES, type Operation } from './expression.js'
import type { Program } from './program.js'
import { SimulatedClient, type Temper } from './simulated-client.js'
import { SimulatedReader } from './simulated-reader.js'
import { SimulatedWorker } from './simulated-worker.js'
import { happen, type Counts, type World } from './world.js'

export interface SimulationOptions {
  readonly seed: number
  /** Shall workers die, leave and lose their connections, and values be out of reach? */
  readonly faults: boolean
  /** Shall the scheduler die and come back, and clients lose their connections? */
  readonly crashes?: boolean
  /** Shall clients do as much as they are drawn to? Most seeds are small unless this says so: they find most, and are soon done. */
  readonly isFull?: boolean
  /** Shall some workers, and ways between members, be many times slower than others? One seed in a few is so unless this says otherwise. */
  readonly isSlow?: boolean
  /** A bug on purpose: see injected-bugs.test.ts. */
  readonly bug?: Bug
  /** Sees what every core is told and asks for. */
  readonly trace?: (line: string) => void
  /** Says what happens of what was drawn, and sees it. */
  readonly program?: Program
}

/**
 * What a shell could do wrong: clients hear that something is kept before it is; whoever reads a journal leaves out its last
 * frame; frames of a connection overtake each other; what is said to workers or by them is lost now and then. And what a
 * core could: what a worker that died had of limits stays taken.
 */
export type Bug = 'tells-before-it-keeps' | 'leaves-out-the-last-frame' | 'overtakes' | 'loses-messages' | 'keeps-units'

export interface SimulationReport {
  readonly counts: Counts
  readonly steps: number
  readonly virtualMs: number
}

/** More than any simulation needs that comes to an end. */
const MAX_STEPS = 2_000_000
/** Of signs of life, of which each may be what one task waits for. */
const MAX_PULSES = 1_000
/** After so many no process is found full any more: workers that start anew for ever would lose all that is made. */
const ROUGH_PULSES = 20

/** So many seeds have one among them that is not small. */
const FULL_EVERY = 8
/** So many have one among them with slow workers; whether it is small has nothing to do with that. */
const SLOW_EVERY = 5
/** What a client does in a small one, of what it was drawn to do, and how large its arrays are at most. */
const SMALL_SHARE = 0.3
const SMALL_ARRAY = 50

/** Runs one simulation. @throws When a promise of the cluster is broken. */
export function simulate(options: SimulationOptions): SimulationReport {
  const { seed, faults, crashes = false, isFull = seed % FULL_EVERY === 0, isSlow = seed % SLOW_EVERY === 0 } = options
  const world = drawWorld({ ...options, isSlow })
  const { rng, agenda, scheduler, streamRng } = world
  const spanMs = rng.pick([5, 100, 1_000])!
  startWorkers(world, spanMs)
  const clients: SimulatedClient[] = []
  const clientCount = rng.integer(1, 3)
  for (let i = 0; i < clientCount; i++) {
    const temper = temperOf(rng, spanMs, isFull)
    happen(world, `client-${i}`, () => clients.push(new SimulatedClient(world, `client-${i}`, temper)))
  }
  if (clientCount > 1 && rng.chance(0.3)) {
    agenda.in(rng.between(0, spanMs), () => happen(world, 'client-0/leaves', () => clients[0]?.leave()))
  }
  let reader: SimulatedReader | undefined
  if (streamRng.chance(0.5)) happen(world, 'reader', () => (reader = new SimulatedReader(world, spanMs)))
  if (streamRng.chance(0.1)) {
    agenda.in(streamRng.between(0, spanMs * 2), () => happen(world, 'reader/leaves', () => reader?.leave()))
  }
  if (faults) plagueWorkers(world, spanMs)
  if (crashes) plagueScheduler(world, reader === undefined ? clients : [...clients, reader], spanMs)
  settle(world)
  scheduler.spare()

  for (const client of clients) if (!client.hasLeft) client.wantAll()
  settle(world)
  for (const client of clients) client.checkSettled()
  reader?.checkSettled()

  for (const client of clients) if (!client.hasLeft) client.releaseAll()
  settle(world)
  scheduler.checkHoldsNoTasks()
  for (const client of clients) client.checkDetached()
  for (const worker of world.workers.values()) worker.checkHoldsNothing()

  for (const client of clients) client.leave()
  reader?.leave()
  for (const worker of world.workers.values()) worker.leaveTaskClient()
  settle(world)
  scheduler.checkHoldsNoClients()
  for (const worker of world.workers.values()) worker.checkHoldsNoTemplates()

  for (const worker of world.workers.values()) worker.leave()
  settle(world)
  assert.equal(world.workers.size, 0, 'workers never left')
  assert.equal(scheduler.state.workers.size, 0, 'the scheduler has workers left')
  return { counts: world.counts, steps: agenda.steps, virtualMs: agenda.nowMs }
}

/** Lets everything happen that leads from what was done. Workers give signs of life as long as somebody waits for one. */
export function settle(world: World): void {
  const { agenda, scheduler, workers } = world
  agenda.runToEnd(MAX_STEPS)
  scheduler.checkSuccessor()
  const areAwaited = (): boolean => scheduler.awaitsPulses || [...workers.values()].some((worker) => worker.awaitsPulse)
  // What was lost is seen to have been by what two of them say in turn.
  const least = world.isLossy ? 3 : 0
  for (let rounds = 0; rounds < least || areAwaited(); rounds++) {
    assert.ok(rounds < MAX_PULSES, 'signs of life are awaited for ever')
    world.hasMemory = rounds >= ROUGH_PULSES
    for (const worker of workers.values()) {
      if (world.isLossy) agenda.in(HEARTBEAT_INTERVAL_MS, () => worker.pulse())
      else worker.pulse()
    }
    agenda.runToEnd(MAX_STEPS)
  }
}

/** The first at once, others when they like. */
function startWorkers(world: World, spanMs: number): void {
  const { rng, agenda } = world
  const count = rng.integer(1, 8)
  for (let i = 0; i < count; i++) {
    const start = (): void => {
      const worker = new SimulatedWorker(world, `worker-${i}`, rng.pick([1, 1, 2, 4])!)
      for (let pulse = rng.integer(0, 3); pulse > 0; pulse--) {
        const name = `worker-${i}/pulse-${pulse}`
        agenda.in(rng.between(0, spanMs), () => {
          if (!worker.isGone) happen(world, name, () => worker.pulse())
        })
      }
    }
    // Without the first nothing runs.
    const come = (): void => (i === 0 ? start() : happen(world, `worker-${i}`, start))
    if (i === 0 || rng.chance(0.5)) come()
    else agenda.in(rng.between(0, spanMs), come)
  }
}

/** Workers go and come, at times and amid work; and some come in the end, when no fault is left to strike them. */
function plagueWorkers(world: World, spanMs: number): void {
  const { rng, agenda, strikesAtRun } = world
  for (let strikes = rng.integer(0, 5); strikes > 0; strikes--) {
    const run = rng.integer(1, rng.pick([20, 200, 2_000])!)
    happen(world, `strike-at-run-${run}`, () => strikesAtRun.add(run))
  }
  const changes = rng.integer(1, 6)
  for (let i = 0; i < changes; i++) {
    const threads = rng.pick([1, 2, 4])!
    agenda.in(rng.between(0, spanMs), () => {
      if (rng.chance(0.5)) happen(world, `blow-${i}`, () => rng.pick([...world.workers.values()])?.suffer())
      if (rng.chance(0.7))
        happen(world, `later-worker-${i}`, () => new SimulatedWorker(world, `later-worker-${i}`, threads))
    })
  }
  for (let i = 0; i <= strikesAtRun.size; i++)
    agenda.in(spanMs * 2, () => new SimulatedWorker(world, `last-worker-${i}`, 1))
}

/** It dies at any time and amid work, soon after it was back too; and connections of clients break. */
function plagueScheduler(world: World, clients: readonly (SimulatedClient | SimulatedReader)[], spanMs: number): void {
  const { crashRng: rng, agenda, scheduler } = world
  for (let left = rng.integer(1, 4); left > 0; left--) {
    const name = `crash-${left}`
    agenda.in(rng.between(0, 2 * spanMs), () => {
      const downMs = rng.pick([0, 1, 50, 1_000, 20_000])!
      happen(world, name, () =>
        scheduler.die({
          at: rng.pick(['once', 'keep', 'flush'])!,
          isPowerCut: scheduler.isKeptByDisk && rng.chance(0.7),
          downMs,
        }),
      )
    })
  }
  for (let cuts = rng.integer(0, 3); cuts > 0; cuts--) {
    const name = `cut-${cuts}`
    agenda.in(rng.between(0, 2 * spanMs), () => happen(world, name, () => rng.pick(clients)?.disconnect()))
  }
}

function temperOf(rng: Rng, spanMs: number, isFull: boolean): Temper {
  // Failing tasks soon make all fail that depend on them: most clients have few kinds of them, or none.
  const failing: readonly Operation[] = ['fussy', 'throw', 'exit', 'refused', 'endless', 'fatal']
  const sound = OPERATIONS.filter((operation) => !failing.includes(operation))
  const operations = rng.chance(0.5) ? sound : [...sound, ...sound, ...sound, rng.pick(failing)!, 'fussy' as const]
  const actions = rng.integer(2, 20)
  const maxArray = rng.pick([20, 20, 200, 1_024])!
  return {
    actions: isFull ? actions : Math.ceil(actions * SMALL_SHARE),
    spanMs,
    maxArray: isFull ? maxArray : Math.min(maxArray, SMALL_ARRAY),
    operations,
    paces: rng.chance(0.5) ? PACES : [rng.pick(PACES)!],
  }
}
