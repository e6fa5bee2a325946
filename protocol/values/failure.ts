/** From why a task failed, as the scheduler tells it, to the error that whoever awaits it gets, or that needs it. */
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
  type PostMortem,
} from '../errors.js'
import type { FailureRecord } from '../messages/common.js'
import type { WorkerDeath } from '../messages/worker-death.js'
import { decodeError } from './decode.js'

/** What the task threw, which may be anything; or the error of the cluster. A new one each time, so that each has its own. */
export function errorOfFailure(failure: FailureRecord): unknown {
  const error =
    failure.error.length > 0 ? thrownBy(failure.error) : errorOfCode(failure.code, failure.reason, failure.death)
  return error instanceof Error ? withOrigin(error, failure) : error
}

/** The same for a task that takes errors in the place of values: always an `Error`, so that it can tell one. */
export function errorInPlaceOf(failure: FailureRecord): Error {
  const error = errorOfFailure(failure)
  if (error instanceof Error) return error
  const message = `Task ${failure.culpritKey} threw something that is no Error; it is the cause of this one.`
  return withOrigin(new Error(message, { cause: error }), failure)
}

function withOrigin(error: Error, { culpritKey, worker, attempt }: FailureRecord): Error {
  try {
    Object.assign(error, { taskKey: culpritKey, ...(worker !== '' && { worker, attempt }) })
  } catch {
    // A registered class may make errors that can't be changed. Then it is as it is.
  }
  return error
}

function thrownBy(encoded: Uint8Array): unknown {
  try {
    return decodeError(encoded)
  } catch (cause) {
    return cause // It has something of a class that is not registered here, and says so.
  }
}

/** The error that a code from the cluster stands for, in the class that callers would catch. */
export function errorOfCode(code: string, reason: string, death?: WorkerDeath): HeddleError {
  switch (code) {
    case 'ERR_HEDDLE_WORKER_LOST':
      return new WorkerLostError(reason, lastOf(death))
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

function lastOf(death: WorkerDeath | undefined): PostMortem {
  if (death === undefined) return {}
  const { exitCode, signal, peakMemoryBytes, lines } = death
  return {
    ...(exitCode !== undefined && { exitCode }),
    ...(signal !== '' && { signal }),
    ...(peakMemoryBytes > 0 && { peakMemoryBytes }),
    lastLogLines: lines,
  }
}
