/** All that the scheduler's core knows. Only the files of this folder change it, and only in answer to an event. */
import { Heap } from '../../common/heap.js'
import { Rate } from '../../common/rate.js'
import { Rng } from '../../common/rng.js'
import { MAX_INLINE_CACHE_BYTES } from '../../protocol/limits.js'
import type { SchedulerToClient } from '../../protocol/messages/client.js'
import { taskId, type ArrayId, type ClientId, type CodeHash, type TaskId, type WorkerId } from '../../protocol/ids.js'
import type { ClusterStatus } from '../../protocol/messages/status.js'
import type { ClientRecord, Lease } from './clients/client-record.js'
import { InlineCache } from './data/inline-cache.js'
import type { SchedulerInstruction } from './instructions.js'
import type { Demand } from './placing/demand.js'
import { ErrorGroups } from './views/error-groups.js'
import type { Inquiry } from './views/inquiry.js'
import type { Condemned } from './workers/post-mortem.js'
import type { Retirement } from './workers/leaving.js'
import { JournalPage } from './durable/journal-page.js'
import type { Limit } from './placing/limits.js'
import { FailureMap } from './tasks/failure-map.js'
import type { Nesting } from './tasks/nesting.js'
import type { Progress } from './tasks/progress.js'
import { ReadyQueue } from './placing/ready-queue.js'
import type { QueueDeadline } from './tasks/queue-time-outs.js'
import type { Rebalance } from './data/rebalance.js'
import type { Relay } from './data/relays.js'
import type { Restart } from './workers/restart.js'
import type { Scatter } from './data/scatter.js'
import type { CopiesUnderWay, Spread } from './data/spread.js'
import type { RecordCounts, TaskArray } from './tasks/task-array.js'
import type { Delayed, Failure, Task } from './tasks/task.js'
import type { CodeRecord, FunctionStatistics, Template } from './tasks/template.js'
import { isLessLoaded, rankOf, type WorkerRecord } from './workers/worker-record.js'

export interface SchedulerConfig {
  /** What workers and clients show each other; random, made by the shell. */
  readonly peerSecret: string
  /** The first array id to lease; random, so that what is left of an earlier scheduler's tasks is not taken for new ones. */
  readonly firstArray: ArrayId
  /** For what chance decides; random, or what a run is to be repeated with. */
  readonly seed: number
  /** The scheduler's start, on the clock of its events. */
  readonly startedAtMs: number
  readonly packageVersion: string
  readonly nodeVersion: string
  /** What must outlive this scheduler is kept: its instructions say what that is, and clients may come back. */
  readonly keepsState?: boolean
  /** How long a client may be away, if not `CLIENT_GRACE_MS`. */
  readonly clientGraceMs?: number
  /** Bound of the inline cache; tests make it small. */
  readonly maxInlineCacheBytes?: number
  /** Tasks of functions that take longer are not sent ahead of their inputs. Tests make it large; see placing/ahead.ts. */
  readonly maxAheadUs?: number
  /** As that, of the next task of a chain. */
  readonly maxChainedUs?: number
  /** When workers share a graph. Tests make it large, or small; see placing/ahead.ts. */
  readonly sharedUs?: number
  /** So many rows of tasks must be left for each thread before they can wait. Tests make it small; see placing/patience.ts. */
  readonly rowsLeft?: number
}

/** Somebody waits until so many workers are there. */
export interface WorkerWait {
  readonly client: ClientRecord
  readonly request: number
  readonly count: number
}

