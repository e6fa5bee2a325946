/** What the scheduler's core asks its shell to do. The shell obeys with one `switch` and decides nothing. */
import type { ErrorCode } from '../../protocol/errors.js'
import type { ClientId, WorkerId } from '../../protocol/ids.js'
import type { SchedulerToClient } from '../../protocol/messages/client.js'
import type { SchedulerToWorker } from '../../protocol/messages/worker.js'
import type { Answer } from './views/inquiry.js'
import type { JournalRecord } from './durable/journal-record.js'
import type { OperatorAnswer } from './views/on-operator.js'

/** Who is at one end of a relay. */
export type MemberId =
  { readonly type: 'client'; readonly id: ClientId } | { readonly type: 'worker'; readonly id: WorkerId }

/** What a client is told once something is kept. */
export interface TellClient {
  readonly client: ClientId
  readonly message: SchedulerToClient
}

export type SchedulerInstruction =
  /** These must outlive the scheduler; once they do, clients are told. Comes before all that the turn tells anybody. */
  | { readonly type: 'keep'; readonly records: readonly JournalRecord[]; readonly tell: readonly TellClient[] }
  | { readonly type: 'to-client'; readonly client: ClientId; readonly message: SchedulerToClient }
  | { readonly type: 'to-worker'; readonly worker: WorkerId; readonly message: SchedulerToWorker }
  | { readonly type: 'close-client'; readonly client: ClientId; readonly code: ErrorCode; readonly reason: string }
  /** From now on frames of this relay go from each end to the other. */
  | { readonly type: 'connect-relay'; readonly relay: number; readonly asker: MemberId; readonly holder: WorkerId }
  /** Frames of this relay are dropped. */
  | { readonly type: 'cut-relay'; readonly relay: number }
  /** Ready tasks wait for what there isn't: a worker, or a limit. Told once. */
  | { readonly type: 'tell-blocked'; readonly reason: string }
  /** Scheduler and worker disagreed, which is a bug of ours; it is mended. */
  | { readonly type: 'tell-repaired'; readonly reason: string }
  /** Much of what there was is gone, and little is left: the memory that it took may come back. */
  | { readonly type: 'collect' }
  | { readonly type: 'answer-operator'; readonly request: number; readonly answer: OperatorAnswer }
  | { readonly type: 'answer-looker'; readonly request: number; readonly answer: Answer }
  | { readonly type: 'close-worker'; readonly worker: WorkerId; readonly code: ErrorCode; readonly reason: string }
