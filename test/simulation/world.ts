/** What the parts of one simulation share. */
import assert from 'node:assert/strict'
import type { Rng } from '../../common/rng.js'
import type { TaskId } from '../../protocol/ids.js'
import type { LimitDeclaration } from '../../protocol/messages/limit.js'
import type { Needs } from '../../protocol/messages/needs.js'
import type { Agenda } from '../../testing/agenda.js'
import type { Trace } from './loop.js'
import type { Program } from './program.js'
import type { Future } from './simulated-client.js'
import type { Culprit, Description } from './expression.js'
import type { SimulatedScheduler } from './simulated-scheduler.js'
import type { SimulatedWorker } from './simulated-worker.js'
import type { Slowness } from './slowness.js'

export interface World {
  readonly agenda: Agenda
  readonly rng: Rng
  readonly scheduler: SimulatedScheduler
  /** By the address at which its values would be fetched, if it listens; gone when it died or left. */
  readonly workers: Map<string, SimulatedWorker>
  readonly counts: Counts
  /** Who sees what the core of a process does, by its name; of a seed that is looked into. */
  readonly traceOf: ((name: string) => Trace) | undefined
  /** What happens from outside, of a seed that is made small. */
  readonly program: Program | undefined
  /** The probability that a value which is there can't be fetched. */
  readonly fetchFailure: number
  /** The probability that a worker or a client can't reach a certain worker, and that a worker does not listen at all. */
  readonly separation: number
  /** Draws who is out of reach, so that nothing else is drawn otherwise for it. */
  readonly separationRng: Rng
  readonly slowness: Slowness
  /** The probability that a client submits rows of tasks that need their neighbours, when it acts; and what draws them. */
  readonly weaving: number
  readonly weaveRng: Rng
  /** The same of many rows. */
  readonly growing: number
  readonly growRng: Rng
  /** The probability that a client asks for copies when it acts. */
  readonly replicating: number
  /** The probability that a client cancels something when it acts. */
  readonly cancelling: number
  /** The probability that a function has a bound on waiting, or on failures. */
  readonly stopping: number
  /** For cancelling alone. */
  readonly cancelRng: Rng
  /** The keys of what was cancelled, by whomever. */
  readonly cancelledKeys: Set<string>
  /** The probability that somebody who looks after the cluster cancels a task, or has one run again, when a client acts. */
  readonly operating: number
  /** For this alone. */
  readonly operatorRng: Rng
  /** The probabilities that a client, when it acts, has failed tasks run again; and detaches some and attaches to others. */
  readonly retrying: number
  readonly attaching: number
  /** For these alone. */
  readonly futureRng: Rng
  /** Futures that clients made, for others to attach to. */
  readonly known: Future[]
  /** Tasks whose code ran to its end. */
  readonly ranTasks: Set<number>
  /** The probability that tasks of a function don't fail with those that they need. */
  readonly tolerating: number
  /** For that alone. */
  readonly errorRng: Rng
  /** Why tasks must fail that clients submitted, by their ids. */
  readonly foreseen: Map<TaskId, ReadonlySet<Culprit>>
  /** For calls about data and workers alone, and what clients are inclined to when they act. */
  readonly dataRng: Rng
  readonly publishing: number
  readonly rebalancing: number
  readonly retiring: number
  readonly restarting: number
  /** For streams and those who read them. */
  readonly streamRng: Rng
  /** What was ever published, by name: what futures of a dataset may turn out to be. */
  readonly published: Map<string, Description[]>
  /** Tasks that have ended well, where that may happen only once. */
  readonly finishedOnce: Set<TaskId> | undefined
  /** Tasks that were taken back after they had been sent ahead of their inputs: they may have run before their worker heard of that. */
  readonly takenBack: ReadonlySet<TaskId>
  /** Tasks that clients let go of. They may run again, for whoever comes for them by their key. */
  readonly letGo: Set<TaskId>
  /** Tasks of which a run went on when it had had its time, where nothing could stop it. */
  readonly goneOn: Set<TaskId>
  /** Keys of scattered values that their client may not have brought to a worker before it left. */
  readonly leftBehind: Set<string>
  /** What a worker fetches at once. */
  readonly maxFetchBytes: number
  /** Pairs that were drawn, by both names: can the first reach the second? */
  readonly reach: Map<string, boolean>
  /** For deaths of the scheduler, and connections of clients that break. */
  readonly crashRng: Rng
  /** Does either happen? Then something may be said twice, and what was under way be asked again. */
  readonly hasCrashes: boolean
  /** Are messages between scheduler and workers lost? */
  readonly isLossy: boolean
  /** For memory and disks: their troubles leave the other parts' random numbers as they are. */
  readonly memoryRng: Rng
  /** Memory and disk of a worker, counted in large values. */
  readonly memoryLimits: readonly number[]
  readonly diskLimits: readonly number[]
  /** Draws how much memory a process takes beside its values. */
  readonly pauseRng: Rng
  /** How long a worker may be paused. */
  readonly maxPauseMs: number
  /** The probability that a value can't be spilled, or that its file can't be read. */
  readonly spillFailure: number
  /** The probability that a function submits tasks. */
  readonly nesting: number
  /** For that alone. */
  readonly nestingRng: Rng
  /** Draws what tasks need and workers offer, so that nothing else is drawn otherwise for it. */
  readonly needsRng: Rng
  /** The probability that a function has needs. */
  readonly needing: number
  /** Limits of the cluster, which all clients declare. */
  readonly limits: readonly LimitDeclaration[]
  /** What tasks take of them. */
  readonly limitsOfTask: Map<TaskId, Needs['limits']>
  /** Tasks that take units of limits, and how often they run now. */
  readonly limitedTasks: Map<TaskId, number>
  /** Units of semaphores that tasks which run, and clients, have now. */
  readonly unitsInUse: Map<string, number>
  /** Each worker has so many threads or more, so that what needs as many can run. */
  readonly leastThreads: number
  /** Keys of tasks that may wait only so long, and of calls that stop after so many failures. */
  readonly hurriedKeys: Set<string>
  readonly stoppingKeys: Set<string>
  /** How often flaky tasks have failed. */
  readonly flakes: Map<TaskId, number>
  /** Do workers die, so that tasks may fail with them? */
  readonly hasDeaths: boolean
  /** Are processes never full any more? */
  hasMemory: boolean
  /** At these counts of runs, the worker that runs the task is struck by a fault: so faults come when there is work. */
  readonly strikesAtRun: Set<number>
}