export interface SchedulerState {
  readonly config: SchedulerConfig
  /** The time of the latest event; the core has no other clock. */
  nowMs: number
  readonly clients: Map<ClientId, ClientRecord>
  /** Those that may come back, by what they show then. */
  readonly sessions: Map<string, ClientRecord>
  /** Those of them that lost their connection, the first to be given up first. */
  readonly absentClients: Set<ClientRecord>
  /** Those of these that were never here since this scheduler took the place of another. See clients/missing.ts. */
  readonly missingClients: Set<ClientRecord>
  readonly workers: Map<WorkerId, WorkerRecord>
  /** The same workers; no two have one name. */
  readonly workersByName: Map<string, WorkerRecord>
  /** Those of them that want to go. */
  readonly leaving: Set<WorkerRecord>
  /** How many don't. */
  stayingWorkers: number
  /** What these may use of memory, all together. */
  memoryLimitBytes: number
  /** How many threads they have. */
  threads: number
  /** The estimated time of all that workers have and whose inputs have come: the sum of their `queuedUs`. */
  queuedUs: number
  /** Bytes of the values for which a wanted dependant is still to run, each counted once. */
  awaitedBytes: number
  /** How many tasks with inputs workers have. */
  consuming: number
  /** Every array with a live place. A task is in it, or nowhere. */
  readonly arrays: Map<ArrayId, TaskArray>
  /** How many tasks have a record: there are more that have not begun. */
  readonly records: RecordCounts
  /** Tasks with an explicit key. */
  readonly keys: Map<string, Task>
  /** Failed tasks that have inputs, by why they failed: many may have failed for one. */
  readonly victims: FailureMap<Set<Task>>
  /** Published tasks, by name. */
  readonly datasets: Map<string, Task>
  readonly codes: Map<CodeHash, CodeRecord>
  /** By code and export, so that what is learnt about a function outlives a template. */
  readonly functions: Map<string, FunctionStatistics>
  /** Of tasks that need one thread and nothing else. */
  readonly ready: ReadyQueue
  /** Of the others, by what they need. */
  readonly demands: Map<string, Demand>
  /** Limits of the whole cluster, by name. */
  readonly limits: Map<string, Limit>
  /** When a rate limit will have units that somebody waits for. */
  nextUnitMs: number
  /** Workers that demands have to look at again; empty while there are no demands. */
  readonly touched: Set<WorkerRecord>
  /** Workers that may be sent tasks, the least loaded on top. */
  readonly open: Heap<WorkerRecord>
  /** Tasks that will be tried again, the next one on top. */
  readonly delayed: Heap<Delayed>
  /** Those of them that fail with a worker, by its incarnation. See workers/post-mortem.ts. */
  readonly condemned: Map<string, Condemned>
  readonly rng: Rng
  /** When tasks will have waited too long for their start, the next one on top. */
  readonly queueDeadlines: Heap<QueueDeadline>
  /** Calls of `map` that failed too often, until the turn ends. */
  readonly mapsToStop: Set<Template>
  readonly inline: InlineCache
  readonly workerWaits: WorkerWait[]
  /** Workers from which tasks may be asked back, the one to be looked at first first. */
  readonly hoarders: Set<WorkerRecord>
  /** Workers whose tasks may have dependants that could be sent ahead of their inputs. See ahead.ts. */
  readonly withNews: Set<WorkerRecord>
  /** How many tasks workers were asked to give back, and have not answered about. */
  recallsUnderWay: number
  /** Clients wait until workers are gone. */
  readonly retirements: Set<Retirement>
  /** Clients wait until worker processes are there that were started again. */
  readonly restarts: Set<Restart>
  /** Questions of clients and lookers that workers have not answered all, by number. */
  readonly inquiries: Map<number, Inquiry>
  nextInquiry: number
  /** Values move until workers hold equally much. */
  rebalance: Rebalance | undefined
  /** Values that clients are bringing to workers. */
  readonly scatters: Map<TaskId, Scatter>
  /** Those of them that need a place; looked at when the turn ends. */
  readonly scattersToPlace: Set<Scatter>
  /** Those for which there is no worker now. */
  readonly homelessScatters: Set<Scatter>
  /** Streams that run and have given a value. */
  readonly streamed: Set<Task>
  /** Array ids of workers that left of late: clients of their tasks may still come with them. */
  readonly pastLeases: Lease[]
  /** Tasks that submitted tasks and have no outcome, by their own ids. */
  readonly nestings: Map<TaskId, Nesting>
  /** What these submitted goes when the turn ends. */
  readonly endedNestings: Nesting[]
  /** What tasks that run said of themselves. */
  readonly progress: Map<Task, Progress>
  /** What this turn adds to the journal, if there is one. See journal-record.ts. */
  journal: JournalPage | undefined
  /** What clients are told once that is kept. */
  readonly whenKept: { readonly client: ClientRecord; readonly message: SchedulerToClient }[]
  /** Clients that said something in this turn that must not be lost. */
  readonly heardClients: Set<ClientRecord>
  /** The journal's disk is full: nothing new is started. */
  isJournalFull: boolean
  /** Workers of the scheduler before this one that may come back, by their incarnation. See reattach.ts. */
  readonly awaitedWorkers: Map<string, WorkerId>
  /** Until then they are waited for, and nothing is started; `Infinity` while a journal is read, `undefined` when nobody is. */
  reattachUntilMs: number | undefined
  readonly totals: { -readonly [K in keyof ClusterStatus['totals']]: number }
  readonly errors: ErrorGroups
  /** While a journal is read: the failures that it names. */
  readonly failuresRead: FailureMap<Failure>
  readonly finishRate: Rate
  nextArray: number
  nextTemplate: number
  /** Numbers what clients submit. */
  nextSegment: number
  /** Takes workers in turn. */
  nextScatter: number
  /** Who has something in the outbox. */
  readonly clientsToFlush: ClientRecord[]
  readonly workersToFlush: WorkerRecord[]
  /** Clients that will be told later which tasks finished, and nothing else; the first to be told first. */
  readonly clientsWithNews: Set<ClientRecord>
  /** Instructions that are not messages: connections to close, relays to connect. */
  readonly orders: SchedulerInstruction[]
  /** Values of which workers get copies. */
  readonly spreads: Map<TaskId, Spread>
  /** Those of them to look at when the turn ends. */
  readonly changedSpreads: Set<Spread>
  /** Workers that can give a copy again, and have others waiting for that. */
  readonly holdersWithRoom: Set<WorkerRecord>
  readonly copying: CopiesUnderWay
  /** By number. */
  readonly relays: Map<number, Relay>
  /** Those of `relays` for which there is no place yet, the next one first. */
  readonly waitingRelays: Set<Relay>
  /** How many have a place: they are offered or open. */
  startedRelays: number
  nextRelay: number
}

