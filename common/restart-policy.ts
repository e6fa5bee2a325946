/**
 * When to start a process again that died: at once after it did its work for a while, later and later while it keeps
 * dying, and no more once it has died several times without ever having been ready: then starting it again is no use.
 */

const FIRST_DELAY_MS = 100
const MAX_DELAY_MS = 5_000
const MAX_FAILED_STARTS = 5
/** Having run this long, it counts as healthy. */
const HEALTHY_AFTER_MS = 10_000

export class RestartPolicy {
  #failedStarts = 0
  #delayMs = 0

  /** How long to wait before the next start, in milliseconds; `undefined` to give up. */
  delayAfter({ ranForMs, wasReady }: { readonly ranForMs: number; readonly wasReady: boolean }): number | undefined {
    this.#failedStarts = wasReady ? 0 : this.#failedStarts + 1
    if (this.#failedStarts >= MAX_FAILED_STARTS) return undefined
    if (ranForMs >= HEALTHY_AFTER_MS) this.#delayMs = 0
    const delayMs = this.#delayMs
    this.#delayMs = Math.min(MAX_DELAY_MS, Math.max(FIRST_DELAY_MS, delayMs * 2))
    return delayMs
  }
}
