/** Where the time of threads went, put together of what each worker told. */
import { nodesOf, parentsOf, totalsOf } from '../common/call-tree.js'
import type { ClusterProfile } from '../protocol/messages/api.js'
import { joinProfiles, workerProfile } from '../protocol/messages/profile.js'
import { readTold } from '../protocol/transport/told.js'
import type { Answer } from './core/views/inquiry.js'

export function profileOf(durationMs: number, answer: Answer): ClusterProfile {
  const { tree, threads, missing } = joinProfiles(readTold(answer, workerProfile))
  const totals = totalsOf(tree)
  const parents = parentsOf(tree)
  return {
    durationMs,
    nodes: nodesOf(tree).map((node) => ({
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
