/** What a simulation is like, by its seed: how inclined everybody is to what. */
import { Rng } from '../../common/rng.js'
import type { TaskId } from '../../protocol/ids.js'
import { MAX_PAUSE_MS } from '../../protocol/limits.js'
import { Agenda } from '../../testing/agenda.js'
import type { Trace } from './loop.js'
import { SimulatedScheduler } from './simulated-scheduler.js'
import type { SimulationOptions } from './simulation.js'
import { Slowness } from './slowness.js'
import { noCounts, type World } from './world.js'

/** Seeds of who is out of reach, apart from all others. */
const SEPARATION_SEEDS = 2 ** 24
/** Seeds of pauses for want of memory. */
const PAUSE_SEEDS = 2 ** 25
/** Seeds of who is slow. */
const SLOW_SEEDS = 2 ** 26
/** Seeds of rows of tasks that go ahead of their inputs, whose makers are slow then. */
const WEAVE_SEEDS = 2 ** 27
/** Seeds of many such rows, of which a thread may get more while it runs some. */
const GROW_SEEDS = 2 ** 30
/** Seeds of how long tasks may be that go ahead. */
const AHEAD_SEEDS = 2 ** 28
/** Seeds of when workers share a graph. */
const SHARED_SEEDS = 2 ** 31
/** Seeds of how many rows of tasks are left before they can wait. */
const PATIENCE_SEEDS = 2 ** 29

export interface WorldOptions extends Pick<
  SimulationOptions,
  'seed' | 'faults' | 'crashes' | 'isSlow' | 'bug' | 'trace' | 'program'
> {
  /** The journal's file is replaced from this size on, before the scheduler was ever started again. */
  readonly replaceAtBytes?: number
}

