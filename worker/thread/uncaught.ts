/**
 * Errors that nobody caught. They do not end the thread, which may hold other work's state: an exception thrown by a
 * callback while a task is awaited is taken for that task's, which might otherwise never settle; everything else, such
 * as the rejection of a promise that a task left behind, is reported to the log.
 */

let failAwaited: ((error: unknown) => void) | undefined

/** Settles as `result` does, or rejects when an exception goes uncaught before. For one at a time. */
export async function settledOrCrashed(result: PromiseLike<unknown>): Promise<unknown> {
  const crashed = new Promise<never>((_, reject) => (failAwaited = reject))
  try {
    return await Promise.race([result, crashed])
  } finally {
    failAwaited = undefined
  }
}

/**
 * Takes over all uncaught errors of this thread. `report` hears of those that are no task's outcome; where tasks run among
 * others, `failCurrent` takes an exception for the outcome of the one it comes from, if it knows that.
 */
export function handleUncaught(report: (text: string) => void, failCurrent?: (error: unknown) => boolean): void {
  process.on('uncaughtException', (error: unknown) => {
    if (failCurrent?.(error) === true) return
    if (failAwaited !== undefined) failAwaited(error)
    else report(`An exception was thrown after its task had ended: ${textOf(error)}`)
  })
  process.on('unhandledRejection', (reason: unknown) => {
    report(`A promise was rejected, and nobody handled it: ${textOf(reason)}`)
  })
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
