/** Drawings of graphs. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { drawGraph, type DrawingFormat } from '../../client/graph/draw.js'
import { layOut } from '../../client/graph/layout.js'
import { numberGraph } from '../../client/graph/numbered-graph.js'
import { runToEnd } from '../../client/graph/slices.js'
import { call, reduce, type TestNode } from './nodes.js'

const inputsOf = ({ inputs }: TestNode): readonly TestNode[] => inputs
const draw = (output: TestNode, format: DrawingFormat): string => drawGraph([output], inputsOf, format)

test('for Graphviz', () => {
  const load = call('say "hi"')
  const drawn = draw(call('sum', load, call('count', load)), 'dot')
  assert.equal(
    drawn,
    `digraph {
  node [shape=box, style="rounded,filled"]
  n0 [label="sum", fillcolor="${colour(drawn, 'sum')}", penwidth=2.5]
  n1 [label="say \\"hi\\"", fillcolor="#bddbfa"]
  n2 [label="count", fillcolor="${colour(drawn, 'count')}"]
  n1 -> n0
  n2 -> n0
  n1 -> n2
}
`,
  )
  assert.equal(new Set([...drawn.matchAll(/fillcolor="(#[0-9a-f]{6})"/g)].map(([, found]) => found)).size, 3)
})

test('for Mermaid, whose special letters are written by number', () => {
  const drawn = draw(call('sum', call('a"<#')), 'mermaid')
  assert.match(drawn, /^flowchart TB\n {2}n0\["sum"\]\n {2}n1\["a#34;#60;#35;"\]\n {2}n1 --> n0\n/)
  assert.match(drawn, /\n {2}class n1 f0\n/)
  assert.match(drawn, /\n {2}style n0 stroke-width:3px\n$/)
})

test('as a picture: a box for each call, a curve for each edge, names made harmless', () => {
  const leaves = Array.from({ length: 4 }, () => call('<load> & "go"'))
  const drawn = draw(
    reduce(leaves, (a, b) => call('add', a, b)),
    'svg',
  )
  assert.equal(drawn.match(/<rect /g)?.length, 7)
  assert.equal(drawn.match(/<path d="M[\d.]+ [\d.]+C/g)?.length, 6)
  assert.match(drawn, /<text [^>]*>&#60;load&#62; &#38; &#34;go&#34;<\/text>/)
  assert.doesNotMatch(drawn, /NaN|undefined|<load>/)
  assert.equal(drawn.match(/stroke-width="2.5"/g)?.length, 1)
})

test('boxes of one layer don’t overlap, and stand below what they need', () => {
  const leaves = Array.from({ length: 37 }, () => call('leaf'))
  const root = call(
    'all',
    reduce(leaves, (a, b) => call('add', a, b)),
    leaves[3]!,
  )
  const graph = runToEnd(numberGraph([root], inputsOf))
  const { layerOf, columnOf, columns } = layOut(graph)
  for (const [number, node] of [...graph.nodes].entries()) {
    for (const input of node.inputs) assert.ok(layerOf[graph.numbers.get(input)!]! < layerOf[number]!)
    assert.ok(columnOf[number]! >= 0 && columnOf[number]! <= columns - 1)
    for (const other of layerOf.keys()) {
      const areApart = layerOf[number] !== layerOf[other] || Math.abs(columnOf[number]! - columnOf[other]!) >= 1
      assert.ok(other === number || areApart)
    }
  }
})

test('a binary reduction is drawn without crossing edges', () => {
  const leaves = Array.from({ length: 16 }, () => call('leaf'))
  const graph = runToEnd(numberGraph([reduce(leaves, (a, b) => call('add', a, b))], inputsOf))
  const { columnOf, layerOf } = layOut(graph)
  const edges = [...graph.nodes].flatMap((node, to) =>
    node.inputs.map((input) => [graph.numbers.get(input)!, to] as const),
  )
  for (const [from, to] of edges) {
    for (const [otherFrom, otherTo] of edges) {
      if (layerOf[from] !== layerOf[otherFrom]) continue
      const sides = (columnOf[from]! - columnOf[otherFrom]!) * (columnOf[to]! - columnOf[otherTo]!)
      assert.ok(sides >= 0, 'two edges cross')
    }
  }
})

test('a graph that nobody could read is refused', () => {
  const root = call('sum', ...Array.from({ length: 2_000 }, () => call('leaf')))
  assert.throws(() => draw(root, 'svg'), { code: 'ERR_HEDDLE_GRAPH', message: /has 2001 calls/ })
})

function colour(drawn: string, name: string): string {
  return new RegExp(`label="${name}", fillcolor="(#[0-9a-f]{6})"`).exec(drawn)?.[1] ?? 'none'
}