/** How often things happened that a simulation is for; so that a change of the code can't quietly leave them out. */
export interface Counts {
  submitted: number
  values: number
  located: number
  scattered: number
  /** How often a client brought a scattered value to a worker, or tried to. */
  puts: number
  failures: number
  runs: number
  batches: number
  /** Batches whose tasks make inputs of others of them. */
  chains: number
  /** What was added to such a batch while it ran, and what came too late for that. */
  extensions: number
  lateExtensions: number
  /** Those of tasks that can wait, and of more than one. */
  patientBatches: number
  /** Batches that were told to hurry. */
  hurries: number
  takeBacks: number
  cutTasks: number
  fetches: number
  /** Values that were awaited of a peer, and those that came then. */
  awaited: number
  pushed: number
  /** Values that the scheduler sent along with tasks. */
  given: number
  relayed: number
  /** Runs of workers that run slowly. */
  slowRuns: number
  /** Tasks in rows that need their neighbours of the row before. */
  woven: number
  /** Values that came from a holder many times more slowly than usual: all, those that were pushed, and those by a relay. */
  slowlyServed: number
  slowlyPushed: number
  slowlyRelayed: number
  /** Values that were on such a way when their holder went. */
  cutShort: number
  replicated: number
  cancelled: number
  /** What an operator asked for, and got. */
  operated: number
  retried: number
  detached: number
  attached: number
  /** Tasks that gave nothing because an input failed, and inputs in whose place a task got the error. */
  skipped: number
  passedErrors: number
  /** Tasks that waited too long, and those of calls that failed too often. */
  late: number
  stopped: number
  published: number
  /** Futures of what is published. */
  opened: number
  rebalanced: number
  /** Values that moved, for that or because their worker left. */
  moved: number
  retired: number
  /** How often a retired worker had to wait for another one. */
  stayed: number
  restarts: number
  /** Tasks that were told to end, and threads that were terminated. */
  told: number
  terminated: number
  /** Tasks that tasks submitted, and threads that were terminated for one that had waited. */
  nested: number
  terminatedLent: number
  missing: number
  returned: number
  /** Tasks that the scheduler asked back, and those that had started. */
  recalled: number
  kept: number
  exits: number
  /** Runs of tasks that took no thread, and of those that took units of limits; units that clients got. */
  ioRuns: number
  limitedRuns: number
  unitsTaken: number
  /** Tasks with several outputs that ended. */
  split: number
  spilled: number
  /** Workers that were paused for too long, and started again. */
  recycled: number
  loaded: number
  spillFailures: number
  unreadable: number
  /** Streams that were begun, left amid, and broken off; and the values that came of them. */
  streams: number
  leftStreams: number
  brokenStreams: number
  chunks: number
  /** What clients heard of how far tasks were. */
  reports: number
  workersLost: number
  lostTasks: number
  /** Tasks and values of which scheduler and worker believed something else. */
  repaired: number
  /** Deaths of the scheduler, connections that clients lost, and those that they came back on. */
  crashes: number
  cuts: number
  resumed: number
}

