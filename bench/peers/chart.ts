/** Draws comparisons: a bar for each peer, from "as fast as heddle" to how many times as fast heddle is, on a logarithmic scale. */
import { ratioOf, shown, type Comparison } from './compare.js'

const WIDTH = 760
const LABEL_WIDTH = 190
const VALUE_WIDTH = 70
const LINE_HEIGHT = 20
const BAR_HEIGHT = 14
const HEAD_HEIGHT = 26
const GAP = 14
const AXIS_HEIGHT = 44

/** Colours follow the reader's: dark text on light pages, light text on dark ones. */
const STYLE = [
  'text { font: 13px system-ui, sans-serif; fill: #1f2328 }',
  '.head { font-weight: 600 }',
  '.tick { font-size: 11px; text-anchor: middle; fill: #59636e }',
  'line { stroke: #d1d9e0 }',
  'line.even { stroke: #59636e }',
  'rect.faster { fill: #0969da }',
  'rect.slower { fill: #bc4c00 }',
  '@media (prefers-color-scheme: dark) {',
  '  text { fill: #e6edf3 }',
  '  .tick { fill: #9198a1 }',
  '  line { stroke: #3d444d }',
  '  line.even { stroke: #9198a1 }',
  '  rect.faster { fill: #58a6ff }',
  '  rect.slower { fill: #f0883e }',
  '}',
].join('\n')

export function drawChart(comparisons: readonly Comparison[]): string {
  const ratios = comparisons.flatMap((each) => each.peers.map(({ value }) => ratioOf(each, value)))
  // Whole powers of ten, and 1 among them.
  const lowest = Math.min(0, ...ratios.map((ratio) => Math.floor(Math.log10(ratio))))
  const highest = Math.max(1, ...ratios.map((ratio) => Math.ceil(Math.log10(ratio))))
  const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH - GAP) / (highest - lowest)
  const placeOf = (ratio: number): number => Math.round(LABEL_WIDTH + scale * (Math.log10(ratio) - lowest))

  const bars: string[] = []
  let y = AXIS_HEIGHT + GAP
  for (const comparison of comparisons) {
    const { workload, unit, value: ours, peers } = comparison
    bars.push(`<text class="head" x="${GAP}" y="${y + 13}">${workload}: ${shown(ours)} ${unit}</text>`)
    y += HEAD_HEIGHT
    for (const { name, value } of peers) {
      const ratio = ratioOf(comparison, value)
      const [from, to] = [placeOf(Math.min(1, ratio)), placeOf(Math.max(1, ratio))]
      const kind = ratio >= 1 ? 'faster' : 'slower'
      const width = Math.max(1, to - from)
      bars.push(`<text x="${2 * GAP}" y="${y + 11}">${name} ${shown(value)}</text>`)
      bars.push(`<rect class="${kind}" x="${from}" y="${y}" width="${width}" height="${BAR_HEIGHT}" rx="2"/>`)
      bars.push(`<text x="${to + 6}" y="${y + 11}">${shown(ratio)} ×</text>`)
      y += LINE_HEIGHT
    }
    y += GAP
  }
  const title = 'How many times as fast as its peers heddle is'
  const grid = Array.from({ length: highest - lowest + 1 }, (_, index) => {
    const exponent = lowest + index
    const x = placeOf(10 ** exponent)
    const line = `<line${exponent === 0 ? ' class="even"' : ''} x1="${x}" y1="${AXIS_HEIGHT}" x2="${x}" y2="${y - GAP}"/>`
    return `${line}<text class="tick" x="${x}" y="${AXIS_HEIGHT - 4}">${(10 ** exponent).toLocaleString('en')} ×</text>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img">`,
    `<title>${title}</title>`,
    `<style>\n${STYLE}\n</style>`,
    `<text class="head" x="${GAP}" y="18">${title}, on a logarithmic scale</text>`,
    ...grid,
    ...bars,
    '</svg>',
    '',
  ].join('\n')
}
