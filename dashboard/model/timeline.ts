/**
 * What each thread ran, as the task stream draws it: a lane for each thread, its bars in the order of time. So many bars are
 * kept, and when there are more the oldest go.
 */
import type { Move } from '../../protocol/messages/runs.js'
import type { RunsView } from '../../protocol/messages/watch.js'

export const MAX_BARS = 100_000
/** What a function that came after all colours were given away has. */
export const OTHER_COLOUR = -1
const COLOURS = 6
/** Of each worker. */
const MAX_MOVES = 2_000

export interface Bar {
  readonly fromMs: number
  readonly toMs: number
  readonly function: string
  /** Of the task, or of the first of several. */
  readonly key: string
  readonly count: number
  readonly failed: number
}

export interface Lane {
  readonly worker: string
  readonly thread: number
  /** They follow each other, and none overlaps the next. */
  bars: Bar[]
  /** It has not ended. */
  running: Bar | undefined
  /** Of values; only in the lane of a worker’s moves, whose thread is `MOVES`. */
  readonly moves: readonly MoveMark[]
}

export interface MoveMark {
  readonly atMs: number
  readonly kind: Move['kind']
  readonly count: number
  readonly bytes: number
}

/** Stands for the thread of the lane with what moved from and to a worker. */
export const MOVES = -1

export class Timeline {
  readonly #lanes = new Map<string, Lane & { moves: MoveMark[] }>()
  readonly #colours = new Map<string, number>()
  readonly #maxBars: number
  #order: readonly Lane[] | undefined = []
  #bars = 0
  #leftOut = 0

  constructor(maxBars = MAX_BARS) {
    this.#maxBars = maxBars
  }

  get size(): number {
    return this.#bars
  }

  /** Runs that were not told because there were too many. */
  get leftOut(): number {
    return this.#leftOut
  }

  /** By worker, and in each by thread; what moved comes last. */
  get lanes(): readonly Lane[] {
    return (this.#order ??= [...this.#lanes.values()].sort(isBefore))
  }

  /** By function, each with the number of its colour, in the order they came. */
  get colours(): ReadonlyMap<string, number> {
    return this.#colours
  }

  add(workers: readonly RunsView[], leftOut: number): void {
    this.#leftOut += leftOut
    for (const told of workers) this.#addWorker(told)
    if (this.#bars > this.#maxBars) this.#dropOldest()
  }

  #addWorker({ worker, nowMs, runs, running, moves }: RunsView): void {
    for (const { thread, agoUs, durationUs, ...run } of runs) {
      const lane = this.#lane(worker, thread)
      // What was reckoned from durations may begin a moment before the last one ended.
      const fromMs = Math.max(nowMs - agoUs / 1_000, lane.bars.at(-1)?.toMs ?? -Infinity)
      lane.bars.push({ ...run, fromMs, toMs: Math.max(fromMs, nowMs - (agoUs - durationUs) / 1_000) })
      this.#bars++
      this.#colour(run.function)
    }
    for (const lane of this.#lanes.values()) if (lane.worker === worker) lane.running = undefined
    for (const { thread, agoUs, ...run } of running) {
      const lane = this.#lane(worker, thread)
      const fromMs = Math.max(nowMs - agoUs / 1_000, lane.bars.at(-1)?.toMs ?? -Infinity)
      lane.running = { ...run, fromMs, toMs: Infinity, count: 1, failed: 0 }
      this.#colour(run.function)
    }
    if (moves.length === 0) return
    const marks = this.#lane(worker, MOVES).moves
    for (const { agoUs, ...move } of moves) marks.push({ ...move, atMs: nowMs - agoUs / 1_000 })
    if (marks.length > MAX_MOVES) marks.splice(0, marks.length - MAX_MOVES)
  }

  /** A worker is gone: what it ran stays to be seen, and nothing runs there any more. */
  keepOnly(workers: Readonly<Record<string, unknown>>): void {
    for (const lane of this.#lanes.values()) if (!Object.hasOwn(workers, lane.worker)) lane.running = undefined
  }

  #lane(worker: string, thread: number): Lane & { moves: MoveMark[] } {
    const id = `${thread} ${worker}`
    const known = this.#lanes.get(id)
    if (known !== undefined) return known
    const lane = { worker, thread, bars: [], running: undefined, moves: [] }
    this.#lanes.set(id, lane)
    this.#order = undefined
    return lane
  }

  #colour(name: string): void {
    if (this.#colours.has(name)) return
    this.#colours.set(name, this.#colours.size < COLOURS ? this.#colours.size : OTHER_COLOUR)
  }

  /** A tenth of each lane, so that it need not be done often. */
  #dropOldest(): void {
    for (const lane of this.#lanes.values()) {
      const count = Math.ceil(lane.bars.length / 10)
      lane.bars = lane.bars.slice(count)
      this.#bars -= count
    }
  }
}

/** Where in `bars` the first is that ends after `atMs`. */
export function firstAfter(bars: readonly Bar[], atMs: number): number {
  let low = 0
  let high = bars.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (bars[middle]!.toMs > atMs) high = middle
    else low = middle + 1
  }
  return low
}

/** The bar at a time; within `slackMs`, the nearest, because a bar may be narrower than a pointer. */
export function barAt(lane: Lane, atMs: number, slackMs: number): Bar | undefined {
  const { bars, running } = lane
  if (running !== undefined && atMs >= running.fromMs - slackMs) return running
  const place = firstAfter(bars, atMs)
  const distance = (bar: Bar | undefined): number =>
    bar === undefined ? Infinity : Math.max(0, bar.fromMs - atMs, atMs - bar.toMs)
  const [before, after] = [bars[place - 1], bars[place]]
  const nearest = distance(after) <= distance(before) ? after : before
  return distance(nearest) <= slackMs ? nearest : undefined
}

export interface Piece {
  readonly from: number
  readonly to: number
  readonly bar: Bar
}

/**
 * What to draw of a lane, in pixels: bars of one colour that fall into one pixel are one piece, and one with an error in it
 * hides the others. So no more is drawn than there are pixels, however many bars there are.
 */
export function piecesOf(lane: Lane, fromMs: number, toMs: number, width: number): Piece[] {
  const scale = width / (toMs - fromMs)
  const pieces: Piece[] = []
  const { bars, running } = lane
  let last: { from: number; to: number; bar: Bar } | undefined
  const add = (bar: Bar): void => {
    const from = Math.max(0, Math.floor((bar.fromMs - fromMs) * scale))
    const to = Math.min(width, Math.max(from + 1, Math.round((bar.toMs - fromMs) * scale)))
    if (last !== undefined && to - from <= 1 && from < last.to) {
      if (bar.failed > 0) last.bar = bar
      return
    }
    last = { from: last === undefined ? from : Math.max(from, last.to), to, bar }
    if (last.to > last.from) pieces.push(last)
  }
  for (let place = firstAfter(bars, fromMs); place < bars.length; place++) {
    const bar = bars[place]!
    if (bar.fromMs >= toMs) break
    add(bar)
  }
  if (running !== undefined && running.fromMs < toMs) add({ ...running, toMs })
  return pieces
}

function isBefore(a: Lane, b: Lane): number {
  const byWorker = a.worker.localeCompare(b.worker, 'en', { numeric: true })
  if (byWorker !== 0) return byWorker
  return (a.thread === MOVES ? Infinity : a.thread) - (b.thread === MOVES ? Infinity : b.thread)
}
