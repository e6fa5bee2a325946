/** Profiles: samples of what the threads of workers do. */
import { emptyTree, mergeInto, prune, type CallNode } from '../../common/call-tree.js'
import { MAX_PROFILE_NODES } from '../limits.js'
import { integer, list, message, text, type Infer } from '../schema.js'

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
export interface ThreadProfile {
  readonly thread: string
  readonly durationMs: number
  /** Of that, how long it had nothing to do. */
  readonly idleMs: number
  readonly samples: number
}

/** What a worker tells: its threads, those that could not be sampled, and what they did, laid over each other. */
export interface WorkerProfile {
  readonly threads: readonly ThreadProfile[]
  readonly missing: readonly { readonly thread: string; readonly reason: string }[]
  readonly root: CallNode
}

/** What several workers told, as one. */
export interface JoinedProfile {
  readonly tree: CallNode
  readonly threads: readonly ({ readonly worker: string } & ThreadProfile)[]
  readonly missing: readonly { readonly worker: string; readonly thread: string; readonly reason: string }[]
}

/** Lays the trees of all over each other, and keeps as many nodes as can be shown. */
export function joinProfiles(
  told: readonly { readonly worker: string; readonly taken: WorkerProfile }[],
): JoinedProfile {
  const tree = emptyTree()
  for (const { taken } of told) mergeInto(tree, taken.root)
  prune(tree, MAX_PROFILE_NODES)
  return {
    tree,
    threads: told.flatMap(({ worker, taken }) => taken.threads.map((thread) => ({ worker, ...thread }))),
    missing: told.flatMap(({ worker, taken }) => taken.missing.map((each) => ({ worker, ...each }))),
  }
}
