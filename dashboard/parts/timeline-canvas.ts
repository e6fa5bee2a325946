/** Draws lanes of bars, the running ones up to now, onto a canvas. */
import { MOVES, OTHER_COLOUR, piecesOf, type Lane, type Timeline } from '../model/timeline.js'

export const LANE_HEIGHT = 18
/** Where the axis is. */
export const AXIS_HEIGHT = 22
const GAP = 2

export interface Drawing {
  readonly timeline: Timeline
  readonly fromMs: number
  readonly toMs: number
  readonly nowMs: number
  /** How far the lanes are scrolled. */
  readonly scrollTop: number
  /** Where the bars begin, behind the names of the lanes. */
  readonly left: number
  /** The lane and time under the pointer. */
  readonly hover: { readonly lane: Lane; readonly atMs: number } | undefined
}

export interface Palette {
  readonly text: string
  readonly quiet: string
  readonly ground: string
  readonly panel: string
  readonly line: string
  readonly failed: string
  readonly series: readonly string[]
  readonly other: string
  readonly moves: Readonly<Record<'fetched' | 'spilled' | 'loaded', string>>
}

export function paletteOf(element: Element): Palette {
  const style = getComputedStyle(element)
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  return {
    text: colour('text'),
    quiet: colour('quiet'),
    ground: colour('ground'),
    panel: colour('panel'),
    line: colour('line'),
    failed: colour('failed'),
    series: [1, 2, 3, 4, 5, 6].map((number) => colour(`series-${number}`)),
    other: colour('waiting'),
    moves: { fetched: colour('fetched'), spilled: colour('spilled'), loaded: colour('loaded') },
  }
}

export function draw(
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
  drawing: Drawing,
  palette: Palette,
): void {
  const { timeline, fromMs, toMs, nowMs, scrollTop, left } = drawing
  context.fillStyle = palette.ground
  context.fillRect(0, 0, width, height)
  context.font = '12px system-ui, sans-serif'
  context.textBaseline = 'middle'
  const barWidth = width - left
  const { lanes } = timeline
  const first = Math.max(0, Math.floor(scrollTop / LANE_HEIGHT))
  const last = Math.min(lanes.length, Math.ceil((scrollTop + height - AXIS_HEIGHT) / LANE_HEIGHT))
  drawGrid(context, height, drawing, barWidth, palette)
  for (let place = first; place < last; place++) {
    const lane = lanes[place]!
    const top = AXIS_HEIGHT + place * LANE_HEIGHT - scrollTop
    const isFirstOfWorker = place === 0 || lanes[place - 1]!.worker !== lane.worker
    if (isFirstOfWorker && place > 0) {
      context.fillStyle = palette.line
      context.fillRect(0, top - 1, width, 1)
    }
    if (lane.thread === MOVES) drawMoves(context, lane, top, drawing, barWidth, palette)
    else {
      for (const { from, to, bar } of piecesOf(lane, fromMs, Math.min(toMs, nowMs), barWidth * shareUntil(drawing))) {
        const number = timeline.colours.get(bar.function) ?? OTHER_COLOUR
        context.fillStyle = bar.failed > 0 ? palette.failed : (palette.series[number] ?? palette.other)
        // A line between bars that are wide enough for one.
        context.fillRect(left + from, top + GAP / 2, to - from > 3 ? to - from - 1 : to - from, LANE_HEIGHT - GAP)
      }
    }
    context.fillStyle = palette.ground
    context.fillRect(0, top, left, LANE_HEIGHT)
    context.fillStyle = palette.quiet
    context.textAlign = 'right'
    context.fillText(nameOf(lane), left - 8, top + LANE_HEIGHT / 2)
    if (isFirstOfWorker || place === first) {
      context.fillStyle = palette.text
      context.textAlign = 'left'
      context.fillText(clipped(context, lane.worker, left - 40), 0, top + LANE_HEIGHT / 2)
    }
  }
}

/** Of the shown span, what has passed. */
function shareUntil({ fromMs, toMs, nowMs }: Drawing): number {
  return Math.min(1, Math.max(0, (Math.min(toMs, nowMs) - fromMs) / (toMs - fromMs)))
}

function drawMoves(
  context: CanvasRenderingContext2D,
  { moves }: Lane,
  top: number,
  { fromMs, toMs, left }: Drawing,
  width: number,
  palette: Palette,
): void {
  const scale = width / (toMs - fromMs)
  const kinds = ['fetched', 'spilled', 'loaded'] as const
  for (const { atMs, kind } of moves) {
    const x = Math.floor((atMs - fromMs) * scale)
    if (x < 0 || x > width) continue
    context.fillStyle = palette.moves[kind]
    context.fillRect(left + x - 1, top + 1 + kinds.indexOf(kind) * 5, 3, 5)
  }
}

/** A line about every hundred pixels, at a round time before now. */
function drawGrid(
  context: CanvasRenderingContext2D,
  height: number,
  { fromMs, toMs, nowMs, left }: Drawing,
  width: number,
  palette: Palette,
): void {
  const stepMs = roundStep(((toMs - fromMs) / width) * 110)
  const scale = width / (toMs - fromMs)
  context.textAlign = 'center'
  const firstAgo = Math.floor((nowMs - fromMs) / stepMs)
  for (let ago = firstAgo; nowMs - ago * stepMs <= toMs; ago--) {
    const x = left + Math.round((nowMs - ago * stepMs - fromMs) * scale)
    if (x < left) continue
    context.fillStyle = palette.line
    context.fillRect(x, AXIS_HEIGHT - 4, 1, height)
    const words = agoInWords(ago * stepMs)
    const half = context.measureText(words).width / 2
    context.fillStyle = palette.quiet
    if (x + half <= left + width) context.fillText(words, x, AXIS_HEIGHT / 2 - 2)
    else {
      context.textAlign = 'right'
      context.fillText(words, left + width, AXIS_HEIGHT / 2 - 2)
      context.textAlign = 'center'
    }
  }
}

function roundStep(ms: number): number {
  for (const step of [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000]) {
    if (step >= ms) return step
  }
  return 600_000
}

function agoInWords(ms: number): string {
  if (ms <= 0) return 'now'
  if (ms >= 60_000) return `−${Math.round(ms / 6_000) / 10} min`
  return ms >= 1_000 ? `−${Math.round(ms / 100) / 10} s` : `−${ms} ms`
}

export function nameOf({ thread }: Lane): string {
  return thread === MOVES ? 'moves' : String(thread + 1)
}

function clipped(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text
  let length = text.length
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > width) length--
  return `${text.slice(0, length)}…`
}
