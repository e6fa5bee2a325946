/**
 * A graph as numbers, for planning: what is needed for the outputs, and nothing else, numbered from 0 up. Edges lie end to
 * end in one array each way, so that a million nodes are a few arrays.
 */
import { NodeList } from './node-list.js'
import { NodeNumbers } from './node-numbers.js'
import type { GraphNode } from './node.js'
import { STEP_SIZE, type Steps } from './slices.js'

/** For each node a list of others: those of node `i` stand from `starts[i]` to before `starts[i + 1]`. */
export interface Edges {
  readonly starts: Int32Array
  readonly targets: Int32Array
}

export interface NumberedGraph<N extends GraphNode = GraphNode> {
  readonly nodes: NodeList<N>
  readonly numbers: NodeNumbers
  readonly inputs: Edges
  readonly dependants: Edges
  /** The numbers of the outputs, each once, in their order. */
  readonly outputs: readonly number[]
  /** 1 for outputs. */
  readonly isOutput: Uint8Array
}

/** Numbers what the outputs need: all else is culled. */
export function* numberGraph<N extends GraphNode>(
  outputs: readonly N[],
  inputsOf: (node: N) => readonly N[],
): Steps<NumberedGraph<N>> {
  const nodes = new NodeList<N>()
  const numbers = new NodeNumbers()
  const outputNumbers: number[] = []
  let steps = 0
  let edgeCount = 0
  const meet = (node: N): void => {
    if (numbers.get(node) !== undefined) return
    numbers.set(node, nodes.length)
    nodes.push(node)
  }
  for (const output of outputs) {
    if (numbers.get(output) === undefined) outputNumbers.push(nodes.length)
    meet(output)
    if (++steps % STEP_SIZE === 0) yield
  }
  for (let number = 0; number < nodes.length; number++) {
    const needed = inputsOf(nodes.at(number))
    edgeCount += needed.length
    for (const input of needed) {
      meet(input)
      if (++steps % STEP_SIZE === 0) yield
    }
    if (++steps % STEP_SIZE === 0) yield
  }

  const inputs: Edges = { starts: new Int32Array(nodes.length + 1), targets: new Int32Array(edgeCount) }
  const counts = new Int32Array(nodes.length)
  let edge = 0
  for (let number = 0; number < nodes.length; number++) {
    inputs.starts[number] = edge
    for (const input of inputsOf(nodes.at(number))) {
      const target = numbers.get(input)!
      inputs.targets[edge++] = target
      counts[target]! += 1
      if (++steps % STEP_SIZE === 0) yield
    }
    if (++steps % STEP_SIZE === 0) yield
  }
  inputs.starts[nodes.length] = edge
  const dependants = yield* turnAround(inputs, counts)
  const isOutput = new Uint8Array(nodes.length)
  for (const output of outputNumbers) isOutput[output] = 1
  return { nodes, numbers, inputs, dependants, outputs: outputNumbers, isOutput }
}

/** The same edges from the other end. `counts` says how many each node will have; it is used up. */
function* turnAround({ starts, targets }: Edges, counts: Int32Array): Steps<Edges> {
  const turned: Edges = { starts: new Int32Array(starts.length), targets: new Int32Array(targets.length) }
  let steps = 0
  for (let number = 0; number < counts.length; number++) {
    turned.starts[number + 1] = turned.starts[number]! + counts[number]!
    counts[number] = turned.starts[number]!
    if (++steps % STEP_SIZE === 0) yield
  }
  for (let number = 0; number < counts.length; number++) {
    for (let edge = starts[number]!; edge < starts[number + 1]!; edge++) {
      turned.targets[counts[targets[edge]!]!++] = number
      if (++steps % STEP_SIZE === 0) yield
    }
    if (++steps % STEP_SIZE === 0) yield
  }
  return turned
}
