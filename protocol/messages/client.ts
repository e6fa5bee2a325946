/** The link between a client and the scheduler. */
import {
  bytes,
  flag,
  integer,
  integers,
  list,
  message,
  oneOf,
  packed,
  real,
  record,
  taskIds,
  text,
  union,
  type Infer,
} from '../schema.js'
import { array, attemptNumber, defineCode, failureFields, hash, stopper, task, template } from './common.js'
import { askExplanation, explained } from './explanation.js'
import { declareLimit, limitRefused, returnUnit, takeUnit, unitRefused, unitTaken } from './limit.js'
import { dataAnswers, dataCalls } from './data.js'
import { needs } from './needs.js'
import { fromSwitch, toSwitch } from './relay.js'
import { reportAnswers, reportCalls } from './report.js'
import { rules } from './rules.js'
import { clusterStatus } from './status.js'

/**
 * What many tasks share: the function, constants behind each task's own arguments, and options. `exportName` is the name
 * in a module, and `default` for a function. `constants` is an encoded array, or empty; its futures are `constantInputs`.
 */
export const defineTemplate = message('define-template', {
  template,
  name: text,
  code: hash,
  exportName: text,
  constants: bytes,
  constantInputs: taskIds,
  /** Higher first. Sent with `PRIORITY_BASE` added, so that it is a whole number from 0 up. */
  priority: integer,
  /** 0 for a client's own tasks, 1 for tasks that those submit, and so on: see `urgencyOf`. */
  depth: integer,
  /** Into how many values its tasks' results are taken apart; 0 when a result is one value. */
  outputs: integer,
  /** What each of its tasks takes of a worker. */
  needs,
  /** What holds for each of its tasks that takes too long, or fails. */
  rules,
})
export type DefineTemplate = Infer<typeof defineTemplate>

/**
 * New tasks, at the places `firstIndex` and up of one task array. `runs` says which template how many of them have, in
 * turn: `[template, count, …]`. `args` holds an encoded array of arguments for each. `inputCounts` has a count for each
 * task, or is empty when no task has inputs; `inputs` are those inputs end to end.
 *
 * A task with n outputs takes 1 + n places: its own, which no future stands for, and one for each output, which has no
 * arguments and no inputs here. `runs` counts places.
 */
export const submit = message('submit', {
  array,
  firstIndex: integer,
  runs: integers,
  args: packed,
  inputCounts: integers,
  inputs: taskIds,
  /** Explicit keys: place in this message (not in the array), and key. */
  keys: list(record({ place: integer, key: text })),
})
export type Submit = Infer<typeof submit>

/**
 * The next `submit` is of tasks that this attempt of a task submits, its children: they are let go of with it at the
 * latest. `call` numbers the first of them among all that the attempt submits. A later attempt that submits the same code
 * with the same arguments under the same number gets the task that is there.
 */
export const submitUnder = message('submit-under', { parent: task, attempt: attemptNumber, call: integer })
export type SubmitUnder = Infer<typeof submitUnder>

/**
 * A value that the client has and gives to workers itself: the one task of a new array. The scheduler answers with
 * `scatter-to`. `workers` are names or addresses of those that may have it; empty for any.
 */
export const scatter = message('scatter', {
  array,
  sizeBytes: integer,
  copies: oneOf('one', 'every'),
  workers: list(text),
})
export type ScatterMessage = Infer<typeof scatter>
/** A scattered value could not be brought to this worker. Answered by another `scatter-to`, or `failed`. */
export const notScattered = message('not-scattered', { task, worker: integer })

/** So many values of a stream were taken by whoever reads it, since it began: there is room for as many more. */
export const streamTaken = message('stream-taken', { task, taken: integer })

/** The client waits for these values: each is answered by `values`, `located` or `failed`, now or when it settles. */
export const want = message('want', { tasks: taskIds })
/** The client let go of these futures. */
export const release = message('release', { tasks: taskIds })
/** A value was not where `located` said: its holder is gone. Answered as `want` is. */
export const missing = message('missing', { task, holder: text })
/** Answered by `status`. */
export const askStatus = message('ask-status', { request: integer })
/** Answered by `workers-present` once so many workers are there. */
export const awaitWorkers = message('await-workers', { request: integer, count: integer })
/** Half of the array ids of the last lease are used up. Answered by `lease`. */
export const askLease = message('ask-lease', {})
/** The client submits no more tasks of these templates: they go with the last task that has them. */
export const forgetTemplates = message('forget-templates', { templates: integers })

/** So many workers shall hold each of these values, or all workers, if there are fewer. Answered by `replicated`. */
export const replicate = message('replicate', { request: integer, tasks: taskIds, copies: integer })
export type Replicate = Infer<typeof replicate>

