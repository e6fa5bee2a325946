/**
 * Errors that nobody caught. They do not end the thread, which may hold other work's state: an exception thrown by a
 * callback while a task is awaited is taken for that task's, which might otherwise never settle; everything else, such
 * as the rejection of a promise that a task left behind, is reported to the log.
 */
import { runningTask } from './current-task.js'

interface Awaited {
  readonly fail: (error: unknown) => void
  readonly leave: (() => void) | undefined
}

/** What is awaited now: the task that runs, or what is asked about errors of one that goes on beside it. */
const awaited = new Set<Awaited>()

/** Settles as `result` does, or rejects when an exception goes uncaught before. */
export async function settledOrCrashed(result: PromiseLike<unknown>): Promise<unknown> {
  return raced(result, 'may-not-leave')
}

/** As `settledOrCrashed`, or resolves when `leaveAwaited` is called. For one at a time. */
export async function settledOrLeft(result: PromiseLike<unknown>): Promise<unknown> {
  return raced(result, 'may-leave')
}

async function raced(result: PromiseLike<unknown>, leaving: 'may-leave' | 'may-not-leave'): Promise<unknown> {
  let own: Awaited | undefined
  const interrupted = new Promise<unknown>((resolve, fail) => {
    const leave = leaving === 'may-leave' ? () => resolve(undefined) : undefined
    awaited.add((own = { fail, leave }))
  })
  try {
    return await Promise.race([result, interrupted])
  } finally {
    awaited.delete(own!)
  }
}

/** Ends the waiting for a task that goes on by itself. */
export function leaveAwaited(): void {
  for (const { leave } of awaited) leave?.()
}

/** Is a task awaited now that may leave? */
export function isAwaited(): boolean {
  for (const { leave } of awaited) if (leave !== undefined) return true
  return false
}

/** Takes over all uncaught errors of this thread. `report` hears of those that are no task's outcome. */
export function handleUncaught(report: (text: string) => void): void {
  process.on('uncaughtException', (error: unknown) => {
    // One that runs among others takes what its own code threw; for the others there is one that is awaited.
    const own = runningTask()?.fail
    if (own !== undefined) own(error)
    else if (awaited.size > 0) for (const { fail } of awaited) fail(error)
    else report(`An exception was thrown after its task had ended: ${textOf(error)}`)
  })
  process.on('unhandledRejection', (reason: unknown) => {
    report(`A promise was rejected, and nobody handled it: ${textOf(reason)}`)
  })
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
