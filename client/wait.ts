/** Waiting for some of many futures. */
import { TimeoutError } from '../protocol/errors.js'
import type { Future } from './future.js'
import { interruptible } from './interruptible.js'
import { checkOptionNames, checkTimeout, describe, invalidOption } from './options.js'
import type { TaskFuture } from './task-future.js'
import { futuresAmong, Watch } from './watch.js'

/** Options of {@link wait}. */
export interface WaitOptions {
  /** Waits until so many futures are over. Default: all of them. */
  readonly count?: number | undefined
  /** Gives up with a `TimeoutError` after so many milliseconds. The tasks go on. */
  readonly timeoutMs?: number | undefined
  /** Gives up with this signal's reason. The tasks go on. */
  readonly signal?: AbortSignal | undefined
}

/** What {@link wait} resolves to: the futures that it was given, in their order. */
export interface Waited<F> {
  /** Those that are over: their task finished or failed, or was cancelled, or they were released. */
  readonly done: F[]
  /** The others. */
  readonly pending: F[]
}

/**
 * Waits until futures are over, well or badly, and says which are. Their values stay in the cluster, and no error is
 * thrown. The futures may be of several clients.
 *
 * @throws {TimeoutError} when `timeoutMs` passed; and the reason of `signal`.
 * @example
 * ```ts
 * const tries = client.map((n: number) => n * n, [1, 2, 3])
 * const { done, pending } = await wait(tries, { count: 1, timeoutMs: 60_000 })
 * await client.cancel(pending, { reason: 'one is enough' })
 * console.log(done.length + pending.length) // => 3
 * ```
 */
export async function wait<F extends Future<unknown>>(
  futures: Iterable<F>,
  options: WaitOptions = {},
): Promise<Waited<F>> {
  const list = futuresAmong('wait()', futures)
  checkOptionNames('wait()', options, ['count', 'timeoutMs', 'signal'])
  checkTimeout(options.timeoutMs)
  const { count = list.length } = options
  if (!Number.isSafeInteger(count) || count < 0 || count > list.length) {
    throw invalidOption(`count is ${describe(count)}; give a whole number from 0 to the ${list.length} futures.`)
  }
  const over = new Set<TaskFuture<unknown>>()
  let overCount = 0
  let onEnough = (): void => undefined
  const isEnough = new Promise<void>((resolve) => (onEnough = resolve))
  const watch = new Watch((future) => {
    over.add(future)
    overCount += 1
    if (overCount >= count) onEnough()
  })
  let endWait = (): void => undefined
  const timedOut = (timeoutMs: number): TimeoutError =>
    new TimeoutError(`${overCount} of ${count} futures are over after ${timeoutMs} ms; wait again, or for longer.`)
  try {
    watch.add(list)
    if (count === 0) onEnough()
    endWait = watch.beginWait()
    await interruptible(isEnough, { ...options, timedOut })
  } finally {
    endWait()
    watch.end()
  }
  // The very objects that came in.
  const split: Waited<F> = { done: [], pending: [] }
  for (const future of list) (over.has(future) ? split.done : split.pending).push(future as unknown as F)
  return split
}
