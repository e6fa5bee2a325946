/** What the worker's core asks its shell to do. The shell obeys with one `switch` and decides nothing. */
import type { Packed } from '../../common/packed.js'
import type { Attempt, TaskId, WorkerId } from '../../protocol/ids.js'
import type { StopCause } from './stopping.js'
import type { DefineCode, FailureRecord } from '../../protocol/messages/common.js'
import type { TakeProfile } from '../../protocol/messages/profile.js'
import type { Tell } from '../../protocol/messages/report.js'
import type { WorkerToScheduler, WorkerTemplate } from '../../protocol/messages/worker.js'

/** One task of a batch, with all that a thread needs to run it. Its inputs are in the value store. */
export interface BatchTask {
  readonly task: TaskId
  readonly attempt: Attempt
  /** Which of the starts of the task this is: attempts that came to nothing before they started do not count. */
  readonly start: number
  readonly template: WorkerTemplate
  /** Higher first, as of `urgencyOf`. */
  readonly priority: number
  /** Others of its priority go before it, and it may be told of with what takes so long in a row; 0 if it can't wait. */
  readonly patienceUs: number
  /** The explicit key, or `undefined` for the generated one. */
  readonly key: string | undefined
  /** Encoded arguments: entry `place` of `args`. */
  readonly args: Packed
  readonly place: number
  /** Its own inputs, then those of its template's constants. */
  readonly inputs: readonly TaskId[]
  /** Those of them that failed, of a task that takes errors in their place, if there are some. They have no value here. */
  readonly failures?: ReadonlyMap<TaskId, FailureRecord>
}

/** A file of the worker's own numbering, and the value in it. */
export interface SpilledFile {
  readonly task: TaskId
  readonly file: number
}

/** Tasks that a thread runs one after another. */
interface InBatch {
  readonly thread: number
  readonly tasks: readonly BatchTask[]
  /** Tasks that make inputs of later ones: these have the values in the thread. */
  readonly makers: ReadonlySet<TaskId> | undefined
  /** Places of tasks behind which the thread is to ring, counted from the first of the batch. */
  readonly wanted: readonly number[] | undefined
}

export type WorkerInstruction =
  | { readonly type: 'send'; readonly message: WorkerToScheduler }
  /** Keep this code where threads can load it. Comes before the first batch that needs it. */
  | { readonly type: 'store-code'; readonly define: DefineCode }
  /** Hold copies of these in the value store: entry `i` is that of `tasks[i]`. Comes before the first batch that needs them. */
  | { readonly type: 'store-values'; readonly tasks: readonly TaskId[]; readonly values: Packed }
  /**
   * Give the thread these tasks to run one after another. If they may take much memory, the batch is to end only when the
   * thread has collected what they leave.
   */
  | (InBatch & {
      readonly type: 'run-batch'
      readonly isLarge: boolean
      /** All of it can be told together, when it has ended. */
      readonly isPatient: boolean
      /** More may be added while it runs. */
      readonly mayGrow: boolean
    })
  /**
   * Add these to the batch that the thread runs, behind the others. If they come too late they are unstarted when that ends. `makers` may be
   * among the others.
   */
  | ({ readonly type: 'extend-batch' } & InBatch)
  /** See what the thread's batch has done, and have it ring behind each task from now on. */
  | { readonly type: 'hurry-batch'; readonly thread: number }
  /** Run this task beside those of the threads, among others; what comes of it names its slot as `thread`. */
  | { readonly type: 'run-io-task'; readonly slot: number; readonly task: BatchTask }
  /** Tell the task of this slot to end, if it listens; answered by `stop-asked`. */
  | { readonly type: 'ask-io-to-stop'; readonly slot: number; readonly cause: StopCause }
  /** Keep the thread from starting more of its batch; answered by `batch-cut`. */
  | { readonly type: 'take-back'; readonly thread: number }
  /** Tell the task at `place` of the thread's batch to end, and why, if it listens; answered by `stop-asked`. */
  | { readonly type: 'ask-to-stop'; readonly thread: number; readonly place: number; readonly cause: StopCause }
  /** See how long the task at `place` of the thread's batch has run; answered by `run-looked-at`. */
  | { readonly type: 'look-at-run'; readonly thread: number; readonly place: number }
  /** End the thread, whatever it does; answered by `thread-exited`, unless its batch ended just before. */
  | { readonly type: 'terminate'; readonly thread: number }
  /** Tell a stream how many of its values were taken. */
  | { readonly type: 'tell-taken'; readonly task: TaskId; readonly attempt: Attempt; readonly taken: number }
  /** Tell a task that is lent to end. */
  | { readonly type: 'ask-lent-to-stop'; readonly task: TaskId; readonly attempt: Attempt; readonly cause: StopCause }
  /** End the thread of a task that is lent; answered by `lent-lost`, for all that are lent there. */
  | { readonly type: 'terminate-lent'; readonly task: TaskId; readonly attempt: Attempt }
  /** End this process once what was sent has left: a thread can't be terminated. */
  | { readonly type: 'abort'; readonly reason: string }
  /** Get values from a peer; answered, in parts, by `values-fetched`, `values-missing` and `values-unreachable`. */
  | {
      readonly type: 'fetch'
      readonly holder: WorkerId
      readonly address: string
      readonly tasks: readonly TaskId[]
      /** They are still to be made there: how many tasks the peer was sent with the makers. Large ones: `values-located`. */
      readonly after?: number
    }
  /** As `fetch`, by way of the scheduler; answered by `values-fetched` and `values-missing` only. */
  | { readonly type: 'fetch-by-relay'; readonly holder: WorkerId; readonly tasks: readonly TaskId[] }
  /**
   * Give whoever asked this question those that are `settled`, as far as they are in the value store, and sizes of others. The
   * last one of a question comes once nothing more is owed.
   */
  | {
      readonly type: 'answer-await'
      readonly question: number
      readonly settled: readonly TaskId[]
      readonly located: readonly TaskId[]
      readonly sizes: readonly number[]
      readonly isLast: boolean
    }
  /** Drop these from the value store. */
  | { readonly type: 'drop'; readonly tasks: readonly TaskId[] }
  /** Write the value to this file in the background; answered by `value-spilled` or `spill-failed`. */
  | { readonly type: 'spill'; readonly task: TaskId; readonly file: number }
  /** Give up the memory of a value that was spilled, unless the store got another copy of it since. */
  | { readonly type: 'evict'; readonly task: TaskId; readonly file: number }
  /** Read the value back into the value store; answered by `value-loaded` or `value-unreadable`. */
  | { readonly type: 'load'; readonly task: TaskId; readonly file: number }
  /** Nobody needs these spill files any more. */
  | { readonly type: 'discard-files'; readonly files: readonly SpilledFile[] }
  /** Enough was dropped that all threads should collect their garbage: only then is shared memory given back. */
  | { readonly type: 'collect' }
  /** Values can't be spilled: whoever runs the worker should know. */
  | { readonly type: 'tell-disk-full'; readonly reason: string }
  /** The scheduler broke the protocol: close the connection to it with this reason, and dial again. */
  | { readonly type: 'hang-up'; readonly reason: string }
  /** Tell the scheduler, by `told`, what somebody wants to know. */
  | Tell
  /** Answered by `told`, when the samples are taken. */
  | TakeProfile
  /** End this process, whatever its threads do: somebody starts it again. */
  | { readonly type: 'restart' }
  /** Everything is done and said: close; for want of memory, if there is a reason. */
  | { readonly type: 'close'; readonly reason: string | undefined }
