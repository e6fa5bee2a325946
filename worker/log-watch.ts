/** What a worker and its tasks log, told to the scheduler as it comes while somebody looks there; the last lines at once. */
import { LOGS_INTERVAL_MS, MAX_LINE_CHARACTERS, MAX_LINES_TOLD } from '../protocol/limits.js'
import type { Logged } from '../protocol/messages/runs.js'
import type { LogRing } from './log-ring.js'

export interface LogWatchOptions {
  readonly ring: LogRing
  readonly send: (message: Logged) => void
}

export class LogWatch {
  readonly #ring: LogRing
  readonly #send: LogWatchOptions['send']
  #isOn = false
  /** Runs while there are lines to be told. */
  #timer: NodeJS.Timeout | undefined
  /** How many lines have been told, or left out. */
  #told = 0

  constructor({ ring, send }: LogWatchOptions) {
    this.#ring = ring
    this.#send = send
  }

  start(): void {
    if (this.#isOn) return
    this.#isOn = true
    this.#told = Math.max(0, this.#ring.added - MAX_LINES_TOLD)
    this.#tell(true)
    this.#ring.onLine = () => {
      this.#timer ??= setTimeout(() => this.#tell(false), LOGS_INTERVAL_MS).unref()
    }
  }

  stop(): void {
    this.#isOn = false
    this.#ring.onLine = undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #tell(isBacklog: boolean): void {
    this.#timer = undefined
    const { added } = this.#ring
    const latest = this.#ring.since(this.#told).slice(-MAX_LINES_TOLD)
    const leftOut = isBacklog ? 0 : added - this.#told - latest.length
    this.#told = added
    const lines = latest.map(({ atMs, level, text, task }) => ({ atMs, level, task, text: shortened(text) }))
    if (lines.length + leftOut > 0) this.#send({ type: 'logged', isBacklog, lines, leftOut })
  }
}

function shortened(text: string): string {
  return text.length <= MAX_LINE_CHARACTERS ? text : `${text.slice(0, MAX_LINE_CHARACTERS)} …`
}
