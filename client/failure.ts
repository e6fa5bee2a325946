/** Why a task has no value, and the error that whoever awaits it gets. */
import {
  ERROR_CODES,
  FatalError,
  HeddleError,
  OutOfMemoryError,
  TaskCancelledError,
  TaskTimeoutError,
  UnsatisfiableError,
  WorkerLostError,
  type ErrorCode,
} from '../protocol/errors.js'
import { decodeError } from '../protocol/values/decode.js'
import { appendSubmitSite, type SubmitSite } from './submit-site.js'

export type Failure =
  /** The cluster said so. `error` is what the task threw, or empty when the cluster failed the task. */
  | {
      readonly type: 'remote'
      readonly error: Uint8Array
      readonly code: string
      readonly reason: string
      readonly worker: string
      readonly attempt: number
      readonly culpritKey: string
    }
  /** The task never left this process: its code or its arguments could not be sent. */
  | { readonly type: 'local'; readonly error: unknown }
  /** This client cancelled it. Thousands may be at once, and nobody may look at their errors. */
  | { readonly type: 'cancelled'; readonly key: string; readonly reason: unknown }

/** Was the task cancelled, here or by another client, or something that it needed? */
export function isCancellation(failure: Failure): boolean {
  if (failure.type === 'cancelled') return true
  if (failure.type === 'remote') return failure.code === 'ERR_HEDDLE_TASK_CANCELLED'
  return failure.error instanceof TaskCancelledError
}

/** Makes the error of a failed task: a new one each time, so that every caller has its own. */
export function errorOf(failure: Failure, site: SubmitSite | undefined): unknown {
  if (failure.type === 'local') return failure.error
  if (failure.type === 'cancelled') return cancelledError(`Task ${failure.key}`, failure.reason)
  const error = failure.error.length > 0 ? thrownBy(failure.error) : errorOfCode(failure.code, failure.reason)
  if (!(error instanceof Error)) return error
  try {
    const { culpritKey, worker, attempt } = failure
    Object.assign(error, { taskKey: culpritKey, ...(worker !== '' && { worker, attempt }) })
    appendSubmitSite(error, site)
  } catch {
    // A registered class may make errors that can't be changed. Then it is as it is.
  }
  return error
}

/** The error of whoever awaits a cancelled task, or one that needed it. */
export function cancelledError(what: string, reason: unknown): HeddleError {
  return new TaskCancelledError(`${what} was cancelled.`, { cause: reason })
}

function thrownBy(encoded: Uint8Array): unknown {
  try {
    return decodeError(encoded)
  } catch (cause) {
    return cause // It has something of a class that is not registered here, and says so.
  }
}

/** The error that a code from the cluster stands for, in the class that callers would catch. */
export function errorOfCode(code: string, reason: string): HeddleError {
  switch (code) {
    case 'ERR_HEDDLE_WORKER_LOST':
      return new WorkerLostError(reason)
    case 'ERR_HEDDLE_OUT_OF_MEMORY':
      return new OutOfMemoryError(reason)
    case 'ERR_HEDDLE_TASK_CANCELLED':
      return new TaskCancelledError(reason)
    case 'ERR_HEDDLE_TASK_TIMEOUT':
      return new TaskTimeoutError(reason)
    case 'ERR_HEDDLE_QUEUE_TIMEOUT':
      return new TaskTimeoutError(reason, undefined, code)
    case 'ERR_HEDDLE_UNSATISFIABLE':
      return new UnsatisfiableError(reason)
    case 'ERR_HEDDLE_FATAL':
      return new FatalError(reason)
    default:
      return new HeddleError(
        ERROR_CODES.find((each): each is ErrorCode => each === code) ?? 'ERR_HEDDLE_PROTOCOL',
        reason,
      )
  }
}
