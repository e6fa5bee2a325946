/** Draws a tree of calls as a flame graph: what was called stands on what called it, as wide as the time it took. */
import type { Call } from './call-tree.js'

const WIDTH = 1_000
const LINE_HEIGHT = 16
const HEAD_HEIGHT = 28
/** What is narrower can't be seen, and a picture of everything would be megabytes. */
const LEAST_WIDTH = 2
const CHARACTER_WIDTH = 6.2
const PADDING = 3

/** Ours stands out from what Node, the engine and the packages do. */
const STYLE = [
  'text { font: 11px ui-monospace, monospace; fill: #1f2328 }',
  '.head { font: 600 13px system-ui, sans-serif }',
  'rect { fill: #d0d7de; stroke: #ffffff; stroke-width: 0.5 }',
  '.ours { fill: #ffb77c }',
  '.gc { fill: #ff8182 }',
  '@media (prefers-color-scheme: dark) { .head { fill: #e6edf3 } }',
].join('\n')

interface Box {
  readonly call: Call
  readonly x: number
  readonly width: number
  readonly depth: number
}

export function drawFlameGraph(root: Call, title: string): string {
  const boxes: Box[] = []
  place(root, 0, 0, WIDTH / Math.max(1, root.totalUs), boxes)
  const deepest = boxes.reduce((depth, box) => Math.max(depth, box.depth), 0)
  const height = HEAD_HEIGHT + (deepest + 1) * LINE_HEIGHT + PADDING
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>\n${STYLE}\n</style>`,
    `<text class="head" x="${PADDING}" y="18">${escaped(title)}</text>`,
    ...boxes.map((box) => draw(box, height, root.totalUs)),
    '</svg>',
    '',
  ].join('\n')
}

/** Widest first, so that two pictures of the same program look alike. */
function place(call: Call, x: number, depth: number, widthPerUs: number, boxes: Box[]): void {
  const width = call.totalUs * widthPerUs
  if (width < LEAST_WIDTH) return
  boxes.push({ call, x, width, depth })
  let innerX = x
  for (const inner of [...call.calls.values()].sort((a, b) => b.totalUs - a.totalUs)) {
    place(inner, innerX, depth + 1, widthPerUs, boxes)
    innerX += inner.totalUs * widthPerUs
  }
}

function draw({ call, x, width, depth }: Box, height: number, wholeUs: number): string {
  const y = height - PADDING - (depth + 1) * LINE_HEIGHT
  const percent = ((100 * call.totalUs) / Math.max(1, wholeUs)).toFixed(1)
  const told = `${call.name}${call.place === '' ? '' : ` (${call.place})`}: ${percent} %`
  const box = `<rect${classOf(call)} x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${LINE_HEIGHT}"/>`
  const room = Math.floor((width - 2 * PADDING) / CHARACTER_WIDTH)
  const name = call.name.length <= room ? call.name : call.name.slice(0, room)
  const label = room < 3 ? '' : `<text x="${(x + PADDING).toFixed(1)}" y="${y + 12}">${escaped(name)}</text>`
  return `<g><title>${escaped(told)}</title>${box}${label}</g>`
}

function classOf({ name, place }: Call): string {
  if (name === '(garbage collector)') return ' class="gc"'
  const isOurs = /^(?:client|common|protocol|scheduler|worker|deploy)\//.test(place)
  return isOurs ? ' class="ours"' : ''
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
}
