/** A worker as the scheduler knows it. */
import type { HeapItem } from '../../../common/heap.js'
import type { CodeHash, WorkerId } from '../../../protocol/ids.js'
import type { Join, Pulse } from '../../../protocol/messages/worker.js'
import type { Lease } from '../clients/client-record.js'
import type { Demand } from '../placing/demand.js'
import type { Relocation } from '../data/moves.js'
import type { AskedRelays } from '../data/relays.js'
import type { Scatter } from '../data/scatter.js'
import type { WorkerCopies } from '../data/spread.js'
import type { Stop } from '../tasks/cancel.js'
import type { Processing, Task } from '../tasks/task.js'
import type { Template } from '../tasks/template.js'
import type { Review } from './reconcile.js'
import type { WorkerOutbox } from './worker-outbox.js'

export interface WorkerRecord extends HeapItem {
  readonly id: WorkerId
  /** Its place among open workers: what `rankOf` says, kept as its load changes, since it is compared far more often. */
  rank: number
  readonly join: Join
  /** A list of this worker alone, for the many values that only it holds. */
  readonly alone: readonly WorkerRecord[]
  /** It has said what it has of the time before; until then it may hold what only it knows of. */
  isAttached: boolean
  /** Tasks sent to it whose outcome is not known, in the order they were sent. */
  readonly processing: Set<Task>
  /** Tasks sent to it before all their inputs are known to be there: they are in no figure of its load but `aheadUs`. */
  readonly ahead: Set<Task>
  /** Estimated time of `ahead`, as `queuedUs`. */
  aheadUs: number
  /** When it will have a thread for one more of them, as far as can be foreseen. */
  aheadEndMs: number
  /** Those of them that wait for tasks that they submitted: they take no thread meanwhile. */
  readonly suspended: Set<Task>
  /** A task was suspended here. When it went on, its thread may have had other tasks. */
  hasLent: boolean
  /** Array ids for the clients of its tasks. */
  readonly lease: Lease
  /** The state of all of them, made with the first. */
  processingState: Processing | undefined
  /** Bytes of the arguments of `processing`. */
  argumentBytes: number
  /** Estimated time of `processing`, in microseconds of one thread; tasks never timed before count nothing. */
  queuedUs: number
  /** How many of `processing` belong to a function that was never timed. */
  untimed: number
  /** Those of `processing` that can wait, with how long a row of them may take: the others go before them. See placing/patience.ts. */
  readonly patient: Map<Task, number>
  /** Estimated time of `patient`, as `queuedUs`. */
  patientUs: number
  /** Of the one that came last; they have one priority. */
  patientTemplate: Template | undefined
  /** Those of `processing` that it was asked to give back, until they have left it: has it said that they started? */
  readonly recalled: Map<Task, 'asked' | 'kept'>
  /** If, by its last sign of life, each of its threads was at one task for long: these tasks; else `NOT_HELD_UP`. */
  heldUpBy: readonly Task[]
  /** Is it in `state.hoarders`? */
  isHoarding: boolean
  /** How many of `processing` take no thread: they are in no other figure of its load. */
  ioTasks: number
  /** Threads that tasks of `processing` take beyond one each; those that wait for children take none. */
  extraSlots: number
  /**
   * What tasks that are counted have not taken: places for tasks without a thread, of its memory limit, and of what it
   * offers by name, in thousandths.
   */
  readonly free: { ioTasks: number; memoryBytes: number; readonly others: Map<string, number> }
  /** Other demands leave enough of it free for a task of this one. */
  reservedFor: Demand | undefined
  /** Attempts that it was told to free, and that still take of it until it says that it is done with them. */
  readonly lingering: Map<string, Demand>
  /** What it has been sent and need not be sent again. */
  readonly codes: Set<CodeHash>
  /** Each knows the worker in turn, in `knownBy`. */
  readonly templates: Set<Template>
  readonly peers: Set<WorkerId>
  /** Cancelled attempts of which it has not said that they stopped. */
  readonly stopping: Map<string, Stop>
  /** It wants to go: nothing more is sent to it. */
  isLeaving: boolean
  /** Nothing is expected of it any more, and it has been told. */
  isDismissed: boolean
  /** Then it is to start afresh, and not to stay away. */
  isToRestart: boolean
  /** Who looks after the cluster wants it to go. */
  isSentAway: boolean
  /** It had more to do then. */
  isCutShort: boolean
  /** What only it holds, on its way to others; from when it wants to go. */
  evacuation: Relocation | undefined
  /** It was looked through for such values once, at least. */
  hasEvacuated: boolean
  /** For the sake of this value it stays though it was to go: nobody is there to give it to. */
  keeps: Task | undefined
  heardAtMs: number
  /** What it got of values from others: for people who look. */
  receivedBytes: number
  readonly copies: WorkerCopies
  /** Values that clients are bringing to it, or have brought and are not done with. */
  readonly scatters: Set<Scatter>
  pulse: Pulse | undefined
  /** When that came. */
  pulseAtMs: number
  /** See reconcile.ts. */
  readonly review: Review
  readonly relays: AskedRelays
  readonly outbox: WorkerOutbox
  /** Is it in `state.workersToFlush`? */
  isDirty: boolean
}

