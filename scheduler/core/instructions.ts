/** What the scheduler's core asks its shell to do. The shell obeys with one `switch` and decides nothing. */
import type { ErrorCode } from '../../protocol/errors.js'
import type { ClientId, WorkerId } from '../../protocol/ids.js'
import type { SchedulerToClient } from '../../protocol/messages/client.js'
import type { SchedulerToWorker } from '../../protocol/messages/worker.js'

export type SchedulerInstruction =
  | { readonly type: 'to-client'; readonly client: ClientId; readonly message: SchedulerToClient }
  | { readonly type: 'to-worker'; readonly worker: WorkerId; readonly message: SchedulerToWorker }
  | { readonly type: 'close-client'; readonly client: ClientId; readonly code: ErrorCode; readonly reason: string }
  | { readonly type: 'close-worker'; readonly worker: WorkerId; readonly code: ErrorCode; readonly reason: string }
