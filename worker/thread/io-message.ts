/** What the thread for tasks without a thread of their own is told, and what it tells. Tasks are known by their slots. */
import type { StopCause } from '../core/stopping.js'
import type { BatchRequest, TaskOutcome } from './batch.js'
import type { ThreadData, ThreadMessage } from './thread-message.js'

/** What the thread is started with. */
export type IoThreadData = Pick<ThreadData, 'worker' | 'scheduler' | 'takenChannel'>

export type ToIoThread =
  /** Run this task, a batch of it alone. Answered by `ended`. */
  | { readonly type: 'run'; readonly request: BatchRequest }
  /** Abort the signal of the slot's task. */
  | { readonly type: 'stop'; readonly slot: number; readonly cause: StopCause }
  | { readonly type: 'collect' }
  /** No task runs any more, and none comes: what they keep of this worker is given back. Answered by `disposed`. */
  | { readonly type: 'dispose'; readonly worker: string }

export type FromIoThread =
  /** Said first: the thread's own code is loaded. */
  | { readonly type: 'started' }
  | {
      readonly type: 'ended'
      readonly slot: number
      /** None: what it waits for won't come, and it is to start again. */
      readonly outcome: TaskOutcome | undefined
      /** So much code is loaded that another thread should take the tasks to come. */
      readonly isWornOut: boolean
    }
  /** The task has taken its signal. */
  | { readonly type: 'listening'; readonly slot: number }
  | { readonly type: 'disposed' }
  /** The task ends the thread. */
  | { readonly type: 'exiting'; readonly slot: number }
  | (ThreadMessage & { readonly type: 'log' | 'chunk' | 'report' })
