/** How far the tasks of one function are, in words and as a bar. */
import { formatDuration } from '../common/units.js'

const NAME_COLUMNS = 20
const MIN_BAR_COLUMNS = 8

export class ProgressGroup {
  readonly #name: string
  readonly #startedAtMs: number
  #nowMs: number
  total = 0
  #done = 0
  #failed = 0
  #tenths = 0

  constructor(name: string, startedAtMs: number) {
    // Whatever a task is called, it must not steer the terminal.
    this.#name = name.replace(/\p{Cc}/gu, '?')
    this.#startedAtMs = startedAtMs
    this.#nowMs = startedAtMs
  }

  end(how: 'well' | 'badly', nowMs: number): void {
    this.#done += 1
    if (how === 'badly') this.#failed += 1
    this.#nowMs = nowMs
  }

  /** Was one more tenth reached since the last call? */
  takeTenth(): boolean {
    const tenths = Math.floor((this.#done * 10) / this.total)
    const isNew = tenths > this.#tenths
    this.#tenths = tenths
    return isNew
  }

  line(): string {
    return `${this.#name}: ${this.#figures().join(', ')}`
  }

  bar(columns: number): string {
    const name = this.#name.length > NAME_COLUMNS ? `${this.#name.slice(0, NAME_COLUMNS - 1)}…` : this.#name
    const figures = this.#figures().join('  ')
    const room = Math.max(MIN_BAR_COLUMNS, Math.min(40, columns - NAME_COLUMNS - figures.length - 3))
    const filled = Math.floor((room * this.#done) / this.total)
    const line = `${name.padEnd(NAME_COLUMNS)} ${'━'.repeat(filled)}${'─'.repeat(room - filled)}  ${figures}`
    return line.slice(0, columns)
  }

  #figures(): string[] {
    const figures = [`${this.#done}/${this.total}`]
    if (this.#failed > 0) figures.push(`${this.#failed} failed`)
    const elapsedMs = this.#nowMs - this.#startedAtMs
    const perSecond = elapsedMs > 0 ? (this.#done * 1_000) / elapsedMs : 0
    if (perSecond > 0) figures.push(`${perSecond >= 10 ? Math.round(perSecond) : perSecond.toFixed(1)}/s`)
    const leftMs = perSecond > 0 ? ((this.total - this.#done) * 1_000) / perSecond : 0
    if (leftMs > 0) figures.push(`${formatDuration(Math.max(1_000, Math.round(leftMs / 1_000) * 1_000))} left`)
    return figures
  }
}
