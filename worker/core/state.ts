/** All that a worker's core knows. */
import { assert } from '../../common/assert.js'
import { ExpiringSet } from '../../common/expiring-set.js'
import type { CodeHash, TaskId, TemplateId, WorkerId } from '../../protocol/ids.js'
import { MAX_UNREACHABLE, UNREACHABLE_MS } from '../../protocol/limits.js'
import type { TaskExited, TaskFailed } from '../../protocol/messages/worker.js'
import { Awaits } from './awaits.js'
import type { Batch } from './batch.js'
import type { Template } from './estimates.js'
import { FetchPlan } from './fetch-plan.js'
import { HeldValues } from './held-values.js'
import type { LentTask } from './lending.js'
import { ReadyQueue } from './ready-queue.js'
import { SpillPlan } from './spill-plan.js'
import type { Task } from './task.js'
import { TurnReport } from './turn-report.js'

export interface WorkerConfig {
  /** How many tasks run at once, each in a thread. */
  readonly threads: number
  /** How many run at once beside them that take no thread. */
  readonly ioTasks: number
  /** What may be under way from other workers at once. Default: `MAX_FETCH_BYTES`. */
  readonly maxFetchBytes?: number
  /** Memory that the process is meant to use at most. Values take a part of it. */
  readonly memoryLimitBytes: number
  /** How long the worker may be paused without a break. Default: `MAX_PAUSE_MS`. */
  readonly maxPauseMs?: number
  /** What spilled values may take on disk. */
  readonly diskLimitBytes: number
}

/** The worker's place in the cluster. */
export type Link =
  /**
   * No scheduler has said `joined`. Then there are no tasks, and no values but those that clients just brought; or, if the
   * last scheduler is one whose work another will go on with, what runs and what is held stays for that one.
   */
  | { readonly type: 'absent'; readonly keepsWork: boolean }
  /** `keepsState`: if this scheduler is lost, another one will know what it knew. */
  | { readonly type: 'joined'; readonly worker: WorkerId; readonly keepsState: boolean }
  /**
   * It wants to go, because it was asked to or for a `reason`: what runs may end, and nothing starts. `isRetired`: the
   * scheduler asked, and not who started it.
   */
  | {
      readonly type: 'leaving'
      readonly worker: WorkerId
      readonly keepsState: boolean
      readonly isRetired: boolean
      readonly reason: string | undefined
    }
  /** The shell was told to close; nothing matters any more. */
  | { readonly type: 'closed' }

/** What is known of memory that tasks use beside values, and what follows when it stays full; see `pause.ts`. */
export interface Pause {
  /** What the process took beside values, when that was last measured and was not taken for garbage. */
  otherBytes: number
  /** Threads were made to collect: what is measured next is not garbage. */
  wasCollected: boolean
  collectedAtMs: number
  /** Since when the worker is paused without a break; `undefined` while it isn't, or has had nothing to do since. */
  sinceMs: number | undefined
  /** A worker that was paused for too long starts nothing until what its process takes is measured `empty`. */
  draining: 'no' | 'emptying' | 'empty'
}

export interface WorkerState {
  readonly config: WorkerConfig
  link: Link
  /** Tasks whose outcome the scheduler waits for: `waiting`, `ready`, `batched`, or `lent` and wanted. */
  readonly tasks: Map<TaskId, Task>
  readonly ready: ReadyQueue
  /** Of tasks that take no thread. */
  readonly ioReady: ReadyQueue
  readonly fetches: FetchPlan
  /** Values that peers want once they are made here. */
  readonly awaits: Awaits
  /** How many tasks the scheduler has sent since it said `joined`. */
  taskCount: number
  readonly held: HeldValues
  /** Where the large ones of `held` are. */
  readonly spills: SpillPlan
  /** Nothing could be spilled when it was last tried. */
  isDiskFull: boolean
  /** Nothing is spilled before. */
  diskFullUntilMs: number
  readonly pause: Pause
  /** Bytes of large values that were let go since threads were last made to collect. */
  garbageBytes: number
  /** Bytes of the inputs that wait for room in memory, as of the end of the last turn. */
  blockedBytes: number
  /** What the next ready task may come to take, when it can't begin for want of memory; else 0. */
  heldBackBytes: number
  /**
   * By thread: what it runs, or `undefined` when it is idle. Behind the threads are the slots of tasks that take none, each
   * with a batch of one task; the list is as long as such slots are in use.
   */
  readonly batches: (Batch | undefined)[]
  /** Tasks whose threads run others, by `labelOf`. */
  readonly lent: Map<string, LentTask>
  readonly templates: Map<TemplateId, Template>
  /** Code that can't be kept here, with the encoded error that its tasks fail with. */
  readonly refusedCode: Map<CodeHash, Uint8Array>
  /** Addresses of other workers; empty of those that do not listen. */
  readonly peers: Map<WorkerId, string>
  /** Those that were dialled in vain a short while ago. */
  readonly unreachable: ExpiringSet<WorkerId>
  readonly report: TurnReport
  /** The scheduler asks what is here: it is told when the turn ends. */
  isViewAsked: boolean
  /** What became of tasks while no scheduler was there to be told. As many as threads had when it was lost. */
  readonly unsaid: (TaskFailed | TaskExited)[]
}

/** Where a ready task of the template is. */
export function readyQueueOf(state: WorkerState, { isIo }: Template): ReadyQueue {
  return isIo ? state.ioReady : state.ready
}

/** The slot is free. Slots behind the threads are there only while they are used. */
export function freeSlot({ batches, config }: WorkerState, slot: number): void {
  batches[slot] = undefined
  while (batches.length > config.threads && batches.at(-1) === undefined) batches.pop()
}

/** The number that the scheduler knows this worker by. */
export function ownId({ link }: WorkerState): WorkerId {
  assert(link.type === 'joined' || link.type === 'leaving', `a worker without a number: ${link.type}`)
  return link.worker
}

export function createWorkerState(config: WorkerConfig): WorkerState {
  return {
    config,
    link: { type: 'absent', keepsWork: false },
    tasks: new Map(),
    ready: new ReadyQueue(),
    ioReady: new ReadyQueue(),
    fetches: new FetchPlan(),
    awaits: new Awaits(),
    taskCount: 0,
    held: new HeldValues(),
    spills: new SpillPlan(),
    isDiskFull: false,
    diskFullUntilMs: -Infinity,
    pause: { otherBytes: 0, wasCollected: false, collectedAtMs: -Infinity, sinceMs: undefined, draining: 'no' },
    garbageBytes: 0,
    blockedBytes: 0,
    heldBackBytes: 0,
    batches: new Array<Batch | undefined>(config.threads).fill(undefined),
    lent: new Map(),
    templates: new Map(),
    refusedCode: new Map(),
    peers: new Map(),
    unreachable: new ExpiringSet(MAX_UNREACHABLE, UNREACHABLE_MS),
    report: new TurnReport(),
    isViewAsked: false,
    unsaid: [],
  }
}