export function createState(config: SchedulerConfig): SchedulerState {
  return {
    config,
    nowMs: 0,
    clients: new Map(),
    sessions: new Map(),
    absentClients: new Set(),
    missingClients: new Set(),
    workers: new Map(),
    workersByName: new Map(),
    stayingWorkers: 0,
    leaving: new Set(),
    memoryLimitBytes: 0,
    threads: 0,
    queuedUs: 0,
    awaitedBytes: 0,
    consuming: 0,
    arrays: new Map(),
    records: { kept: 0, gone: 0 },
    keys: new Map(),
    victims: new FailureMap(),
    datasets: new Map(),
    codes: new Map(),
    functions: new Map(),
    ready: new ReadyQueue(),
    demands: new Map(),
    limits: new Map(),
    nextUnitMs: Infinity,
    touched: new Set(),
    open: new Heap(isLessLoaded),
    delayed: new Heap(isDueBefore),
    condemned: new Map(),
    rng: new Rng(config.seed),
    queueDeadlines: new Heap((a, b) => (a.dueMs === b.dueMs ? idOf(a) < idOf(b) : a.dueMs < b.dueMs)),
    mapsToStop: new Set(),
    hoarders: new Set(),
    withNews: new Set(),
    recallsUnderWay: 0,
    inline: new InlineCache(config.maxInlineCacheBytes ?? MAX_INLINE_CACHE_BYTES),
    workerWaits: [],
    retirements: new Set(),
    restarts: new Set(),
    inquiries: new Map(),
    nextInquiry: 1,
    rebalance: undefined,
    scatters: new Map(),
    scattersToPlace: new Set(),
    homelessScatters: new Set(),
    streamed: new Set(),
    pastLeases: [],
    nestings: new Map(),
    endedNestings: [],
    progress: new Map(),
    journal: config.keepsState === true ? new JournalPage() : undefined,
    whenKept: [],
    heardClients: new Set(),
    isJournalFull: false,
    awaitedWorkers: new Map(),
    reattachUntilMs: undefined,
    totals: {
      submitted: 0,
      finished: 0,
      failed: 0,
      retried: 0,
      cancelled: 0,
      resultBytes: 0,
      movedBytes: 0,
      repaired: 0,
    },
    errors: new ErrorGroups(),
    failuresRead: new FailureMap(),
    finishRate: new Rate(),
    nextArray: config.firstArray,
    nextTemplate: 1,
    nextSegment: 1,
    nextScatter: 0,
    clientsToFlush: [],
    workersToFlush: [],
    clientsWithNews: new Set(),
    orders: [],
    spreads: new Map(),
    changedSpreads: new Set(),
    holdersWithRoom: new Set(),
    copying: new Map(),
    relays: new Map(),
    waitingRelays: new Set(),
    startedRelays: 0,
    nextRelay: 1,
  }
}

/** Of its first task: no two deadlines have the same. */
function idOf({ segment, first }: QueueDeadline): number {
  return taskId(segment.array.id, segment.first + first)
}

/** The older task goes first among those that are due at once, so that a run can be repeated. */
function isDueBefore(a: Delayed, b: Delayed): boolean {
  return a.dueMs === b.dueMs ? a.task.id < b.task.id : a.dueMs < b.dueMs
}

/** Where a task of the template waits for a worker. */
export function readyQueueOf(state: SchedulerState, { demand }: Template): ReadyQueue {
  return demand === undefined ? state.ready : demand.queue
}

/** The client's outbox, which is emptied at the end of the turn. */
export function outboxOf(state: SchedulerState, client: ClientRecord): ClientRecord['outbox'] {
  if (!client.isDirty) {
    client.isDirty = true
    state.clientsToFlush.push(client)
  }
  return client.outbox
}

/** What the worker's rank follows from has changed: it moves to where it belongs among open workers. */
export function rankAgain(state: SchedulerState, worker: WorkerRecord): void {
  worker.rank = rankOf(worker)
  if (worker.heapPlace >= 0) state.open.update(worker)
}

/** The worker's outbox, which is emptied at the end of the turn. */
export function workerOutboxOf(state: SchedulerState, worker: WorkerRecord): WorkerRecord['outbox'] {
  if (!worker.isDirty) {
    worker.isDirty = true
    state.workersToFlush.push(worker)
  }
  return worker.outbox
}
