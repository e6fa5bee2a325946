/** Lines that workers logged, as far as the page keeps them: the newest come first, and the oldest go. */
import type { LineView, ToViewer } from '../../protocol/messages/watch.js'

const MAX_LINES = 5_000

export class Lines {
  readonly #maxLines: number
  #lines: readonly LineView[] = []
  #leftOut = 0
  #isTold = false

  constructor(maxLines = MAX_LINES) {
    this.#maxLines = maxLines
  }

  /** Something came, if only that there is nothing. */
  get isTold(): boolean {
    return this.#isTold
  }

  /** The newest first. */
  get all(): readonly LineView[] {
    return this.#lines
  }

  /** Lines that were not told because there were too many. */
  get leftOut(): number {
    return this.#leftOut
  }

  add({ isWhole, lines, leftOut }: Extract<ToViewer, { readonly type: 'logs' }>): void {
    this.#isTold = true
    this.#leftOut = isWhole ? leftOut : this.#leftOut + leftOut
    const both = [...lines.toReversed(), ...(isWhole ? [] : this.#lines)]
    // Workers tell on their own, so what comes is in order but for a moment. Sorting keeps lines of one time as they are.
    this.#lines = both.sort((a, b) => b.atMs - a.atMs).slice(0, this.#maxLines)
  }
}

/** Those of one worker, unless it is empty, in which this text is found, in capitals or not. */
export function linesWith(lines: readonly LineView[], worker: string, words: string): readonly LineView[] {
  const wanted = words.trim().toLowerCase()
  return lines.filter(
    (line) =>
      (worker === '' || line.worker === worker) &&
      (wanted === '' || `${line.level} ${line.text} ${line.task ?? ''}`.toLowerCase().includes(wanted)),
  )
}
