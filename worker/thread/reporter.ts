/**
 * What one run of a task reports of itself. The first few reports leave at once, further ones at most every so often, and the
 * latest takes the place of those that waited. One that waits leaves with the next report that may, or when its time has come
 * and the thread is free.
 */
import { HeddleError } from '../../protocol/errors.js'
import type { TaskId } from '../../protocol/ids.js'
import { MAX_NOTE_LENGTH, REPORT_BURST, REPORT_INTERVAL_MS } from '../../protocol/limits.js'
import type { ThreadMessage } from './thread-message.js'

export interface ReportingTask {
  readonly taskId: TaskId
  readonly attempt: number
  readonly tell: (message: ThreadMessage) => void
}

export class Reporter {
  readonly #task: ReportingTask
  /** How many may leave at once. */
  #room = REPORT_BURST
  #roomAtMs = performance.now()
  #waiting: { readonly fraction: number; readonly note: string } | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(task: ReportingTask) {
    this.#task = task
  }

  /** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` */
  report(fraction: unknown, note: unknown): void {
    if (typeof fraction !== 'number' || !(fraction >= 0 && fraction <= 1)) {
      throw invalid(
        `task.report() got ${String(fraction)}; give how much is done, from 0 to 1, and a note if you like.`,
      )
    }
    if (typeof note !== 'string') throw invalid(`The note of task.report() is ${typeof note}; give a text.`)
    this.#waiting = { fraction, note: note.length > MAX_NOTE_LENGTH ? `${note.slice(0, MAX_NOTE_LENGTH - 1)}…` : note }
    this.#flush()
  }

  #flush(): void {
    const nowMs = performance.now()
    const more = Math.floor((nowMs - this.#roomAtMs) / REPORT_INTERVAL_MS)
    if (more > 0) {
      this.#room = Math.min(REPORT_BURST, this.#room + more)
      this.#roomAtMs += more * REPORT_INTERVAL_MS
    }
    if (this.#waiting === undefined) return
    if (this.#room > 0) {
      this.#room -= 1
      const { fraction, note } = this.#waiting
      this.#waiting = undefined
      const { taskId: task, attempt, tell } = this.#task
      tell({ type: 'report', task, attempt, fraction, note })
      return
    }
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined
        this.#flush()
      },
      Math.ceil(this.#roomAtMs + REPORT_INTERVAL_MS - nowMs),
    ).unref()
  }
}

function invalid(message: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
}
