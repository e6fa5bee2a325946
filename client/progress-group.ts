/** How far the tasks of one function are, in words and as a bar. */
import { formatDuration } from '../common/units.js'
import type { TaskProgress } from './future.js'

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
  /** How much of them is done of tasks that run and say so, by a number of each, and what the last of them said. */
  readonly #parts = new Map<number, number>()
  #note = ''

  constructor(name: string, startedAtMs: number) {
    this.#name = printable(name)
    this.#startedAtMs = startedAtMs
    this.#nowMs = startedAtMs
  }

  /** A task that runs says how far it is. */
  report(task: number, { fraction, note }: TaskProgress): void {
    this.#parts.set(task, fraction)
    this.#note = printable(note)
  }

  end(task: number, how: 'well' | 'badly', nowMs: number): void {
    if (this.#parts.delete(task) && this.#parts.size === 0) this.#note = ''
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
    let done = this.#done
    for (const part of this.#parts.values()) done += part
    // Parts may add up to a little more than they are.
    const filled = Math.min(room, Math.floor((room * done) / this.total))
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
    // Of one task it is told what that does; of many it would only flicker.
    const [part] = this.#parts.values()
    if (this.total === 1 && part !== undefined) figures.push(`${Math.floor(part * 100)} %`, this.#note)
    return figures.filter((figure) => figure !== '')
  }
}

/** Whatever a task is called or says, it must not steer the terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?')
}