/** A scheduler, and nobody else as yet. */
export function drawWorld(options: WorldOptions): World {
  const { seed, faults, crashes = false, isSlow = false, bug, trace, program, replaceAtBytes } = options
  const rng = new Rng(seed)
  const isLossy = bug === 'loses-messages'
  const separationRng = new Rng(seed + SEPARATION_SEEDS)
  const pauseRng = new Rng(seed + PAUSE_SEEDS)
  const weaveRng = new Rng(seed + WEAVE_SEEDS)
  const growRng = new Rng(seed + GROW_SEEDS)
  const memoryRng = new Rng(seed + 1_000_000_007)
  const needsRng = new Rng(seed + 2_000_000_011)
  const needing = needsRng.pick([0, 0.3, 1])!
  const nestingRng = new Rng(seed + 4_000_000_007)
  const cancelRng = new Rng(seed + 3_000_000_019)
  const futureRng = new Rng(seed + 4_000_000_007)
  const dataRng = new Rng(seed + 5_000_000_029)
  const retiring = dataRng.pick([0, 0, 0.1])!
  const restarting = retiring > 0 ? 0 : dataRng.pick([0, 0, 0, 0.02])!
  const retrying = futureRng.pick([0, 0, 0.5])!
  const attaching = futureRng.pick([0, 0, 0.3])!
  const streamRng = new Rng(seed + 8_000_000_011)
  const operatorRng = new Rng(seed + 7_000_000_003)
  const errorRng = new Rng(seed + 6_000_000_031)
  const agenda = new Agenda()
  const crashRng = new Rng(seed + 9_000_000_011)
  const counts = noCounts()
  const traceOf = trace && ((name: string) => tracerOf(name, agenda, trace))
  const takenBack = new Set<TaskId>()
  const scheduler = new SimulatedScheduler({
    agenda,
    rng: rng.fork(),
    maxInlineCacheBytes: rng.pick([0, 100, 2_000, 2 ** 28])!,
    keptBy: crashes ? crashRng.pick(['system', 'disk'])! : seed % 2 === 1 ? 'system' : undefined,
    crashRng,
    counts,
    bug,
    trace: traceOf?.('scheduler'),
    takenBack,
    replaceAtBytes,
    maxAheadUs: new Rng(seed + AHEAD_SEEDS).pick([24_000, 24_000, 0])!,
    sharedUs: new Rng(seed + SHARED_SEEDS).pick([Infinity, Infinity, 1_000])!,
    rowsLeft: new Rng(seed + PATIENCE_SEEDS).pick([0, 0.1, 4])!,
  })
  const operating = operatorRng.pick([0, 0, 0, 0.3])!
  return {
    agenda,
    rng,
    scheduler,
    workers: new Map(),
    counts,
    traceOf,
    takenBack,
    program,
    crashRng,
    hasCrashes: crashes,
    isLossy,
    fetchFailure: faults ? rng.pick([0, 0.02, 0.1])! : 0,
    separation: separationRng.pick([0, 0, 0.2, 1])!,
    separationRng,
    slowness: new Slowness(isSlow ? new Rng(seed + SLOW_SEEDS) : undefined),
    weaving: isSlow ? weaveRng.pick([0, 0.3, 1])! : 0,
    weaveRng,
    growing: isSlow ? growRng.pick([0, 0.1, 0.5])! : 0,
    growRng,
    maxFetchBytes: separationRng.pick([1, 100_000, 2 ** 28])!,
    replicating: separationRng.pick([0, 0, 0.5])!,
    reach: new Map(),
    cancelling: cancelRng.pick([0, 0, 0.3, 1])!,
    stopping: cancelRng.pick([0, 0, 0.1, 0.5])!,
    cancelRng,
    cancelledKeys: new Set(),
    operating,
    operatorRng,
    retrying,
    attaching,
    futureRng,
    known: [],
    tolerating: errorRng.pick([0, 0.2, 0.6])!,
    errorRng,
    foreseen: new Map(),
    ranTasks: new Set(),
    dataRng,
    publishing: dataRng.pick([0, 0.3])!,
    rebalancing: dataRng.pick([0, 0, 0.3])!,
    retiring,
    restarting,
    streamRng,
    published: new Map(),
    // What is retried may have ended after it was given up, and so may its inputs.
    finishedOnce: faults || crashes || isLossy || restarting > 0 || retrying + operating > 0 ? undefined : new Set(),
    letGo: new Set(),
    goneOn: new Set(),
    leftBehind: new Set(),
    memoryRng,
    memoryLimits: memoryRng.pick([[2 ** 20], [2 ** 20, 4], [3, 6, 20], [1, 2]])!,
    diskLimits: memoryRng.pick([[2 ** 20], [0, 2, 2 ** 20]])!,
    pauseRng,
    maxPauseMs: faults ? pauseRng.pick([MAX_PAUSE_MS, MAX_PAUSE_MS, 500])! : MAX_PAUSE_MS,
    spillFailure: faults ? memoryRng.pick([0, 0.05, 0.3])! : 0,
    // A child whose message was lost is not simulated: its parent would wait for it all the same.
    nesting: isLossy ? 0 : nestingRng.pick([0, 0, 0.3, 1])!,
    nestingRng,
    needsRng,
    needing,
    limits: needing === 0 ? [] : drawLimits(needsRng),
    limitsOfTask: new Map(),
    limitedTasks: new Map(),
    unitsInUse: new Map(),
    leastThreads: needing === 0 ? 1 : needsRng.pick([1, 2])!,
    hurriedKeys: new Set(),
    stoppingKeys: new Set(),
    flakes: new Map(),
    hasDeaths: faults,
    hasMemory: false,
    strikesAtRun: new Set(),
  }
}

function tracerOf(name: string, agenda: Agenda, trace: (line: string) => void): Trace {
  const shorten = (key: string, value: unknown): unknown => {
    if (value instanceof Uint8Array) return `${value.length} bytes`
    return key === 'state' ? (value as { readonly type: string }).type : value
  }
  return (direction, what) => {
    trace(`${agenda.nowMs.toFixed(3)} ${name} ${direction} ${JSON.stringify(what, shorten)}`)
  }
}

function drawLimits(rng: Rng): World['limits'] {
  return [
    { name: 'db', kind: 'semaphore', units: rng.integer(1, 4), perSecond: 0 },
    { name: 'licence', kind: 'semaphore', units: rng.integer(1, 2), perSecond: 0 },
    { name: 'api', kind: 'rate', units: rng.integer(1, 3), perSecond: rng.pick([50, 1_000])! },
  ]
}
