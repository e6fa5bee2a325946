/** What the run prints. */
import { KINDS, type Confusion, type Kind } from './bayes.js'

/** What was learned, and how well: the same for whoever did the work. */
export interface Outcome {
  readonly confusion: Confusion
  readonly telling: Readonly<Record<Kind, readonly string[]>>
}

/** A share of the work that is done, drawn over itself on a terminal and as a line for each tenth elsewhere. */
export class ProgressBar {
  readonly #total: number
  readonly #output: NodeJS.WriteStream
  #lastTenth = -1

  constructor(total: number, output: NodeJS.WriteStream) {
    this.#total = total
    this.#output = output
  }

  show(done: number): void {
    const tenth = Math.floor((done / this.#total) * 10)
    if (!this.#output.isTTY && tenth === this.#lastTenth) return
    this.#lastTenth = tenth
    const filled = Math.floor((done / this.#total) * 40)
    const line = `[${'#'.repeat(filled)}${'.'.repeat(40 - filled)}] ${formatCount(done)} of ${formatCount(this.#total)} tasks`
    this.#output.write(this.#output.isTTY ? `\r${line}${done === this.#total ? '\n' : ''}` : `${line}\n`)
  }
}

export function describeOutcome({ confusion, telling }: Outcome): string {
  const right = confusion.ham.ham + confusion.spam.spam
  const all = right + confusion.ham.spam + confusion.spam.ham
  const columns = KINDS.map((verdict) => `taken for ${verdict}`.padStart(16))
  const rows = KINDS.map(
    (kind) => kind.padEnd(6) + KINDS.map((verdict) => formatCount(confusion[kind][verdict]).padStart(16)).join(''),
  )
  const words = KINDS.map((kind) => `\nmost telling of ${kind}:\n  ${inLines(telling[kind])}`)
  return [
    `accuracy: ${((right / all) * 100).toFixed(2)} %, ${formatCount(right)} of ${formatCount(all)} held-out mails`,
    '',
    ' '.repeat(6) + columns.join(''),
    ...rows,
    ...words,
  ].join('\n')
}

export function formatCount(count: number): string {
  return count.toLocaleString('en-GB')
}

function inLines(words: readonly string[]): string {
  const half = Math.ceil(words.length / 2)
  return [words.slice(0, half), words.slice(half)].map((line) => line.join(', ')).join(',\n  ')
}
