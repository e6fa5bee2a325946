/** What a thread gets when it starts, and what it tells the main thread, each in a message of its own. */
import type { MessagePort } from 'node:worker_threads'
import type { TaskId } from '../../protocol/ids.js'
import type { TaskRoute } from '../../client/in-task.js'
import type { TaskOutcome } from './batch.js'
import type { HeapRule } from './heap-watch.js'

export type LogLevel = 'info' | 'warn' | 'error'

export type ThreadMessage =
  /** The lane of this slot has outcomes that were not read yet. */
  | { readonly type: 'doorbell'; readonly thread: number }
  /** The next value of a stream, encoded. */
  | {
      readonly type: 'chunk'
      readonly task: TaskId
      readonly attempt: number
      readonly index: number
      readonly value: Uint8Array
    }
  /** How much of a task is done, from 0 to 1, and what it does. */
  | {
      readonly type: 'report'
      readonly task: TaskId
      readonly attempt: number
      readonly fraction: number
      readonly note: string
    }
  /** A task that is lent goes on, or waits again. It was lent by a batch of slot `thread`. */
  | {
      readonly type: 'awaits'
      readonly thread: number
      readonly task: TaskId
      readonly attempt: number
      readonly isAwaiting: boolean
    }
  /** What a task that is lent waits for won't come: it is to start again. */
  | { readonly type: 'orphaned'; readonly thread: number; readonly task: TaskId; readonly attempt: number }
  /** A task that is lent has ended. */
  | {
      readonly type: 'ended'
      readonly thread: number
      readonly task: TaskId
      readonly attempt: number
      readonly outcome: TaskOutcome
    }
  /** What a task printed, or an error that no task was there to take. `task` is a key; it is missing outside tasks. */
  | { readonly type: 'log'; readonly level: LogLevel; readonly task: string | undefined; readonly text: string }

/** How the clients of tasks reach the cluster. */
export interface ThreadRoute {
  readonly address: string
  readonly token: string | undefined
  readonly tls: TaskRoute['tls']
  /** The memory of an `ArrayIds`. */
  readonly arrayIds: SharedArrayBuffer
}

/** What a thread is started with. */
export interface ThreadData {
  /** The worker's name. */
  readonly worker: string
  readonly lanes: readonly SharedArrayBuffer[]
  /** The memory of a `CollectionCount`. */
  readonly collections: SharedArrayBuffer
  /** How the tasks of this worker reach its scheduler, if they may submit tasks. */
  readonly scheduler: ThreadRoute | undefined
  /** When its heap is high for too long. */
  readonly heap: HeapRule
  /** Name of the broadcast channel on which tasks are told to stop. */
  readonly stopChannel: string
  /** And on which streams hear what was taken of them. */
  readonly takenChannel: string
}

/** Said once: the thread's own code is loaded. `threadId` is Node's. Between the thread and its pool only. */
export interface ThreadStarted {
  readonly type: 'started'
  readonly threadId: number
  /** Where it looks for what is added to its batch. */
  readonly additions: MessagePort
}
