/** The link between a worker and the scheduler. */
import {
  bytes,
  flag,
  integer,
  integers,
  list,
  message,
  oneOf,
  optional,
  packed,
  real,
  record,
  taskIds,
  text,
  union,
  type Infer,
} from '../schema.js'
import { array, attemptNumber, defineCode, failure, hash, stopper, task, template, worker } from './common.js'
import { amounts } from './needs.js'
import { fromSwitch, toSwitch } from './relay.js'
import { takeProfile } from './profile.js'
import { tell, tellOfTask, told } from './report.js'
import { logged, runs, watch } from './runs.js'
import { workerDeath } from './worker-death.js'

/** The worker's first message. `address` is where its peers and clients fetch values; empty when it does not listen. */
export const join = message('join', {
  name: text,
  address: text,
  threads: integer,
  memoryLimitBytes: integer,
  pid: integer,
  host: text,
  packageVersion: text,
  nodeVersion: text,
  /** Tells one start of a worker under a name from another: made by the nanny, kept across its restarts. */
  incarnation: text,
  /** What it offers beside threads and memory. */
  resources: amounts,
  /** How many tasks it runs at once that take no thread. */
  ioTasks: integer,
  /** What tasks may call it beside its name and address, as in `zone=a`. */
  tags: list(text),
  /** Somebody starts its process again when that ends. */
  isWatched: flag,
  /** How the process before it ended, if its nanny saw one end. */
  lastDeath: optional(workerDeath),
})
export type Join = Infer<typeof join>

/** How the time of finished tasks is told: summed up for each template of one message. */
const timing = record({ template, count: integer, totalUs: integer })

/**
 * Tasks ran, and their values are held by the sender. Those of up to `MAX_INLINE_RESULT_BYTES` come along: `values` has
 * an entry for each task, which is empty where the value stayed. No encoded value is empty.
 */
export const tasksFinished = message('tasks-finished', {
  tasks: taskIds,
  /** One for each task, or empty when all are 1. */
  attempts: integers,
  sizes: integers,
  values: packed,
  timings: list(timing),
})
export type TasksFinished = Infer<typeof tasksFinished>
/**
 * Tasks with several outputs ran, and the outputs are held by the sender, each under its own id (`outputOf`). `sizes` and
 * `values` have an entry for each output, end to end; `counts` says how many there are of each task. Outputs that are
 * together larger than `MAX_INLINE_RESULT_BYTES` stay, all of them: then their entries are empty.
 */
export const outputsFinished = message('outputs-finished', {
  tasks: taskIds,
  /** One for each task, or empty when all are 1. */
  attempts: integers,
  counts: integers,
  sizes: integers,
  values: packed,
  timings: list(timing),
})
export type OutputsFinished = Infer<typeof outputsFinished>
/** A task threw; `error` is its encoded error. With `isFinal` it must not be tried again. */
export const taskFailed = message('task-failed', { task, attempt: attemptNumber, error: bytes, isFinal: flag })
export type TaskFailed = Infer<typeof taskFailed>
/** A task died with its thread, or used its heap up: `reason` is for people, `exitCode` the thread's. */
export const taskExited = message('task-exited', {
  task,
  attempt: attemptNumber,
  exitCode: integer,
  reason: text,
  isOutOfMemory: flag,
})
export type TaskExited = Infer<typeof taskExited>
/**
 * Tasks come back with no outcome: recalled, or the worker is leaving; or they were freed, and their template `isCounted`.
 * Those at the places in `begun` had started, and lost what they ran in to no fault of theirs.
 */
export const tasksReturned = message('tasks-returned', { tasks: taskIds, attempts: integers, begun: integers })
export type TasksReturned = Infer<typeof tasksReturned>
/** Tasks that `recall` named have started, and stay. */
export const tasksKept = message('tasks-kept', { tasks: taskIds })
/** A task comes back unstarted: its inputs could not be had from `holder`. */
export const inputsMissing = message('inputs-missing', {
  task,
  attempt: attemptNumber,
  inputs: taskIds,
  holder: worker,
})
export type InputsMissing = Infer<typeof inputsMissing>
/** The worker keeps copies of values that it fetched from peers. */
export const copiesHeld = message('copies-held', { tasks: taskIds, sizes: integers })
/**
 * The worker has these attempts, which another scheduler sent it before a cut: they run, or their outcomes follow. Right
 * behind `join`, of a worker that had a scheduler which `keepsState`.
 */
