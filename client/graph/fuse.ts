/**
 * Linear chains become one task each: a call whose only input is a call that nobody else needs runs right behind it, in the
 * same thread, and the value between them is never stored. What is asked for stays a task of its own, and so do calls
 * that differ in their options.
 */
import type { GraphNode } from './node.js'
import type { NumberedGraph } from './numbered-graph.js'
import { STEP_SIZE, type Steps } from './slices.js'

/** How many calls one task has at most: all of their arguments are in one message, and all of their work on one thread. */
const MAX_CHAIN = 100

/** Which nodes are one task. A task goes by the number of its last node. */
export interface Chains {
  /** The last node of the chain that each node is in. */
  readonly lastOf: Int32Array
  /** The first node of the chain that a last node ends; other nodes have what is left of the making. */
  readonly firstOf: Int32Array
}

/** Each node a task of its own. */
export function* leaveUnfused({ nodes }: NumberedGraph): Steps<Chains> {
  const lastOf = new Int32Array(nodes.length)
  for (let number = 0; number < nodes.length; number++) {
    lastOf[number] = number
    if (number % STEP_SIZE === 0) yield
  }
  return { lastOf, firstOf: lastOf }
}

/** May two calls be one task, as far as they themselves are concerned? */
export type MayFuse<N extends GraphNode> = (one: N, other: N) => boolean

/** Finds the chains. */
export function* fuse<N extends GraphNode>(graph: NumberedGraph<N>, mayFuse: MayFuse<N>): Steps<Chains> {
  const { nodes, dependants } = graph
  const lastOf = new Int32Array(nodes.length).fill(-1)
  const firstOf = new Int32Array(nodes.length)
  let steps = 0
  for (let number = 0; number < nodes.length; number++) {
    if (++steps % STEP_SIZE === 0) yield
    if (previousOf(graph, number, mayFuse) !== -1) continue
    // A chain begins here. It is cut when it gets long.
    let first = number
    let last = number
    let length = 1
    for (;;) {
      const isEnd = dependants.starts[last + 1]! - dependants.starts[last]! !== 1
      const next = isEnd ? -1 : dependants.targets[dependants.starts[last]!]!
      const goesOn = next !== -1 && previousOf(graph, next, mayFuse) === last
      if (goesOn && length < MAX_CHAIN) {
        last = next
        length += 1
      } else {
        settle(graph, { firstOf, lastOf }, first, last)
        if (!goesOn) break
        first = last = next
        length = 1
      }
      if (++steps % STEP_SIZE === 0) yield
    }
  }
  return { lastOf, firstOf }
}

/** The calls of a task, the first one first. */
export function chainOf({ inputs }: NumberedGraph, { firstOf }: Chains, last: number): number[] {
  const first = firstOf[last]!
  const chain = [last]
  for (let number = last; number !== first;) {
    number = inputs.targets[inputs.starts[number]!]!
    chain.push(number)
  }
  return chain.reverse()
}

function settle(graph: NumberedGraph, chains: Chains, first: number, last: number): void {
  chains.firstOf[last] = first
  for (const number of chainOf(graph, chains, last)) chains.lastOf[number] = last
}

/** The node that must run right before this one if the two are to be one task; -1 if they can't be. */
function previousOf<N extends GraphNode>(graph: NumberedGraph<N>, number: number, mayFuse: MayFuse<N>): number {
  const { nodes, inputs, dependants, isOutput } = graph
  const node = nodes.at(number)
  if (node.link === -1) return -1
  const previous = inputs.targets[inputs.starts[number]!]!
  const userCount = dependants.starts[previous + 1]! - dependants.starts[previous]!
  if (userCount > 1 || isOutput[previous] === 1) return -1
  return mayFuse(nodes.at(previous), node) ? previous : -1
}
