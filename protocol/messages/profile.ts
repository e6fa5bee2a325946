/** Profiles: samples of what the threads of workers do. */
import { emptyTree, mergeInto, nodesOf, parentsOf, prune, type CallNode } from '../../common/call-tree.js'
import { MAX_PROFILE_NODES } from '../limits.js'
import { integer, list, message, real, record, refuse, text, type Field, type Infer } from '../schema.js'

const order = { durationMs: integer, intervalMicros: integer }

/** The threads of these workers, by name, are to be sampled; those of all, if there are none. Answered by `workers-told`. */
export const askProfile = message('ask-profile', { request: integer, workers: list(text), ...order })
/** How long, and how far samples are apart. */
export type ProfileOrder = { readonly durationMs: number; readonly intervalMicros: number }
export type AskProfile = Infer<typeof askProfile>

/** The scheduler asks a worker. Answered by `told`, a `WorkerProfile` as JSON. */
export const takeProfile = message('take-profile', { question: integer, ...order })
export type TakeProfile = Infer<typeof takeProfile>

/** One thread that was sampled. */
const threadProfile = record({
  thread: text,
  durationMs: real,
  /** Of that, how long it had nothing to do. */
  idleMs: real,
  samples: integer,
})
export type ThreadProfile = Infer<typeof threadProfile>

/** Its first caller is the root, which is its own. */
const nodes = list(record({ name: text, url: text, line: integer, column: integer, selfUs: real, parent: integer }))

/** A tree goes as a list, callers before those that they call: so it may be as deep as it likes. */
const callTree: Field<CallNode> = {
  toWire(root) {
    const parents = parentsOf(root)
    return nodes.toWire(nodesOf(root).map((node) => ({ ...node, parent: parents.get(node) ?? 0 })))
  },
  parse(wire, path) {
    const parsed = nodes.parse(wire, path)
    const made: CallNode[] = []
    for (const { parent, ...node } of parsed) {
      const call: CallNode = { ...node, children: [] }
      if (made.length > 0) (made[parent] ?? refuse(`${path}[${made.length}]`, 'behind its caller')).children.push(call)
      made.push(call)
    }
    return made[0] ?? emptyTree()
  },
}

/** What a worker tells: its threads, those that could not be sampled, and what they did, laid over each other. */
export const workerProfile = record({
  threads: list(threadProfile),
  missing: list(record({ thread: text, reason: text })),
  root: callTree,
})
export type WorkerProfile = Infer<typeof workerProfile>

/** What several workers told, as one. */
export interface JoinedProfile {
  readonly tree: CallNode
  readonly threads: readonly ({ readonly worker: string } & ThreadProfile)[]
  readonly missing: readonly { readonly worker: string; readonly thread: string; readonly reason: string }[]
}

/** Lays the trees of all over each other, and keeps as many nodes as can be shown. */
export function joinProfiles(
  profiles: readonly { readonly worker: string; readonly told: WorkerProfile }[],
): JoinedProfile {
  const tree = emptyTree()
  for (const { told } of profiles) mergeInto(tree, told.root)
  prune(tree, MAX_PROFILE_NODES)
  return {
    tree,
    threads: profiles.flatMap(({ worker, told }) => told.threads.map((thread) => ({ worker, ...thread }))),
    missing: profiles.flatMap(({ worker, told }) => told.missing.map((each) => ({ worker, ...each }))),
  }
}