export const tasksHeld = message('tasks-held', { tasks: taskIds, attempts: integers })
/** The worker has said all that it has of what was before it joined. Every worker says it to a scheduler that `keepsState`. */
export const attached = message('attached', {})
/** Copies that the worker held can't be had any more: their spill files can't be read. */
export const valuesLost = message('values-lost', { tasks: taskIds })
/** Every heartbeat: how the worker is. A long task is a fact here, never taken for silence. */
export const pulse = message('pulse', {
  memoryBytes: integer,
  cpuSeconds: real,
  storedCount: integer,
  storedBytes: integer,
  /** Of the stored values, what is on disk, and in memory no more. */
  spilledBytes: integer,
  /** What takes so much memory that it does one task at a time: `values`, or the `process` beside them; empty if it is not. */
  pausedBy: oneOf('', 'values', 'process'),
  /** Values can't be spilled for want of room. */
  isDiskFull: flag,
  /** The next of its tasks has not begun for want of memory. */
  isHoldingBack: flag,
  running: taskIds,
  attempts: integers,
  runningForMs: integers,
})
export type Pulse = Infer<typeof pulse>
/** The worker wants to go: send nothing more. It ends what runs, gives back the rest, and waits for `farewell`. */
export const leaving = message('leaving', {})

/** The next value of a task that is a stream. */
export const streamChunk = message('stream-chunk', { task, attempt: attemptNumber, index: integer, value: bytes })
export type StreamChunk = Infer<typeof streamChunk>

/** These wait for tasks that they submitted: their slots are free meanwhile. */
export const tasksSuspended = message('tasks-suspended', { tasks: taskIds, attempts: integers })
/** These go on: they take their slots again. */
export const tasksResumed = message('tasks-resumed', { tasks: taskIds, attempts: integers })
/** What a task that runs said of itself: how much of it is done, from 0 to 1, and what it does. */
export const taskProgressed = message('task-progressed', { task, attempt: attemptNumber, fraction: real, note: text })
export type TaskProgressed = Infer<typeof taskProgressed>

/** Copies that `fetch-copies` asked for could not be had. */
export const copiesMissing = message('copies-missing', { tasks: taskIds })

/** Tasks that `stop-tasks` named: their slots are free, or were never taken. Nothing else is said of these attempts. */
export const tasksStopped = message('tasks-stopped', { tasks: taskIds, attempts: integers, stoppedBy: list(stopper) })
export type TasksStopped = Infer<typeof tasksStopped>

/**
 * Tasks ran longer than their template's `timeoutMs`, and were stopped: their slots are free. Nothing else is said of
 * these attempts; but those at the places in `goOn` could not be stopped, and are returned when they end, if what they take is
 * counted.
 */
export const tasksTimedOut = message('tasks-timed-out', { tasks: taskIds, attempts: integers, goOn: integers })
export type TasksTimedOut = Infer<typeof tasksTimedOut>

/**
 * Answers `ask-view`, behind all that the turn has to tell: the attempts of which an outcome will follow, those that
 * nobody waits for, and what values it holds, `MAX_VIEWED_VALUES` of them at most.
 */
export const view = message('view', {
  tasks: taskIds,
  attempts: integers,
  /** Attempts that nobody wants any more, and that go on all the same. */
  leftovers: taskIds,
  leftoverAttempts: integers,
  values: taskIds,
})
export type View = Infer<typeof view>

export const workerToScheduler = union([
  join,
  tasksFinished,
  outputsFinished,
  taskFailed,
  taskExited,
  tasksReturned,
  tasksKept,
  inputsMissing,
  tasksHeld,
  attached,
  copiesHeld,
  valuesLost,
  pulse,
  leaving,
  copiesMissing,
  tasksStopped,
  tasksTimedOut,
  streamChunk,
  taskProgressed,
  told,
  runs,
  logged,
  tasksSuspended,
  tasksResumed,
  view,
  ...toSwitch,
])
export type WorkerToScheduler = Infer<typeof workerToScheduler>

/**
 * Answers `join`. Peers and clients show `peerSecret` when they fetch values. If the scheduler is lost that `keepsState`,
 * another one will know what it knew: the worker keeps what it holds and what it runs.
 */
