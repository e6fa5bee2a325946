/**
 * Errors that nobody caught. They do not end the thread, which may hold other work's state: an exception thrown by a
 * callback while a task is awaited is taken for that task's, which might otherwise never settle; everything else, such
 * as the rejection of a promise that a task left behind, is reported to the log. So is what a timer throws that an earlier
 * task left behind: what runs now has nothing to do with it.
 */
import { AsyncResource, executionAsyncId, executionAsyncResource } from 'node:async_hooks'
import { identityOf, taskOfContext, type RunningTask, type TaskAmongOthers } from './current-task.js'

interface Awaited {
  readonly fail: (error: unknown) => void
  readonly leave: (() => void) | undefined
}

/** What is awaited now: the task that runs, or what is asked about errors of one that goes on beside it. */
const awaited = new Set<Awaited>()

/** Node numbers what may call back. What an earlier task set up has a lower number than this. */
let firstNumber = 0

/** What is set up by now is not of the tasks to come. */
export function beginAfresh(): void {
  firstNumber = new AsyncResource('heddle').asyncId()
}

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
    beginAfresh()
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

/** Takes over all uncaught errors of this thread. `report` hears of those that are no task's outcome, and whose they are. */
export function handleUncaught(report: (text: string, task: string | undefined) => void): void {
  process.on('uncaughtException', (error: unknown) => {
    // One that runs among others takes what its own code threw; for the others there is one that is awaited.
    const own = taskOfContext()
    if (own?.isOver === false && own.fail !== undefined) own.fail(error)
    else if (awaited.size > 0 && !isLeftBehind(own)) for (const { fail } of awaited) fail(error)
    else report(`An exception was thrown after its task had ended: ${textOf(error)}`, keyOf(own))
  })
  process.on('unhandledRejection', (reason: unknown) => {
    report(`A promise was rejected, and nobody handled it: ${textOf(reason)}`, keyOf(taskOfContext()))
  })
}

/** Is what runs now no code of what is awaited? Sockets may be shared by tasks; a timer is of the one that set it. */
function isLeftBehind(own: RunningTask | TaskAmongOthers | undefined): boolean {
  if (own !== undefined) return own.isOver
  const { name } = executionAsyncResource().constructor
  return (name === 'Timeout' || name === 'Immediate') && executionAsyncId() < firstNumber
}

function keyOf(task: RunningTask | TaskAmongOthers | undefined): string | undefined {
  if (task === undefined) return undefined
  return (task.type === 'alone' ? identityOf(task.batch, task.place) : task.identity).key
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
