/** Waiting that can be given up. */
import { checkTimeout } from './options.js'

export interface WaitOptions {
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** What a time-out is reported as. */
  readonly timedOut: (timeoutMs: number) => Error
}

/**
 * Settles as `work` does, or rejects sooner: with the reason of `signal`, or when `timeoutMs` have passed. What `work`
 * does afterwards is nobody's concern any more.
 */
export function interruptible<T>(work: PromiseLike<T>, { timeoutMs, signal, timedOut }: WaitOptions): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined = undefined
    const onAbort = (): void => giveUp(signal?.reason)
    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    // A caller's reason may be anything.
    const giveUp = (reason: unknown): void => {
      settle()
      reject(reason as Error)
    }
    work.then((value) => {
      settle()
      resolve(value)
    }, giveUp)
    // Only now that `work` may fail: a rejection that nobody handles would end the program.
    checkTimeout(timeoutMs)
    if (signal?.aborted === true) return onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    // Longer than a timer can wait is as good as never.
    if (timeoutMs === undefined || timeoutMs >= 2 ** 31) return
    timer = setTimeout(() => giveUp(timedOut(timeoutMs)), timeoutMs)
  })
}
