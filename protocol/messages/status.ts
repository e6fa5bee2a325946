/** What a cluster is doing, as `client.info()`, `/api/v1/status`, `heddle status` and the status page show it. */
import { flag, integer, list, oneOf, real, record, text, type Infer } from '../schema.js'

/** How many tasks are in each state now, each task once. The names are those of the scheduler's task states. */
export const stateCounts = record({
  waiting: integer,
  ready: integer,
  processing: integer,
  'in-memory': integer,
  failed: integer,
  released: integer,
  /** They failed, and will be tried again. */
  delayed: integer,
})
/**
 * How many tasks are in each state now.
 * @interface
 */
export type StateCounts = Infer<typeof stateCounts>

export const workerStatus = record({
  name: text,
  address: text,
  host: text,
  pid: integer,
  threads: integer,
  memoryBytes: integer,
  memoryLimitBytes: integer,
  cpuSeconds: real,
  /** What it offers beside threads and memory, as in `gpu=2`. */
  resources: list(text),
  /** Tasks sent to it and not finished. */
  processing: integer,
  /** Tasks sent to it ahead of their inputs; until these come, they count as waiting. */
  sentAhead: integer,
  storedCount: integer,
  storedBytes: integer,
  /** Of the stored bytes, those that are on disk. */
  spilledBytes: integer,
  /** What it got of values from other workers and from clients since it joined. */
  receivedBytes: integer,
  /** What takes so much memory that the worker does one task at a time: `values`, `process`, or nothing. */
  pausedBy: oneOf('', 'values', 'process'),
  /** It can't spill values for want of room on disk. */
  isDiskFull: flag,
  /** It wants to go, and gets nothing more. */
  isLeaving: flag,
  /** Why it has not left yet, when it holds what would be lost with it and nobody is there to take that; else empty. */
  staysBecause: text,
  /** Milliseconds since it was last heard of. */
  silentForMs: integer,
  packageVersion: text,
  nodeVersion: text,
})
/**
 * One worker: who it is, what it does and what it holds.
 * @interface
 */
export type WorkerStatus = Infer<typeof workerStatus>

export const functionStatus = record({
  name: text,
  tasks: stateCounts,
  /** Runs that ended well or badly since the scheduler started. */
  finished: integer,
  failed: integer,
  /** Mean of recent runs; 0 before the first. */
  meanMs: real,
})
/**
 * All tasks of one function, by its name.
 * @interface
 */
export type FunctionStatus = Infer<typeof functionStatus>

export const blockedStatus = record({
  /** What they need, as in `gpu=1, memory=2 GiB`. */
  needs: text,
  /** Why they wait. */
  reason: text,
})
/**
 * Ready tasks that no worker of the cluster can ever take.
 * @interface
 */
export type BlockedStatus = Infer<typeof blockedStatus>

/**
 * Since the scheduler started. `retried` are runs that failed and were followed by another try; they are not among `failed`.
 * `resultBytes` is what the results of finished runs have, all together; `movedBytes` what workers got of values from others.
 * `repaired` are tasks and values of which scheduler and worker believed something else, which was put right.
 */
export const totals = record({
  submitted: integer,
  finished: integer,
  failed: integer,
  retried: integer,
  cancelled: integer,
  resultBytes: integer,
  movedBytes: integer,
  repaired: integer,
})

export const clusterStatus = record({
  packageVersion: text,
  nodeVersion: text,
  /** Milliseconds since the scheduler started. */
  upForMs: integer,
  clients: integer,
  workers: list(workerStatus),
  tasks: stateCounts,
  functions: list(functionStatus),
  /** Kinds of tasks that wait for a worker which has what they need. */
  blocked: list(blockedStatus),
  totals,
  /** Finished tasks a second, over the last few seconds. */
  tasksPerSecond: real,
})
/**
 * A whole cluster, as its scheduler sees it.
 * @interface
 */
export type ClusterStatus = Infer<typeof clusterStatus>
