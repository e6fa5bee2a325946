/**
 * The timers that the transport needs, as an interface: tests turn a clock of their own. Heartbeats count these ticks
 * and never read a clock, so a process that was stopped for a minute does not wake up believing that its peers were
 * silent for a minute.
 */

export interface Timers {
  /** Calls `callback` once, in `delayMs`. Returns what calls it off. */
  after(delayMs: number, callback: () => void): () => void
  /** Calls `callback` every `intervalMs`; ticks that were missed are not made up for. Returns what ends it. */
  every(intervalMs: number, callback: () => void): () => void
}

/** The timers of the process. */
export const systemTimers: Timers = Object.freeze({
  after(delayMs: number, callback: () => void) {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
  every(intervalMs: number, callback: () => void) {
    const timer = setInterval(callback, intervalMs)
    return () => clearInterval(timer)
  },
})
