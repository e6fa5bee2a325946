/** What can happen to a scheduler, as its core sees it. Each event carries the time; the core has no clock. */
import type { ClientId, WorkerId } from '../../protocol/ids.js'
import type { ClientToScheduler } from '../../protocol/messages/client.js'
import type { Join, WorkerToScheduler } from '../../protocol/messages/worker.js'
import type { LookersQuestion } from './views/inquiry.js'
import type { OperatorAction } from './views/on-operator.js'

/** What goes through a relay, and what is for people who look, is passed on by the shell and never gets here. */
type Passed = 'relay-frame' | 'relay-taken' | 'runs' | 'logged'
export type HeardFromClient = Exclude<ClientToScheduler, { readonly type: Passed }>
export type HeardFromWorker = Exclude<WorkerToScheduler, { readonly type: Passed }>

export type SchedulerEvent = { readonly nowMs: number } &
  /** `session` is what a client shows that comes back; the client of tasks says which worker runs them, and won't. */
  (
    | {
        readonly type: 'client-joined'
        readonly client: ClientId
        readonly name: string
        readonly session?: string | undefined
        readonly tasksOf?: string | undefined
      }
    | { readonly type: 'client-message'; readonly client: ClientId; readonly message: HeardFromClient }
    /** `isFinal`: it said that it goes, so it will not come back. */
    | { readonly type: 'client-left'; readonly client: ClientId; readonly isFinal?: boolean }
    /** A worker's connection said `join`. The shell numbers connections; the core may refuse it by `close-worker`. */
    | { readonly type: 'worker-joined'; readonly worker: WorkerId; readonly join: Join }
    | { readonly type: 'worker-message'; readonly worker: WorkerId; readonly message: HeardFromWorker }
    /** Somebody who looks after the cluster asks; answered by `answer-operator` with the same number. */
    | {
        readonly type: 'operator-asked'
        readonly request: number
        readonly action: OperatorAction
        readonly target: string
      }
    /** Somebody who only looks asks workers; answered by `answer-looker` with the same number, once they have answered. */
    | { readonly type: 'looker-asked'; readonly request: number; readonly question: LookersQuestion }
    /** The worker's connection is gone, by itself or because the core asked for it. */
    | { readonly type: 'worker-left'; readonly worker: WorkerId; readonly reason: string }
    /** What must be kept can't be, for want of room; or it can again. */
    | { readonly type: 'journal-full'; readonly isFull: boolean }
  )
