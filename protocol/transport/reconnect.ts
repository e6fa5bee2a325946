/**
 * Keeps dialling until someone answers: for a worker that starts before its scheduler, and after every cut. Waits
 * longer after each failure, and never as long as the others that fail with it, so that a scheduler which comes back
 * is not met by all its workers at once.
 */
import { HeddleError } from '../errors.js'
import { systemTimers, type Timers } from './timers.js'

const FIRST_DELAY_MS = 100
const MAX_DELAY_MS = 5_000

export interface DialUntilOptions {
  readonly signal: AbortSignal
  /** Gives numbers from 0 up to 1. */
  readonly random: () => number
  /** Told of every failure that is followed by another try. */
  readonly onFailure?: (error: HeddleError, delayMs: number) => void
  readonly timers?: Timers
}

/**
 * Calls `dial` until it gives something.
 *
 * @throws The first error that says it is not worth trying again, as a wrong token.
 * @throws The reason of `signal`, when it aborts.
 */
export async function dialUntil<T>(
  dial: (signal: AbortSignal) => Promise<T>,
  { signal, random, onFailure, timers = systemTimers }: DialUntilOptions,
): Promise<T> {
  for (let failures = 0; ; failures++) {
    signal.throwIfAborted()
    try {
      return await dial(signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof HeddleError) || !error.retryable) throw error
      const delayMs = delayAfter(failures, random())
      onFailure?.(error, delayMs)
      await pause(delayMs, timers, signal)
    }
  }
}

/** Doubles from failure to failure up to a limit; `fraction`, 0 to 1, picks from the upper half of it. */
function delayAfter(failures: number, fraction: number): number {
  const limitMs = Math.min(FIRST_DELAY_MS * 2 ** failures, MAX_DELAY_MS)
  return Math.round((limitMs / 2) * (1 + fraction))
}

function pause(delayMs: number, timers: Timers, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      cancel()
      reject(signal.reason as Error)
    }
    const cancel = timers.after(delayMs, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
