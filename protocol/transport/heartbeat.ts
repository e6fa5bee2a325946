/**
 * Tells a silent peer from a dead one. Every interval without a single byte from the peer it is asked for a sign of
 * life, and after enough such intervals in a row it is given up. Any byte counts, so bulk never looks like death, and
 * intervals are counted, not clock time: while this process was stopped, nobody was silent.
 */
import { HEARTBEAT_INTERVAL_MS } from '../limits.js'
import type { Timers } from './timers.js'

export interface HeartbeatOptions {
  readonly timers: Timers
  /** Grows while the peer is alive. */
  readonly signsOfLife: () => number
  readonly ping: () => void
  readonly onSilent: () => void
  /** How long the peer may be silent. */
  readonly maxSilenceMs: number
}

export class Heartbeat {
  readonly #options: HeartbeatOptions
  readonly #stop: () => void
  #lastSigns: number
  #silentIntervals = 0

  constructor(options: HeartbeatOptions) {
    this.#options = options
    this.#lastSigns = options.signsOfLife()
    this.#stop = options.timers.every(HEARTBEAT_INTERVAL_MS, () => this.#tick())
  }

  stop(): void {
    this.#stop()
  }

  #tick(): void {
    const signs = this.#options.signsOfLife()
    if (signs !== this.#lastSigns) {
      this.#lastSigns = signs
      this.#silentIntervals = 0
      return
    }
    this.#silentIntervals += 1
    if (this.#silentIntervals * HEARTBEAT_INTERVAL_MS >= this.#options.maxSilenceMs) this.#options.onSilent()
    else this.#options.ping()
  }
}
