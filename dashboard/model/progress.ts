/** How far the tasks of a function are, and when they will be done. */
import type { FunctionView } from '../../protocol/messages/watch.js'

export interface Progress {
  /** Those that have an outcome, of all that there were. */
  readonly done: number
  readonly failed: number
  readonly processing: number
  /** Those that wait for inputs, a worker, or another try. */
  readonly waiting: number
  readonly total: number
  /** In milliseconds; `undefined` when nothing is left, or nothing can be said. */
  readonly leftMs: number | undefined
}

/**
 * @param rate - Of its runs, so many end a second.
 * @param threads - Of the whole cluster: what is expected before anything has ended follows from these.
 */
export function progressOf({ tasks, finished, meanMs }: FunctionView, rate: number, threads: number): Progress {
  const waiting = tasks.waiting + tasks.ready + tasks.delayed
  const { processing, failed } = tasks
  // What ran again for another time has ended more than once; it is not more work.
  const done = finished
  const left = waiting + processing
  return {
    done,
    failed,
    processing,
    waiting,
    total: done + failed + left,
    leftMs: timeFor(left, rate, meanMs, threads),
  }
}

function timeFor(left: number, rate: number, meanMs: number, threads: number): number | undefined {
  if (left === 0) return undefined
  if (rate > 0) return (left / rate) * 1_000
  return meanMs > 0 && threads > 0 ? (left / threads) * meanMs : undefined
}
