/** Where the time of threads went, put together of what each worker told. */
import { nodesOf, totalsOf } from '../common/call-tree.js'
import { entryOf } from '../common/packed.js'
import type { ClusterProfile } from '../protocol/messages/api.js'
import { joinProfiles, type WorkerProfile } from '../protocol/messages/profile.js'
import type { Answer } from './core/views/inquiry.js'

export function profileOf(durationMs: number, { workers, reports }: Answer): ClusterProfile {
  const told = workers.map((worker, place) => {
    // What a worker of this version of the protocol tells.
    const taken = JSON.parse(Buffer.from(entryOf(reports, place)).toString()) as WorkerProfile
    return { worker, taken }
  })
  const { tree, threads, missing } = joinProfiles(told)
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
    threads,
    missing,
  }
}
