/**
 * The threads that tasks run in, as slots 0 to N-1. A slot takes one batch at a time; which thread serves it is the
 * pool's business.
 */
import type { StopCause } from './core/stopping.js'
import type { BatchReply, BatchRequest, TaskOutcome } from './thread/batch.js'
import type { HeapRule } from './thread/heap-watch.js'
import type { TakenCall } from './thread/stream.js'
import type { StopCall } from './thread/task-signal.js'
import type { ThreadMessage, ThreadRoute } from './thread/thread-message.js'

/** How a thread ended. */
export interface ThreadExit {
  readonly exitCode: number
  /** For people. */
  readonly reason: string
  /** Its heap was full. */
  readonly isOutOfMemory: boolean
}

/** What is asked of a pool that was closed. */
export const CLOSED: ThreadExit = Object.freeze({ exitCode: 0, reason: 'its worker was closed', isOutOfMemory: false })

/** How a batch ended: the slot's thread is free again, or it is gone and a fresh one has taken its place. */
export type BatchEnd =
  | { readonly type: 'replied'; readonly reply: BatchReply }
  | (ThreadExit & {
      readonly type: 'exited'
      readonly threadId: number
      /** Whoever owns the pool asked for it. */
      readonly wasTerminated: boolean
    })

/** How a task without a thread ended: as tasks do, or with the thread that it shared. */
export type IoEnd =
  | { readonly type: 'ended'; readonly outcome: TaskOutcome }
  /** What it waits for won't come, as its client has lost the scheduler: it is to start again. */
  | { readonly type: 'orphaned' }
  /** `isCulprit`: it ended the thread, or nobody knows who did. */
  | (ThreadExit & { readonly type: 'exited'; readonly isCulprit: boolean })

/** Where tasks run that take no thread: all at once, each in a slot of its own. */
export interface IoPool {
  /** Runs a batch of one task in the slot that it names. Never rejects. Its memory belongs to the pool now. */
  run(request: BatchRequest): Promise<IoEnd>
  /** Aborts the signal of the slot's task, if that listens; returns whether it does. */
  tellToStop(slot: number, cause: StopCause): boolean
}

/** Threads that tasks run in; or `this`, the one that the pool was made in. */
export type PoolThreads = readonly { readonly name: string; readonly threadId: number }[] | 'this'

export interface ThreadPool {
  readonly threads: PoolThreads
  readonly io: IoPool
  /** Runs a batch in the slot that it names, which must be free. Never rejects. Its memory belongs to the pool now. */
  run(batch: BatchRequest): Promise<BatchEnd>
  /** Adds to the batch that the slot runs. What comes too late is not run. Its memory belongs to the pool now. */
  extend(added: BatchRequest): void
  /** Can `terminate` be called? */
  readonly canTerminate: boolean
  /** Aborts the signal of a task, if that listens. */
  tellToStop(call: StopCall): void
  /** Tells a stream, in whichever slot it runs, how much of it was taken. */
  tellTaken(call: TakenCall): void
  /** Stops what the slot runs, even an endless loop: its batch ends with `exited`, once the thread is gone. */
  terminate(thread: number): void
  /** Ends the thread of this number, with what runs and what is lent there. */
  terminateThread(threadId: number): void
  /** Collects the garbage of all threads, of busy ones when they are free, so that shared memory comes back. */
  collect(): void
  /** Stops everything; threads that are idle first dispose of what tasks keep there. Resolves when all threads are gone. */
  close(): Promise<void>
}

/** Whose pool it is: gives the lanes, and hears of what happens in threads and to them. */
export interface PoolHost {
  /** The worker's name. */
  readonly worker: string
  /** One for each slot: where its batches leave their outcomes. */
  readonly lanes: readonly SharedArrayBuffer[]
  readonly onMessage: (message: ThreadMessage) => void
  /** What the heap of a thread may have; one whose heap stays high is replaced. */
  readonly heap: HeapRule
  /** How tasks that run here reach the scheduler. */
  readonly scheduler: ThreadRoute | undefined
  /** How many tasks are lent in the thread of this number, and how many of them go on. Others are given work first. */
  readonly lentIn: (threadId: number) => { readonly count: number; readonly resumed: number }
  /** A thread that has run batches, and runs none now, is gone. */
  readonly onThreadExit: (threadId: number, exit: ThreadExit) => void
  /** A thread failed outside any batch. A pool that has no thread left cannot get any: their start is what fails. */
  readonly onError: (error: unknown, threadsLeft: number) => void
}
