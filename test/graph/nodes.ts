/** Graphs for tests, and what a run in a given order would hold at a time. */
import type { GraphNode } from '../../client/graph/node.js'
import { planGraph, type Plan } from '../../client/graph/plan.js'
import { runToEnd } from '../../client/graph/slices.js'

export interface TestNode extends GraphNode {
  readonly name: string
  readonly inputs: readonly TestNode[]
}

let serial = 0

/** A call. It can be fused with its input if it has just one. */
export function call(name: string, ...inputs: readonly TestNode[]): TestNode {
  return { serial: (serial += 1), name, inputs, link: inputs.length === 1 ? 0 : -1 }
}

export function plan(
  outputs: readonly TestNode[],
  options: { readonly fuse: boolean } = { fuse: false },
): Plan<TestNode> {
  return runToEnd(planGraph(outputs, ({ inputs }) => inputs, options.fuse ? () => true : undefined))
}

/** The names of the tasks in their order; those of calls that became one with `+` between them. */
export function namesOf(planned: Plan<TestNode>): string[] {
  return [...planned.order].map((task) =>
    planned
      .callsOf(task)
      .map(({ name }) => name)
      .join('+'),
  )
}

/** `combine` as a tree, two and two, down to one. */
export function reduce(leaves: readonly TestNode[], combine: (a: TestNode, b: TestNode) => TestNode): TestNode {
  let layer = leaves
  while (layer.length > 1) {
    const next: TestNode[] = []
    for (let i = 0; i < layer.length; i += 2) {
      const [a, b] = [layer[i]!, layer[i + 1]]
      next.push(b === undefined ? a : combine(a, b))
    }
    layer = next
  }
  return layer[0]!
}

/** How many results are held at most if one task runs after another, each result until its last user ran. */
export function peakHeld(order: readonly TestNode[], outputs: readonly TestNode[]): number {
  const users = new Map<TestNode, number>()
  for (const { inputs } of order) for (const input of inputs) users.set(input, (users.get(input) ?? 0) + 1)
  const held = new Set<TestNode>()
  let peak = 0
  for (const node of order) {
    for (const input of node.inputs)
      if (!held.has(input)) throw new Error(`${node.name} runs before its input ${input.name}`)
    held.add(node)
    peak = Math.max(peak, held.size)
    for (const input of node.inputs) {
      users.set(input, users.get(input)! - 1)
      if (users.get(input) === 0 && !outputs.includes(input)) held.delete(input)
    }
  }
  return peak
}

/** All calls, each layer after the one before: those that need nothing first. */
export function breadthFirst(outputs: readonly TestNode[]): TestNode[] {
  const depths = new Map<TestNode, number>()
  const trail = [...outputs]
  for (let node = trail.at(-1); node !== undefined; node = trail.at(-1)) {
    const missing = node.inputs.filter((input) => !depths.has(input))
    if (missing.length > 0) {
      trail.push(...missing)
      continue
    }
    trail.pop()
    depths.set(node, Math.max(0, ...node.inputs.map((input) => depths.get(input)! + 1)))
  }
  return [...depths.keys()].sort((a, b) => depths.get(a)! - depths.get(b)! || a.serial - b.serial)
}
