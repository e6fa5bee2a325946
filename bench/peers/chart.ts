/** Draws comparisons as bars: a group for each workload, as long as the system is fast beside the fastest of them. */
import { shown, speedOf, type Comparison } from './compare.js'

const WIDTH = 760
const NAME_WIDTH = 90
const BAR_WIDTH = 440
const LINE_HEIGHT = 20
const HEAD_HEIGHT = 30
const GAP = 12

/** Colours follow the reader's: dark text on light pages, light text on dark ones. */
const STYLE = [
  'text { font: 13px system-ui, sans-serif; fill: #1f2328 }',
  '.head { font-weight: 600 }',
  'rect { fill: #8c959f }',
  '.ours { fill: #0969da }',
  '@media (prefers-color-scheme: dark) {',
  '  text { fill: #e6edf3 }',
  '  rect { fill: #6e7681 }',
  '  .ours { fill: #58a6ff }',
  '}',
].join('\n')

export function drawChart(comparisons: readonly Comparison[]): string {
  const parts: string[] = []
  let y = GAP
  for (const { workload, unit, systems } of comparisons) {
    parts.push(`<text class="head" x="${GAP}" y="${y + 14}">${workload} (${unit})</text>`)
    y += HEAD_HEIGHT
    const fastest = Math.max(...systems.map(({ value }) => speedOf(unit, value)))
    for (const [place, { name, value }] of systems.entries()) {
      const length = Math.max(1, Math.round((BAR_WIDTH * speedOf(unit, value)) / fastest))
      const x = NAME_WIDTH + GAP
      parts.push(`<text x="${GAP}" y="${y + 11}">${name}</text>`)
      parts.push(`<rect${place === 0 ? ' class="ours"' : ''} x="${x}" y="${y}" width="${length}" height="14" rx="2"/>`)
      parts.push(`<text x="${x + length + 6}" y="${y + 11}">${shown(value)}</text>`)
      y += LINE_HEIGHT
    }
    y += GAP
  }
  const title = 'heddle beside its peers: longer bars are faster'
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img">`,
    `<title>${title}</title>`,
    `<style>\n${STYLE}\n</style>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n')
}
