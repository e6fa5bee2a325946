/**
 * Where the nodes of a drawing stand: in layers from top to bottom, each below all that it needs, and within a layer near
 * what they are connected to, which makes few edges cross (the barycentre method of Sugiyama).
 */
import type { Edges, NumberedGraph } from './numbered-graph.js'

export interface Layout {
  readonly layers: number
  /** How many nodes fit side by side. */
  readonly columns: number
  readonly layerOf: readonly number[]
  /** May lie between two whole numbers. */
  readonly columnOf: readonly number[]
}

/** How often the layers are gone through, down and up again. */
const SWEEPS = 6

export function layOut(graph: NumberedGraph): Layout {
  const layerOf = layersOf(graph)
  const layers: number[][] = Array.from({ length: Math.max(0, ...layerOf) + 1 }, () => [])
  // Numbers are given from the outputs on, and neighbours have neighbouring ones.
  for (const [number, layer] of layerOf.entries()) layers[layer]!.push(number)
  const columns = Math.max(...layers.map(({ length }) => length))
  const columnOf = layerOf.map(() => 0)
  const spread = (layer: readonly number[]): void => {
    for (const [place, number] of layer.entries()) columnOf[number] = place + (columns - layer.length) / 2
  }
  layers.forEach(spread)
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isDown = sweep % 2 === 0
    for (const layer of isDown ? layers : layers.toReversed()) {
      const middle = new Map(
        layer.map((number) => [number, middleOf(isDown ? graph.inputs : graph.dependants, number)]),
      )
      layer.sort((a, b) => middle.get(a)! - middle.get(b)! || a - b)
      spread(layer)
    }
  }
  return { layers: layers.length, columns, layerOf, columnOf }

  /** The middle of where those stand that a node is connected to; where it stands, if there are none. */
  function middleOf({ starts, targets }: Edges, number: number): number {
    const others = targets.subarray(starts[number]!, starts[number + 1]!)
    if (others.length === 0) return columnOf[number]!
    return others.reduce((sum, other) => sum + columnOf[other]!, 0) / others.length
  }
}

/** How many calls deep each node lies below those that need nothing; those stand right above their first user. */
function layersOf({ nodes, inputs, dependants }: NumberedGraph): number[] {
  const layerOf = new Array<number>(nodes.length).fill(0)
  // Nobody's serial is higher than that of its user.
  const bySerial = [...layerOf.keys()].sort((a, b) => nodes.at(a).serial - nodes.at(b).serial)
  for (const number of bySerial) {
    for (const input of inputs.targets.subarray(inputs.starts[number]!, inputs.starts[number + 1]!)) {
      layerOf[number] = Math.max(layerOf[number]!, layerOf[input]! + 1)
    }
  }
  for (const number of bySerial) {
    const users = dependants.targets.subarray(dependants.starts[number]!, dependants.starts[number + 1]!)
    const isSource = inputs.starts[number] === inputs.starts[number + 1]
    if (isSource && users.length > 0) layerOf[number] = Math.min(...[...users].map((user) => layerOf[user]! - 1))
  }
  return layerOf
}