/**
 * These tasks fail with `error` (an encoded TaskCancelledError), and so does what needs them; what runs is stopped, with
 * `graceMs` to end by itself. A task that another client waits for goes on. Answered by `cancelled` once every slot is
 * free. With this the client lets go of these futures, and is told nothing more of them.
 */
export const cancel = message('cancel', { request: integer, tasks: taskIds, graceMs: integer, error: bytes })
export type Cancel = Infer<typeof cancel>

/** These go on until they have an outcome, though nobody may hold them: when the client is gone, too. */
export const detach = message('detach', { tasks: taskIds })
/** These failed and shall run again, with the inputs that they failed for, and with whatever failed for the same reason. */
export const retry = message('retry', { tasks: taskIds })
/** One more future of the task that has this key, whoever submitted it: the one task of a new array. */
export const attach = message('attach', { array, key: text })
export type Attach = Infer<typeof attach>

export const clientToScheduler = union([
  defineCode,
  defineTemplate,
  submitUnder,
  submit,
  scatter,
  notScattered,
  want,
  release,
  missing,
  askStatus,
  awaitWorkers,
  askLease,
  forgetTemplates,
  replicate,
  cancel,
  streamTaken,
  declareLimit,
  takeUnit,
  returnUnit,
  askExplanation,
  detach,
  retry,
  attach,
  ...dataCalls,
  ...reportCalls,
  ...toSwitch,
])
export type ClientToScheduler = Infer<typeof clientToScheduler>

/**
 * Array ids for the client's own use: `count` of them, from `first` up. The first lease follows the handshake. A client that
 * loses its connection has `graceMs` to come back and find all that it held; then the lease is one that it may have had
 * before, with `isResumed`, and `saidCount` tells how many of its messages that must not be lost have arrived.
 */
export const lease = message('lease', {
  first: array,
  count: integer,
  peerSecret: text,
  graceMs: integer,
  isResumed: flag,
  saidCount: integer,
})
/** So many of the client's messages that must not be lost are kept: it need not say them again. */
export const accepted = message('accepted', { count: integer })
/** Where a scattered value shall go: to this worker, whose peer address is empty if only relays reach it. */
export const scatterTo = message('scatter-to', { task, worker: integer, address: text })
export type ScatterTo = Infer<typeof scatterTo>
/** The client need not keep these scattered values any more: workers hold them, or nobody wants them. */
export const scattered = message('scattered', { tasks: taskIds })
/** These are finished, and nobody asked for their values yet. */
export const finished = message('finished', { tasks: taskIds })
/** Values that were wanted, encoded. */
export const values = message('values', { tasks: taskIds, values: packed })
/**
 * A value that was wanted and is too large to come along; fetch it from one of these peer addresses, or by a relay to the
 * worker at the same place of `workers`. Holders know it as `heldAs`, which is another task than `task` where somebody
 * submitted the same work under the same key before.
 */
export const located = message('located', {
  task,
  heldAs: task,
  sizeBytes: integer,
  holders: list(text),
  workers: integers,
})
/**
 * These failed for one reason: the culprit, and the tasks that needed its result. `error` is the encoded error that the
 * culprit threw; it is empty when the cluster failed the task, and then `code` (one of `ERROR_CODES`) and `reason` say why.
 */
export const failed = message('failed', { tasks: taskIds, ...failureFields })
export const status = message('status', { request: integer, status: clusterStatus })
export const workersPresent = message('workers-present', { request: integer, count: integer })

/** The next value of a stream, encoded. They are counted from 0. */
export const streamChunk = message('stream-chunk', { task, index: integer, value: bytes })
export type StreamChunk = Infer<typeof streamChunk>

/** What the task of these futures said of itself while it runs: how much of it is done, from 0 to 1, and what it does. */
export const progressed = message('progressed', { tasks: taskIds, attempt: integer, fraction: real, note: text })

/** The values have their copies, but for `missing` of them: those could not be copied often enough. */
export const replicated = message('replicated', { request: integer, missing: integer })

/** Says of each task that was cancelled, in the order of the question, how its slot became free. */
export const cancelled = message('cancelled', { request: integer, stoppedBy: list(stopper) })

/** Ready tasks of these functions can't run as things stand. Told at once, and again when it was over meanwhile. */
export const blocked = message('blocked', { needs: text, reason: text, functions: list(text) })
export type Blocked = Infer<typeof blocked>
/** These failed, and run again: they have no outcome any more. */
export const retried = message('retried', { tasks: taskIds })

export const schedulerToClient = union([
  lease,
  accepted,
  scatterTo,
  scattered,
  finished,
  values,
  streamChunk,
  progressed,
  located,
  failed,
  status,
  workersPresent,
  replicated,
  cancelled,
  limitRefused,
  unitTaken,
  unitRefused,
  blocked,
  explained,
  retried,
  ...dataAnswers,
  ...reportAnswers,
  ...fromSwitch,
])
export type SchedulerToClient = Infer<typeof schedulerToClient>
