/** From the outputs that are asked for to tasks in their order: culled, fused, depth first. */
import { chainOf, fuse, leaveUnfused, type Chains, type MayFuse } from './fuse.js'
import type { GraphNode } from './node.js'
import { numberGraph, type NumberedGraph } from './numbered-graph.js'
import { orderTasks } from './order.js'
import type { Steps } from './slices.js'

export class Plan<N extends GraphNode = GraphNode> {
  readonly #graph: NumberedGraph<N>
  readonly #chains: Chains
  /** The tasks, each by the number of its last node; inputs come before their users. */
  readonly order: Int32Array

  constructor(graph: NumberedGraph<N>, chains: Chains, order: Int32Array) {
    this.#graph = graph
    this.#chains = chains
    this.order = order
  }

  get nodeCount(): number {
    return this.#graph.nodes.length
  }

  /** Their tasks, each once, in the order they were asked for. */
  get outputs(): readonly number[] {
    return this.#graph.outputs
  }

  node(number: number): N {
    return this.#graph.nodes.at(number)
  }

  /** The number of a node, which is that of a task if the node is needed elsewhere than in its chain. */
  numberOf(node: N): number | undefined {
    return this.#graph.numbers.get(node)
  }

  /** The calls of a task, the first one first. */
  callsOf(task: number): N[] {
    if (this.#chains.firstOf[task] === task) return [this.node(task)]
    return chainOf(this.#graph, this.#chains, task).map((number) => this.node(number))
  }

  /** How many tasks a task needs. */
  inputCountOf(task: number): number {
    const { starts } = this.#graph.inputs
    const first = this.#chains.firstOf[task]!
    return starts[first + 1]! - starts[first]!
  }

  /** One of them: there is no list of these for each task. */
  inputAt(task: number, place: number): number {
    const { starts, targets } = this.#graph.inputs
    return targets[starts[this.#chains.firstOf[task]!]! + place]!
  }

  /** How many tasks need it. */
  userCountOf(task: number): number {
    const { starts } = this.#graph.dependants
    return starts[task + 1]! - starts[task]!
  }
}

/**
 * Plans a graph. Outputs come in the order given, as far as their needs allow. Calls that may fuse do; without
 * `mayFuse`, none.
 */
export function* planGraph<N extends GraphNode>(
  outputs: readonly N[],
  inputsOf: (node: N) => readonly N[],
  mayFuse: MayFuse<N> | undefined,
): Steps<Plan<N>> {
  const graph = yield* numberGraph(outputs, inputsOf)
  const chains = yield* mayFuse === undefined ? leaveUnfused(graph) : fuse(graph, mayFuse)
  return new Plan(graph, chains, yield* orderTasks(graph, chains))
}
