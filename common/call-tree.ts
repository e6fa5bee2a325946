/** Where time went, as a tree of calls: that of one thread, or of many laid over each other by function. */

/** A function, as it was called from the ones above it in the tree. */
export interface CallNode {
  /** Empty for a function without one. */
  readonly name: string
  /** Where its source is; empty for what is not JavaScript. */
  readonly url: string
  /** From 1; 0 when there is none. */
  readonly line: number
  readonly column: number
  /** Time in the function itself, in microseconds. */
  selfUs: number
  readonly children: CallNode[]
}

/** What is left of functions that took too little to be kept apart. */
const OTHERS = '(other functions)'

export function emptyTree(): CallNode {
  return { name: '(root)', url: '', line: 0, column: 0, selfUs: 0, children: [] }
}

/** Lays a tree over another: the same function, called in the same way, is one node. */
export function mergeInto(into: CallNode, from: CallNode): void {
  const work: [CallNode, CallNode][] = [[into, from]]
  for (let pair = work.pop(); pair !== undefined; pair = work.pop()) {
    const [target, source] = pair
    target.selfUs += source.selfUs
    if (source.children.length === 0) continue
    const known = new Map(target.children.map((child) => [labelOf(child), child]))
    for (const child of source.children) {
      let same = known.get(labelOf(child))
      if (same === undefined) {
        same = { ...child, selfUs: 0, children: [] }
        known.set(labelOf(child), same)
        target.children.push(same)
      }
      work.push([same, child])
    }
  }
}

/** The time in each function and in what it called. */
export function totalsOf(root: CallNode): Map<CallNode, number> {
  const totals = new Map<CallNode, number>()
  // Callers come before those that they call, so from the last to the first each has what it needs.
  const nodes = nodesOf(root)
  for (const node of nodes.toReversed()) {
    let total = node.selfUs
    for (const child of node.children) total += totals.get(child) ?? 0
    totals.set(node, total)
  }
  return totals
}

/** All nodes, callers before those that they call. */
export function nodesOf(root: CallNode): CallNode[] {
  const nodes = [root]
  for (let at = 0; at < nodes.length; at++) nodes.push(...nodes[at]!.children)
  return nodes
}

/** Of each node but the root, the place of its caller in `nodesOf`. */
export function parentsOf(root: CallNode): ReadonlyMap<CallNode, number> {
  return new Map(nodesOf(root).flatMap((node, place) => node.children.map((child) => [child, place] as const)))
}

/** Keeps `limit` nodes at most, those that took longest; one more for each caller says how long the rest took. */
export function prune(root: CallNode, limit: number): void {
  const totals = totalsOf(root)
  if (totals.size <= limit) return
  const least = [...totals.values()].sort((a, b) => b - a)[limit]!
  const kept = [root]
  for (let at = 0; at < kept.length; at++) {
    const node = kept[at]!
    const [large, small] = [
      node.children.filter((child) => totals.get(child)! > least),
      node.children.filter((child) => totals.get(child)! <= least),
    ]
    if (small.length > 0) {
      const selfUs = small.reduce((sum, child) => sum + totals.get(child)!, 0)
      node.children.splice(0, Infinity, ...large)
      node.children.push({ ...emptyTree(), name: OTHERS, selfUs })
    }
    kept.push(...large)
  }
}

export function labelOf({ name, url, line, column }: CallNode): string {
  return `${name} ${url}:${line}:${column}`
}