export const joined = message('joined', {
  worker,
  peerSecret: text,
  keepsState: flag,
  /** Array ids for the clients of tasks that run here, which submit before they have a lease of their own. */
  firstArray: array,
  arrayCount: integer,
})
/** The template under the scheduler's own numbering; sent once to each worker before the first task that uses it. */
export const defineTemplate = message('define-template', {
  template,
  name: text,
  code: hash,
  exportName: text,
  constants: bytes,
  constantInputs: taskIds,
  /** As in the client's `define-template`. */
  outputs: integer,
  /** Memory that each of its tasks says it takes while it runs; 0 when it does not say. */
  memoryBytes: integer,
  /**
   * What its tasks take of the worker is counted. So the worker also says, by `tasks-returned`, when it is done with a
   * task that it was told to free.
   */
  isCounted: flag,
  /** Its tasks take no thread: they run among others on one that is there for such. */
  isIo: flag,
  /** How long one run may take, in milliseconds; 0 for as long as it takes. */
  timeoutMs: integer,
  /** The code of the function that decides whether an error may be followed by another try; empty for none. */
  retryFilter: text,
  /** As in the client's `define-template`. */
  isStream: flag,
})
export type WorkerTemplate = Infer<typeof defineTemplate>
/** No task will use these templates any more. */
export const forgetTemplates = message('forget-templates', { templates: integers })
/** Where other workers are. */
export const peers = message('peers', { workers: integers, addresses: list(text) })

/**
 * Tasks to run, the most urgent first. `runs` as in `submit`. `inputs` of a task are its own, then those of its
 * template's constants. `remote*` are columns: inputs which the worker does not hold, who does, and their sizes.
 */
export const runTasks = message('run-tasks', {
  tasks: taskIds,
  /** One for each task, or empty when all are 1. */
  attempts: integers,
  runs: integers,
  /** Higher first, as of `urgencyOf`; all tasks of one message share it. */
  priority: integer,
  /**
   * Many like them are to come, and nobody waits for one of them: others of their priority go before them, and what takes so many
   * microseconds in a row may be told of together. 0 for tasks that can't wait.
   */
  patienceUs: integer,
  args: packed,
  inputCounts: integers,
  inputs: taskIds,
  remoteInputs: taskIds,
  remoteHolders: integers,
  remoteSizes: integers,
  /**
   * Inputs that are still to be made, by whom, and how many tasks that worker was sent before this message, the makers among
   * them. It may be the receiver itself.
   */
  pendingInputs: taskIds,
  pendingHolders: integers,
  pendingAfter: integers,
  /** Explicit keys, for `task.key`: place in this message, and key. */
  keys: list(record({ place: integer, key: text })),
  /** How many attempts of a task ended before they started, where there were some: place in this message, and count. */
  unstarted: list(record({ place: integer, count: integer })),
  /**
   * Inputs that failed, of tasks that take errors in their place (`onDependencyError`): for each the place in `failures` of
   * why. They hold for the tasks of this message.
   */
  failedInputs: taskIds,
  failedBy: integers,
  failures: list(failure),
})
export type RunTasks = Infer<typeof runTasks>
/** Small values that tasks to come need, before those tasks. The worker holds them from now on. */
export const giveValues = message('give-values', { tasks: taskIds, values: packed })
export type GiveValues = Infer<typeof giveValues>
/** Nobody needs these any more: drop the values, and the tasks if they have not started. */
export const freeTasks = message('free-tasks', { tasks: taskIds })
/** Give these back if they have not started: answered by `tasks-returned`, by `tasks-kept`, or by their outcome. */
export const recall = message('recall', { tasks: taskIds })
/** Nothing is expected of the worker any more: it may close. */
export const farewell = message('farewell', {})

/**
 * Keep copies of these, whether a task here needs them or not: who holds each, and its size. Each is answered by
 * `copies-held` or `copies-missing`.
 */
export const fetchCopies = message('fetch-copies', { tasks: taskIds, holders: integers, sizes: integers })
export type FetchCopies = Infer<typeof fetchCopies>

/**
 * Nobody wants these attempts any more, and their slots are to be free soon: what runs is asked to end, and after
 * `graceMs` made to. Answered by `tasks-stopped`.
 */
export const stopTasks = message('stop-tasks', { tasks: taskIds, attempts: integers, graceMs: integer })
export type StopTasks = Infer<typeof stopTasks>

/** So many values of a stream were taken. */
export const streamTaken = message('stream-taken', { task, attempt: attemptNumber, taken: integer })
export type StreamTaken = Infer<typeof streamTaken>

/** Somebody wants the worker to go: it leaves as if it wanted to itself. */
export const leave = message('leave', {})
/** End this process, whatever it does, to be started again. */
export const restart = message('restart', {})

/** Say what you have: answered by `view`. */
export const askView = message('ask-view', {})

export const schedulerToWorker = union([
  joined,
  defineCode,
  defineTemplate,
  forgetTemplates,
  peers,
  runTasks,
  giveValues,
  freeTasks,
  recall,
  farewell,
  fetchCopies,
  stopTasks,
  streamTaken,
  leave,
  restart,
  tell,
  takeProfile,
  tellOfTask,
  watch,
  askView,
  ...fromSwitch,
])
export type SchedulerToWorker = Infer<typeof schedulerToWorker>
