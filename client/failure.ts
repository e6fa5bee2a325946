/** Why a task has no value, and the error that whoever awaits it gets. */
import { TaskCancelledError, type HeddleError } from '../protocol/errors.js'
import type { FailureRecord } from '../protocol/messages/common.js'
import { errorOfFailure } from '../protocol/values/failure.js'
import { appendSubmitSite, type SubmitSite } from './submit-site.js'

export type Failure =
  /** The cluster said so. `error` is what the task threw, or empty when the cluster failed the task. */
  | ({ readonly type: 'remote' } & FailureRecord)
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
  const error = errorOfFailure(failure)
  if (!(error instanceof Error)) return error
  try {
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