export function noCounts(): Counts {
  return {
    submitted: 0,
    values: 0,
    located: 0,
    scattered: 0,
    puts: 0,
    failures: 0,
    runs: 0,
    batches: 0,
    chains: 0,
    extensions: 0,
    lateExtensions: 0,
    patientBatches: 0,
    hurries: 0,
    takeBacks: 0,
    cutTasks: 0,
    fetches: 0,
    awaited: 0,
    pushed: 0,
    given: 0,
    relayed: 0,
    slowRuns: 0,
    woven: 0,
    slowlyServed: 0,
    slowlyPushed: 0,
    slowlyRelayed: 0,
    cutShort: 0,
    replicated: 0,
    cancelled: 0,
    operated: 0,
    retried: 0,
    detached: 0,
    attached: 0,
    skipped: 0,
    passedErrors: 0,
    late: 0,
    stopped: 0,
    published: 0,
    opened: 0,
    rebalanced: 0,
    moved: 0,
    retired: 0,
    stayed: 0,
    restarts: 0,
    told: 0,
    terminated: 0,
    nested: 0,
    terminatedLent: 0,
    missing: 0,
    returned: 0,
    recalled: 0,
    kept: 0,
    exits: 0,
    ioRuns: 0,
    limitedRuns: 0,
    unitsTaken: 0,
    split: 0,
    spilled: 0,
    recycled: 0,
    loaded: 0,
    spillFailures: 0,
    unreadable: 0,
    streams: 0,
    leftStreams: 0,
    brokenStreams: 0,
    chunks: 0,
    reports: 0,
    workersLost: 0,
    lostTasks: 0,
    repaired: 0,
    crashes: 0,
    cuts: 0,
    resumed: 0,
  }
}

/**
 * Somebody has (1) or has no more (-1) units of limits: the task that runs, if it is one. While no worker dies there are never
 * more than there are; nor when the scheduler does, but for what nobody wants any more when a worker is back with it.
 */
export function useUnits(world: World, limits: Needs['limits'], change: 1 | -1, task?: TaskId): void {
  if (limits.length === 0) return
  const { limitedTasks, unitsInUse } = world
  if (task !== undefined) limitedTasks.set(task, (limitedTasks.get(task) ?? 0) + change)
  if (task !== undefined && limitedTasks.get(task) === 0) limitedTasks.delete(task)
  for (const { name, units } of limits) {
    const limit = world.limits.find((each) => each.name === name)
    if (limit?.kind !== 'semaphore') continue
    const inUse = (unitsInUse.get(name) ?? 0) + change * units
    unitsInUse.set(name, inUse)
    assert(inUse <= limit.units || mayExceed(world), `${inUse} of ${limit.units} units of ${name} are in use`)
  }
}

function mayExceed(world: World): boolean {
  const { hasDeaths, hasCrashes, cancelledKeys, stoppingKeys, counts, limitedTasks, letGo, goneOn } = world
  if (hasDeaths || !hasCrashes) return hasDeaths
  if (cancelledKeys.size + stoppingKeys.size + counts.restarts > 0) return true
  return [...limitedTasks.keys()].some((task) => letGo.has(task) || goneOn.has(task))
}

/** Something happens from outside, unless the program leaves it out. */
export function happen({ program, agenda }: World, name: string, action: () => void): void {
  if (program === undefined) action()
  else program.run(name, agenda.nowMs, action)
}

/** Can one process dial another? It stays as it is. */
export function canReach({ separationRng, reach, separation }: World, from: string, to: string): boolean {
  if (separation === 0) return true
  const pair = `${from} ${to}`
  let isReachable = reach.get(pair)
  if (isReachable === undefined) {
    isReachable = !separationRng.chance(separation)
    reach.set(pair, isReachable)
  }
  return isReachable
}

export function addCounts(total: Counts, more: Counts): void {
  for (const name of Object.keys(total) as (keyof Counts)[]) total[name] += more[name]
}

/** May tasks fail that would not by themselves? */
export function mayFailUnforeseen(world: World): boolean {
  const { hasDeaths, hasCrashes, cancelledKeys, hurriedKeys, stoppingKeys, counts, retrying, operating } = world
  if (hasDeaths || hasCrashes || counts.restarts > 0 || retrying + operating > 0) return true
  // What a client scattered, detached and left before any worker had it is lost with the client.
  return cancelledKeys.size + hurriedKeys.size + stoppingKeys.size + world.leftBehind.size > 0
}
