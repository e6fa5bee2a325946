/** What can happen to a worker, as its core sees it. Each event carries the time; the core has no clock. */
import type { Packed } from '../../common/packed.js'
import type { Attempt, CodeHash, TaskId, WorkerId } from '../../protocol/ids.js'
import type { FromSwitch } from '../../protocol/messages/relay.js'
import type { SchedulerToWorker } from '../../protocol/messages/worker.js'

/**
 * Tasks of the batch that a thread runs have ended, in columns. `places` are their places in the batch. `values` has an
 * entry for each: the encoded value if that is at most `MAX_INLINE_RESULT_BYTES`, else nothing; an encoded error always.
 *
 * A task with n outputs that did not throw has n entries, one for each output, which follow each other in one event.
 */
export interface Outcomes {
  readonly places: readonly number[]
  /** Which of `places` (by position) threw, usually none, and whether the task may be tried again after that error. */
  readonly threw: ReadonlyMap<number, 'may-retry' | 'final'>
  readonly durationsUs: readonly number[]
  /** Encoded sizes of values and errors. */
  readonly sizes: readonly number[]
  readonly values: Packed
  /** By place, of long runs: for people who look, and nothing is decided by it. */
  readonly parts?: ReadonlyMap<number, RunParts> | undefined
}

/** What of a run went into taking its arguments and inputs apart, and into encoding what it gave. The rest is its function's. */
export interface RunParts {
  readonly decodeUs: number
  readonly encodeUs: number
}

/** Messages about relays are the business of the shell's link, and those about who looks that of the shell. */
export type Heard = Exclude<SchedulerToWorker, FromSwitch | { readonly type: 'watch' | 'tell-of-task' }>

export type WorkerEvent = { readonly nowMs: number } &
  /** What the scheduler says, in order, `joined` first. */
  (
    | { readonly type: 'scheduler-message'; readonly message: Heard }
    /** The connection to the scheduler is gone; the shell dials again by itself. */
    | { readonly type: 'scheduler-lost' }
    /** Tasks of the batch that `thread` runs. Their values, but not their errors, are in the value store already. */
    | { readonly type: 'tasks-ended'; readonly thread: number; readonly outcomes: Outcomes }
    /** The next value of a task that is a stream. */
    | {
        readonly type: 'stream-chunk'
        readonly task: TaskId
        readonly attempt: Attempt
        readonly index: number
        readonly value: Uint8Array
      }
    /** A task that runs said how much of it is done, from 0 to 1, and what it does. */
    | {
        readonly type: 'task-reported'
        readonly task: TaskId
        readonly attempt: Attempt
        readonly fraction: number
        readonly note: string
      }
    /**
     * The task at `place` waits for tasks that it submitted: it is lent from here on, and its batch ends. One with a time-out
     * has run for `ranMs`.
     */
    | {
        readonly type: 'task-lent'
        readonly thread: number
        readonly place: number
        readonly ranMs: number | undefined
        readonly canTerminate: boolean
      }
    /** A task that is lent goes on, or waits again. */
    | { readonly type: 'lent-awaits'; readonly task: TaskId; readonly attempt: Attempt; readonly isAwaiting: boolean }
    /** What a task that is lent waits for won't come, as its client has lost the scheduler. */
    | { readonly type: 'lent-orphaned'; readonly task: TaskId; readonly attempt: Attempt }
    /** A task that is lent has ended. Columns as of `tasks-ended`, with places 0. */
    | { readonly type: 'lent-ended'; readonly task: TaskId; readonly attempt: Attempt; readonly outcomes: Outcomes }
    /** A thread is gone with the tasks that were lent there. The culprit, if there is one, is the first. */
    | {
        readonly type: 'lent-lost'
        readonly tasks: readonly { readonly task: TaskId; readonly attempt: Attempt }[]
        readonly hasCulprit: boolean
        readonly exitCode: number
        readonly reason: string
        /** Its heap was full. */
        readonly isOutOfMemory: boolean
      }
    /** The thread is free. Tasks of its batch from place `firstUnstarted` on were not started; those before have ended. */
    | { readonly type: 'batch-ended'; readonly thread: number; readonly firstUnstarted: number }
    /** Answers `take-back`: tasks of the batch from `firstUnstarted` on will not be started by the thread. */
    | { readonly type: 'batch-cut'; readonly thread: number; readonly firstUnstarted: number }
    /** The thread died while it ran the task at place `culprit`; a fresh thread has taken its slot. */
    | {
        readonly type: 'thread-exited'
        readonly thread: number
        readonly culprit: number | undefined
        readonly firstUnstarted: number
        readonly exitCode: number
        readonly reason: string
        /** Its heap was full. */
        readonly isOutOfMemory: boolean
      }
    /** Answers `ask-to-stop`: was the task told, and could its thread be terminated? What ended before has been said. */
    | {
        readonly type: 'stop-asked'
        readonly thread: number
        readonly wasTold: boolean
        readonly canTerminate: boolean
      }
    /** Answers `look-at-run`: how long the task has run, or nothing if it has not begun. What ended before has been said. */
    | { readonly type: 'run-looked-at'; readonly thread: number; readonly ranMs: number | undefined }
    /** Values from a peer are in the value store. */
    | {
        readonly type: 'values-fetched'
        readonly holder: WorkerId
        readonly tasks: readonly TaskId[]
        readonly sizes: readonly number[]
      }
    /** A client put a value of its own into the value store. */
    | { readonly type: 'value-put'; readonly task: TaskId; readonly sizeBytes: number }
    /** The peer does not hold these, or could not be reached by a relay either. */
    | { readonly type: 'values-missing'; readonly holder: WorkerId; readonly tasks: readonly TaskId[] }
    /** The peer has these, which were awaited; they are large. */
    | {
        readonly type: 'values-located'
        readonly holder: WorkerId
        readonly tasks: readonly TaskId[]
        readonly sizes: readonly number[]
      }
    /** A peer awaits values that are to be made here, as of `await-values`; answered by `answer-await`. */
    | {
        readonly type: 'values-awaited'
        readonly question: number
        readonly tasks: readonly TaskId[]
        readonly worker: WorkerId
        readonly after: number
      }
    /** Nobody waits for the answers to this question any more. */
    | { readonly type: 'await-ended'; readonly question: number }
    /** The peer could not be reached at its address, or the connection to it broke. */
    | { readonly type: 'values-unreachable'; readonly holder: WorkerId; readonly tasks: readonly TaskId[] }
    /** The value is in its file, and in memory still. */
    | { readonly type: 'value-spilled'; readonly task: TaskId; readonly file: number }
    /** The file could not be written: the disk is full, or broken. */
    | { readonly type: 'spill-failed'; readonly task: TaskId; readonly file: number; readonly reason: string }
    /** A spilled value is in the value store again. */
    | { readonly type: 'value-loaded'; readonly task: TaskId; readonly file: number; readonly sizeBytes: number }
    /** A peer or a client was given a large value. */
    | { readonly type: 'value-served'; readonly task: TaskId }
    /** A spill file is not what was written, or was given up before it was read. */
    | { readonly type: 'value-unreadable'; readonly task: TaskId; readonly file: number }
    /** The code cannot be kept here; its tasks fail with `error` (encoded). */
    | { readonly type: 'code-refused'; readonly code: CodeHash; readonly error: Uint8Array }
    /** The worker was asked to go (SIGTERM). */
    | { readonly type: 'leave' }
    /** It is time for a heartbeat; the shell adds what it measured. */
    | { readonly type: 'pulse'; readonly memoryBytes: number; readonly cpuSeconds: number }
  )
