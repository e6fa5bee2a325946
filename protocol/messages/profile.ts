/** Profiles: samples of what the threads of workers do. */
import type { CallNode } from '../../common/call-tree.js'
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
