/** What the scheduler's core asks its shell to do. The shell obeys with one `switch` and decides nothing. */
import type { ErrorCode } from '../../protocol/errors.js'
import type { ClientId, WorkerId } from '../../protocol/ids.js'
import type { SchedulerToClient } from '../../protocol/messages/client.js'
import type { SchedulerToWorker } from '../../protocol/messages/worker.js'

/** Who is at one end of a relay. */
export type MemberId =
  { readonly type: 'client'; readonly id: ClientId } | { readonly type: 'worker'; readonly id: WorkerId }

export type SchedulerInstruction =
  | { readonly type: 'to-client'; readonly client: ClientId; readonly message: SchedulerToClient }
  | { readonly type: 'to-worker'; readonly worker: WorkerId; readonly message: SchedulerToWorker }
  | { readonly type: 'close-client'; readonly client: ClientId; readonly code: ErrorCode; readonly reason: string }
  /** From now on frames of this relay go from each end to the other. */
  | { readonly type: 'connect-relay'; readonly relay: number; readonly asker: MemberId; readonly holder: WorkerId }
  /** Frames of this relay are dropped. */
  | { readonly type: 'cut-relay'; readonly relay: number }
  /** Ready tasks wait for what there isn't: a worker, or a limit. Told once. */
  | { readonly type: 'tell-blocked'; readonly reason: string }
  | { readonly type: 'close-worker'; readonly worker: WorkerId; readonly code: ErrorCode; readonly reason: string }
