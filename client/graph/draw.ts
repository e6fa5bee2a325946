/** Drawings of graphs, as texts: a picture, and what Graphviz and Mermaid make pictures of. */
import { GraphError } from '../../protocol/errors.js'
import { layOut, type Layout } from './layout.js'
import type { GraphNode } from './node.js'
import { numberGraph, type NumberedGraph } from './numbered-graph.js'
import { runToEnd } from './slices.js'

export type DrawingFormat = 'svg' | 'dot' | 'mermaid'

/** In a drawing of more, nobody could make anything out. */
const MAX_DRAWN = 2_000

/** Distances in a picture, in pixels. */
const NODE_HEIGHT = 30
const LAYER_HEIGHT = 74
const GAP = 24
const MARGIN = 16
const LETTER_WIDTH = 7.4
const MAX_LETTERS = 28

/** A node, as far as it is drawn. */
interface DrawnNode extends GraphNode {
  readonly name: string
}

/** Draws what the outputs need. */
export function drawGraph<N extends DrawnNode>(
  outputs: readonly N[],
  inputsOf: (node: N) => readonly N[],
  format: DrawingFormat,
): string {
  const graph = runToEnd(numberGraph(outputs, inputsOf))
  const { length } = graph.nodes
  if (length > MAX_DRAWN) {
    throw new GraphError(
      `The graph has ${length} calls, and a drawing of more than ${MAX_DRAWN} can't be read; draw a part of it.`,
    )
  }
  switch (format) {
    case 'svg':
      return toSvg(graph, layOut(graph))
    case 'dot':
      return toDot(graph)
    case 'mermaid':
      return toMermaid(graph)
  }
}

function toSvg(graph: NumberedGraph<DrawnNode>, layout: Layout): string {
  const letters = Math.max(...[...graph.nodes].map(({ name }) => shorten(name).length))
  const nodeWidth = Math.max(48, Math.ceil(letters * LETTER_WIDTH) + 20)
  const width = 2 * MARGIN + layout.columns * (nodeWidth + GAP) - GAP
  const height = 2 * MARGIN + (layout.layers - 1) * LAYER_HEIGHT + NODE_HEIGHT
  const left = (number: number): number => round(MARGIN + layout.columnOf[number]! * (nodeWidth + GAP))
  const top = (number: number): number => MARGIN + layout.layerOf[number]! * LAYER_HEIGHT
  const colours = coloursOf(graph)
  const edges = edgesOf(graph).map(([from, to]) => {
    const [x1, y1] = [left(from) + nodeWidth / 2, top(from) + NODE_HEIGHT]
    const [x2, y2] = [left(to) + nodeWidth / 2, top(to) - 5]
    const bend = round((y2 - y1) / 2)
    return `<path d="M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}"/>`
  })
  const boxes = [...graph.nodes].map(({ name }, number) => {
    const [x, y] = [left(number), top(number)]
    const border = graph.isOutput[number] === 1 ? 2.5 : 1
    const rect = `<rect x="${x}" y="${y}" width="${nodeWidth}" height="${NODE_HEIGHT}" rx="6" fill="${colours.get(name)!}" stroke-width="${border}"/>`
    const label = `<text x="${x + nodeWidth / 2}" y="${y + 20}">${escape(shorten(name))}</text>`
    return `<g><title>${escape(name)}</title>${rect}${label}</g>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, monospace" font-size="12">`,
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="3" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>',
    '<g fill="none" stroke="#555" marker-end="url(#tip)">',
    ...edges,
    '</g>',
    '<g stroke="#333" text-anchor="middle">',
    ...boxes.map((box) => box.replace('<text', '<text stroke="none" fill="#111"')),
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

function toDot(graph: NumberedGraph<DrawnNode>): string {
  const colours = coloursOf(graph)
  const nodes = [...graph.nodes].map(({ name }, number) => {
    const border = graph.isOutput[number] === 1 ? ', penwidth=2.5' : ''
    return `  n${number} [label="${name.replace(/["\\]/g, '\\$&')}", fillcolor="${colours.get(name)!}"${border}]`
  })
  const edges = edgesOf(graph).map(([from, to]) => `  n${from} -> n${to}`)
  return ['digraph {', '  node [shape=box, style="rounded,filled"]', ...nodes, ...edges, '}', ''].join('\n')
}

function toMermaid(graph: NumberedGraph<DrawnNode>): string {
  const nodes = [...graph.nodes].map(({ name }, number) => `  n${number}["${escapeForMermaid(name)}"]`)
  const edges = edgesOf(graph).map(([from, to]) => `  n${from} --> n${to}`)
  const classes = [...coloursOf(graph)].flatMap(([name, colour], i) => {
    const members = [...graph.nodes].flatMap((node, number) => (node.name === name ? [`n${number}`] : []))
    return [`  classDef f${i} fill:${colour},stroke:#333,color:#111`, `  class ${members.join(',')} f${i}`]
  })
  const outputs = graph.outputs.map((number) => `  style n${number} stroke-width:3px`)
  return ['flowchart TB', ...nodes, ...edges, ...classes, ...outputs, ''].join('\n')
}

/** From each input to its user. */
function edgesOf({ nodes, inputs }: NumberedGraph): [from: number, to: number][] {
  return [...nodes].flatMap((_, to) =>
    [...inputs.targets.subarray(inputs.starts[to]!, inputs.starts[to + 1]!)].map((from): [number, number] => [
      from,
      to,
    ]),
  )
}

/** A pale colour for each name, neighbours far apart on the wheel. */
function coloursOf({ nodes }: NumberedGraph<DrawnNode>): Map<string, string> {
  const names = [...new Set([...nodes].sort((a, b) => a.serial - b.serial).map(({ name }) => name))]
  return new Map(names.map((name, i) => [name, paleColour((210 + i * 137.5) % 360)]))
}

/** Of a hue in degrees, as `#rrggbb`, which all three formats understand. */
function paleColour(hue: number): string {
  const channel = (shift: number): string => {
    const turn = (shift + hue / 30) % 12
    const value = 0.86 - 0.12 * Math.max(-1, Math.min(turn - 3, 9 - turn, 1))
    return Math.round(value * 255)
      .toString(16)
      .padStart(2, '0')
  }
  return `#${channel(0)}${channel(8)}${channel(4)}`
}

function shorten(name: string): string {
  return name.length <= MAX_LETTERS ? name : `${name.slice(0, MAX_LETTERS - 1)}…`
}

/** For XML. */
function escape(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`)
}

/** Mermaid has entities of its own. */
function escapeForMermaid(text: string): string {
  return text.replace(/[#&<>"`]/g, (letter) => `#${letter.charCodeAt(0)};`)
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
