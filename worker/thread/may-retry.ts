/**
 * May a task be tried again after what it threw? Its own code says no with a `FatalError`. The `on` of its retries, a
 * function of the user that travelled as code, is asked here, where the error still is what was thrown; the scheduler, which
 * counts the tries, never decodes one.
 */
import { HeddleError, type ErrorCode } from '../../protocol/errors.js'
import type { TaskFunction } from './code.js'
import { settledOrCrashed } from './uncaught.js'

/** An input that was changed in place stays changed, whoever sees it next. */
const FATAL: ReadonlySet<unknown> = new Set<ErrorCode>(['ERR_HEDDLE_FATAL', 'ERR_HEDDLE_INPUT_CHANGED'])

/** Told by its code: a bundle has a class of its own. */
export function isFatal(error: unknown): boolean {
  return typeof error === 'object' && error !== null && FATAL.has((error as { readonly code?: unknown }).code)
}

/** @throws {HeddleError} `ERR_HEDDLE_RETRY_FILTER` when the filter itself fails. Then nobody can say. */
export async function passesFilter(error: unknown, loading: TaskFunction | Promise<TaskFunction>): Promise<boolean> {
  try {
    const filter = await loading
    const answer = filter(error)
    return Boolean(await settledOrCrashed(Promise.resolve(answer)))
  } catch (failure) {
    const message =
      `The function retries.on failed (${textOf(failure)}) when it was asked about an error of the task, ` +
      `which is the cause of this one (${textOf(error)}); let it return true or false for whatever a task may throw.`
    throw new HeddleError('ERR_HEDDLE_RETRY_FILTER', message, { cause: error })
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
