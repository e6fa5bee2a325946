/** The last lines of a worker's log, and of what its tasks printed, for whoever asks from afar: `heddle logs`. */
import { heardLog, type Log, type LogLevel } from '../common/node/log.js'
import { MAX_LOG_BYTES, MAX_LOG_LINES } from '../protocol/limits.js'

/** What only developers read is not kept. */
type KeptLevel = Exclude<LogLevel, 'debug'>

/** One line, as it goes to clients in JSON. */
export interface KeptLine {
  /** Milliseconds since 1970. */
  readonly atMs: number
  readonly level: KeptLevel
  readonly text: string
  /** The key of the task that printed it. */
  readonly task?: string
}

export class LogRing {
  #lines: KeptLine[] = []
  /** Where the oldest line is. */
  #first = 0
  #characters = 0
  #added = 0
  /** Told of each line that is added. */
  onLine: (() => void) | undefined

  add(line: KeptLine): void {
    this.#lines.push(line)
    this.#added += 1
    this.#characters += sizeOf(line)
    while (this.#characters > MAX_LOG_BYTES || this.#lines.length - this.#first > MAX_LOG_LINES) {
      this.#characters -= sizeOf(this.#lines[this.#first]!)
      this.#first += 1
    }
    if (this.#first >= MAX_LOG_LINES) {
      this.#lines = this.#lines.slice(this.#first)
      this.#first = 0
    }
    this.onLine?.()
  }

  /** How many lines there have been. */
  get added(): number {
    return this.#added
  }

  /** The lines after the first `added`, but for those that are not kept any more. */
  since(added: number): readonly KeptLine[] {
    const kept = this.#lines.length - this.#first
    return this.#lines.slice(this.#lines.length - Math.min(kept, this.#added - added))
  }

  /** The oldest first. */
  get lines(): readonly KeptLine[] {
    return this.#lines.slice(this.#first)
  }
}

/** A log that writes what `log` writes, and keeps it too, but for what only developers read. */
export function keepingLog(log: Log, ring: LogRing, nowMs: () => number = Date.now): Log {
  return heardLog(log, (level, fields, text) => {
    const { task, err, ...others } = fields
    const details = Object.entries(others).map(([name, value]) => `${name}=${String(value)}`)
    if (err instanceof Error) details.push(`${err.name}: ${err.message}`)
    const whole = details.length === 0 ? text : `${text} (${details.join(' ')})`
    ring.add({ atMs: nowMs(), level, text: whole, ...(typeof task === 'string' && { task }) })
  })
}

function sizeOf({ text, task = '' }: KeptLine): number {
  return text.length + task.length + 40
}
