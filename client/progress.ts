/** How far futures are, for people: a bar for each function in the terminal. */
import type { Future } from './future.js'
import { checkOptionNames, describe, invalidOption } from './options.js'
import { ProgressGroup } from './progress-group.js'
import { ReportWatch } from './report-watch.js'
import type { Place } from './task-array.js'
import { futuresAmong, Watch } from './watch.js'

/** Where {@link progress} writes to: a stream, such as `process.stderr`. */
export interface ProgressOutput {
  /** Takes text. */
  write(text: string): unknown
  /** Is it a terminal, which can draw over what it drew? */
  readonly isTTY?: boolean | undefined
  /** How wide it is. */
  readonly columns?: number | undefined
}

/** Options of {@link progress}. */
export interface ProgressOptions {
  /**
   * `bars`: a bar for each function, drawn over itself. `lines`: a plain line for each function and tenth of its tasks.
   * `auto` (the default): bars in a terminal, and nothing elsewhere.
   */
  readonly style?: 'auto' | 'bars' | 'lines' | undefined
  /** Default: `process.stderr`. Nothing goes to the standard output, which belongs to the program. */
  readonly output?: ProgressOutput | undefined
}

const STYLES: readonly unknown[] = ['auto', 'bars', 'lines']
/** How often bars are drawn at most. */
const DRAW_INTERVAL_MS = 100
/** So many functions have a bar. The others are counted together. */
const MAX_BARS = 12
const DEFAULT_COLUMNS = 80

/**
 * Shows how far futures are, by the names of their functions, with how many ended a second and the time left. What
 * tasks that run report of themselves (`task.report()`) counts in part. Resolves when all are over, well or badly; errors are
 * counted and not thrown.
 *
 * @example
 * ```ts
 * const pages = client.map((n: number) => n * n, [1, 2, 3])
 * await progress(pages)                     // square ━━━━━━━━━━━━────────  61/100  12/s  3s left
 * console.log(await client.gather(pages))   // => [ 1, 4, 9 ]
 * ```
 */
export async function progress(futures: Iterable<Future<unknown>>, options: ProgressOptions = {}): Promise<void> {
  const list = futuresAmong('progress()', futures)
  checkOptionNames('progress()', options, ['style', 'output'])
  const { style = 'auto', output = process.stderr } = options
  if (!STYLES.includes(style)) throw invalidOption(`style is ${describe(style)}; give "auto", "bars" or "lines".`)
  if (typeof output.write !== 'function') throw invalidOption(`output is ${describe(output)}; give a stream.`)
  const showsBars = style === 'bars' || (style === 'auto' && output.isTTY === true)
  const view = showsBars ? new Bars(output) : style === 'lines' ? new Lines(output) : undefined
  const groups = new Map<string, ProgressGroup>()
  const names = list.map(({ array, index }) => array.nameOf(index))
  const startedAtMs = performance.now()
  names.forEach((name) => {
    const group = groups.get(name) ?? new ProgressGroup(name, startedAtMs)
    groups.set(name, group)
    group.total += 1
  })
  const groupOf = ({ array, index }: Place): ProgressGroup => groups.get(array.nameOf(index))!
  const reports = new ReportWatch(list, (place, progress) => {
    groupOf(place).report(reports.numberOf(place), progress)
    view?.show(groups, groupOf(place))
  })
  let left = list.length
  let endWait = (): void => undefined
  await new Promise<void>((resolve) => {
    const watch = new Watch((future) => {
      const group = groupOf(future)
      group.end(reports.numberOf(future), future.status === 'finished' ? 'well' : 'badly', performance.now())
      view?.show(groups, group)
      left -= 1
      if (left === 0) resolve()
    })
    watch.add(list)
    endWait = watch.beginWait()
    if (left === 0) resolve()
  })
  endWait()
  reports.end()
  view?.close(groups)
}

type Groups = ReadonlyMap<string, ProgressGroup>

class Lines {
  readonly #output: ProgressOutput

  constructor(output: ProgressOutput) {
    this.#output = output
  }

  show(_groups: Groups, changed: ProgressGroup): void {
    if (changed.takeTenth()) this.#output.write(`${changed.line()}\n`)
  }

  close(_groups: Groups): void {
    // Each last tenth was said.
  }
}

class Bars {
  readonly #output: ProgressOutput
  #lineCount = 0
  #timer: NodeJS.Timeout | undefined

  constructor(output: ProgressOutput) {
    this.#output = output
  }

  show(groups: Groups, _changed: ProgressGroup): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#draw(groups)
    }, DRAW_INTERVAL_MS)
  }

  close(groups: Groups): void {
    clearTimeout(this.#timer)
    this.#draw(groups)
  }

  #draw(groups: Groups): void {
    const columns = Math.max(20, (this.#output.columns ?? DEFAULT_COLUMNS) - 1)
    const shown = [...groups.values()].slice(0, MAX_BARS)
    const lines = shown.map((group) => group.bar(columns))
    if (groups.size > shown.length) lines.push(`… and ${groups.size - shown.length} more functions`)
    // Back to the first line, and each drawn afresh.
    const back = this.#lineCount > 0 ? `\u001B[${this.#lineCount}A` : ''
    this.#output.write(back + lines.map((line) => `\u001B[2K${line}\n`).join(''))
    this.#lineCount = lines.length
  }
}