/** What a task of unknown length counts for in a worker's load. */
const UNTIMED_US = 6_000

/** How much there is for each thread, in microseconds. A thread that is idle waits for nothing that is ahead of its inputs. */
export function loadOf(worker: WorkerRecord): number {
  const { aheadUs, join } = worker
  return queueOf(worker) + (aheadUs === 0 || hasIdleThread(worker) ? 0 : aheadUs / join.threads)
}

/** As `loadOf`, for a task that goes before those that can wait. */
export function loadBesideOf(worker: WorkerRecord): number {
  return loadOf(worker) - (worker.patientUs + worker.patient.size) / worker.join.threads
}

/** As `loadOf`, of what may begin at any time: what is ahead of its inputs does not count. */
export function queueOf(worker: WorkerRecord): number {
  const { threads } = worker.join
  return (worker.queuedUs + worker.untimed * UNTIMED_US + worker.processing.size - worker.ioTasks) / threads
}

/** As `loadOf`, for a task without a thread: such tasks keep each other waiting and nothing else. */
export function ioLoadOf({ ioTasks, join }: WorkerRecord): number {
  return (ioTasks * UNTIMED_US) / join.ioTasks
}

/** More than any load: 12 days. A thousandth of a microsecond is told apart beside it. */
const MAX_LOAD_US = 2 ** 40

/**
 * Where a worker stands among open workers: those with an idle thread come first, whatever their other threads do; those that
 * take nothing ahead last; then the least loaded.
 */
export function rankOf(worker: WorkerRecord): number {
  const group = (hasIdleThread(worker) ? 0 : 2) + (takesNothingAhead(worker) ? 1 : 0)
  return group * MAX_LOAD_US + Math.min(loadOf(worker), MAX_LOAD_US - 1)
}

/** Order of the heap of open workers. The older one breaks a tie, so that a run can be repeated. */
export function isLessLoaded(a: WorkerRecord, b: WorkerRecord): boolean {
  return a.rank === b.rank ? a.id < b.id : a.rank < b.rank
}

export function hasIdleThread(worker: WorkerRecord): boolean {
  return idleThreadsOf(worker) > 0
}

/**
 * So many tasks may begin there at once. A paused worker does one at a time: what it is given may be what uses its values up.
 * Beside a task that has several threads, each that is ahead of its inputs is left one: it would otherwise be one too many when
 * these come.
 */
export function idleThreadsOf(worker: WorkerRecord): number {
  const slots = worker.extraSlots > 0 ? slotsToComeOf(worker) : slotsOf(worker)
  const threads = isPaused(worker) ? 1 : worker.join.threads
  const most = isKeptFree(worker) ? Math.min(threads, threadsLeftBy(worker.reservedFor, worker)) : threads
  return Math.max(0, most - slots)
}

export const NOT_HELD_UP: readonly Task[] = Object.freeze([])

/** What it takes to have a task back from a worker. */
export const RECALL_US = 1_000

/** Is each of its threads still at a task that takes long? */
export function isHeldUp({ heldUpBy, processing, suspended }: WorkerRecord): boolean {
  return heldUpBy !== NOT_HELD_UP && heldUpBy.every((task) => processing.has(task) && !suspended.has(task))
}

/** Has it been sent more than its threads can run at once, and would have to run them for long enough that it is worth a question? */
export function hoards(worker: WorkerRecord): boolean {
  if (slotsOf(worker) <= worker.join.threads || worker.isLeaving) return false
  return worker.queuedUs > 2 * RECALL_US * worker.processing.size || isHeldUp(worker)
}

/**
 * Is it kept free for a demand? Not while a task there waits for tasks of its own: what the demand waits for may be what
 * that one holds.
 */
export function isKeptFree(worker: WorkerRecord): worker is WorkerRecord & { reservedFor: Demand } {
  return worker.reservedFor !== undefined && worker.suspended.size === 0
}

/** How many threads its tasks take. */
export function slotsOf(worker: WorkerRecord): number {
  return worker.processing.size - worker.suspended.size - worker.ioTasks + worker.extraSlots
}

/** As `slotsOf`, with one for each task that is ahead of its inputs. */
export function slotsToComeOf(worker: WorkerRecord): number {
  return slotsOf(worker) + worker.ahead.size
}

/** Where a task has several threads, or is to have them, none is sent ahead that would take one of them; nor where all threads are held up. */
export function takesNothingAhead(worker: WorkerRecord): boolean {
  return isPaused(worker) || worker.extraSlots > 0 || (worker.reservedFor?.needs.threads ?? 1) > 1 || isHeldUp(worker)
}

/** Of the threads of a worker that is kept free for a demand, those that tasks may take, with the demand's own. */
function threadsLeftBy({ needs, taken }: Demand, worker: WorkerRecord): number {
  if (needs.threads <= 1) return worker.join.threads
  return worker.join.threads - needs.threads + (taken.get(worker) ?? 0) * needs.threads
}

/** Is so much of the worker's memory taken that it begins nothing beside what runs? */
export function isPaused({ pulse }: WorkerRecord): boolean {
  return pulse !== undefined && pulse.pausedBy !== ''
}
