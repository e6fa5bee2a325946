/** Where the time of threads went, put together of what each worker told. */
import { emptyTree, mergeInto, nodesOf, prune, totalsOf } from '../common/call-tree.js'
import { entryOf } from '../common/packed.js'
import { MAX_PROFILE_NODES } from '../protocol/limits.js'
import type { ClusterProfile } from '../protocol/messages/api.js'
import type { WorkerProfile } from '../protocol/messages/profile.js'
import type { Answer } from './core/views/inquiry.js'

export function profileOf(durationMs: number, { workers, reports }: Answer): ClusterProfile {
  const told = workers.map((worker, place) => {
    // What a worker of this version of the protocol tells.
    const taken = JSON.parse(Buffer.from(entryOf(reports, place)).toString()) as WorkerProfile
    return { worker, taken }
  })
  const tree = emptyTree()
  for (const { taken } of told) mergeInto(tree, taken.root)
  prune(tree, MAX_PROFILE_NODES)
  const nodes = nodesOf(tree)
  const totals = totalsOf(tree)
  const parents = new Map(nodes.flatMap((node, place) => node.children.map((child) => [child, place] as const)))
  return {
    durationMs,
    nodes: nodes.map((node) => ({
      name: node.name === '' ? '(anonymous)' : node.name,
      url: node.url,
      line: node.line,
      parent: parents.get(node) ?? 0,
      selfMs: node.selfUs / 1_000,
      totalMs: (totals.get(node) ?? 0) / 1_000,
    })),
    threads: told.flatMap(({ worker, taken }) => taken.threads.map((thread) => ({ worker, ...thread }))),
    missing: told.flatMap(({ worker, taken }) => taken.missing.map((each) => ({ worker, ...each }))),
  }
}
