/**
 * The last lines of a worker's log, told to its nanny as they come: it has them when the process can say nothing any more. A
 * nanny that does not listen for a while, since the program that it is in is busy, is told later, and of the last ones only.
 */
import { heardLog, type Log } from '../common/node/log.js'
import { MAX_LAST_LINES, MAX_LAST_LINE_LENGTH } from '../protocol/limits.js'

export class LastLines {
  readonly #tell: (lines: readonly string[]) => Promise<void>
  #untold: string[] = []
  #isTelling = false

  constructor(tell: (lines: readonly string[]) => Promise<void>) {
    this.#tell = tell
  }

  add(line: string): void {
    this.#untold.push(line.slice(0, MAX_LAST_LINE_LENGTH))
    if (this.#untold.length > MAX_LAST_LINES) this.#untold.shift()
    if (this.#isTelling) return
    this.#isTelling = true
    // All lines of one turn go together.
    setImmediate(() => void this.#tellAll())
  }

  async #tellAll(): Promise<void> {
    while (this.#untold.length > 0) {
      const lines = this.#untold
      this.#untold = []
      await this.#tell(lines)
    }
    this.#isTelling = false
  }
}

/** A log that writes what `log` writes, and tells of it too, but for what only developers read. */
export function tellingLog(log: Log, lines: LastLines): Log {
  return heardLog(log, (_, { err }, text) => {
    lines.add(err instanceof Error ? `${text}: ${err.name}: ${err.message}` : text)
  })
}
