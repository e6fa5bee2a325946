/** What goes to a thread and what comes back: a batch of tasks in columns, so that a thousand tasks cost one message. */
import type { Packed } from '../../common/packed.js'
import type { TaskRoute } from '../../client/in-task.js'
import type { CodeHash, TaskId } from '../../protocol/ids.js'
import type { FailureRecord } from '../../protocol/messages/common.js'
import type { RunParts } from '../core/events.js'
import type { TaskFunction } from './code.js'
import type { ThreadMessage } from './thread-message.js'
import type { OutcomeKind } from './lane.js'

/** Where a thread finds a function. */
export interface FunctionPlace {
  readonly name: string
  readonly code: CodeHash
  /** File URL of the code. */
  readonly url: string
  readonly exportName: string
}

/** A function as a thread sees it. */
export interface ThreadTemplate extends FunctionPlace {
  /** Encoded array of constants behind each task's own arguments; empty for none. */
  readonly constants: Uint8Array
  /** How many of a task's last inputs belong to the constants. */
  readonly constantInputCount: number
  /** Of `urgencyOf`. */
  readonly urgency: number
  /** How many values a task gives, as an array; 0 when its result is one value. */
  readonly outputs: number
  /** Its tasks give their values one by one. */
  readonly isStream: boolean
  /** How long one run may take; 0 for as long as it takes. Then nobody needs to know when it began. */
  readonly timeoutMs: number
  /** The function that decides whether an error may be followed by another try. */
  readonly retryFilter: FunctionPlace | undefined
}

/** Where batches run: a thread, or the thread of an inline cluster. */
export interface BatchHost {
  /** Node's number of the thread. */
  readonly threadId: number
  /** The lanes of all slots. */
  readonly lanes: readonly SharedArrayBuffer[]
  /** Gives the function of a template, or throws what its tasks fail with. */
  readonly loadFunction: (place: FunctionPlace) => TaskFunction | Promise<TaskFunction>
  /** Tells the main thread. */
  readonly tell: (message: ThreadMessage) => void
  /** What was added to a batch behind these tasks of it, if anything was. */
  readonly takeAdded: (behind: BatchRequest) => BatchRequest | undefined
  /** How the clients of tasks reach the cluster; `undefined` where tasks can't submit tasks. */
  readonly route: TaskRoute | undefined
}

/** Columns are plain arrays: for the few tasks of most batches, typed ones would cost more to send than all the rest. */
export interface BatchRequest {
  /** The slot that runs it: says which lane is its, and what the thread posts while it runs carries this number. */
  readonly thread: number
  /** What is added to the batch while it runs carries this number, too. `undefined`: nothing is added. */
  readonly number: number | undefined
  /**
   * The place of its first task: of what is added, behind the others. All other places in here but those of `wanted`, and of the makers in
   * `madeInputs`, are counted from that one.
   */
  readonly first: number
  /** The worker's name, for `task.worker`. */
  readonly worker: string
  /** Its tasks may take much memory: what they leave is collected before the thread is free again. */
  readonly isLarge: boolean
  readonly templates: readonly ThreadTemplate[]
  /** For each task, its template's place in `templates`. */
  readonly templateOf: readonly number[]
  readonly taskIds: readonly TaskId[]
  readonly attempts: readonly number[]
  /** Which of the starts of a task this is, by place, where some attempts before never started. */
  readonly starts: ReadonlyMap<number, number> | undefined
  /** Explicit keys by place in the batch. */
  readonly keys: ReadonlyMap<number, string>
  readonly args: Packed
  /** For each task the count of its inputs, which follow each other in `inputs`; empty when no task has any. */
  readonly inputCounts: readonly number[]
  /** Places in `inputValues`. */
  readonly inputs: readonly number[]
  /** Small inputs, encoded. */
  readonly inputValues: Packed
  /** Large inputs in shared memory, by place in `inputValues` (where the entry is empty). */
  readonly sharedInputs: ReadonlyMap<number, Uint8Array>
  /** Why inputs failed, of tasks that take errors in their place, by place in `inputValues` (where the entry is empty). */
  readonly failedInputs: ReadonlyMap<number, FailureRecord> | undefined
  /**
   * Inputs that an earlier task of the batch makes: its place, by place in `inputValues` (where the entry is empty). It is counted from the
   * first task of all, for that may be among those that were there before.
   */
  readonly madeInputs: ReadonlyMap<number, number> | undefined
  /** Places, in the whole batch, of tasks whose outcomes the main thread is told of at once: of the last of all, if more is added. */
  readonly wanted: readonly number[] | undefined
  /** It is told of no other before the batch has ended, but of errors. */
  readonly isPatient: boolean
}

/** How one task ended, where that does not go into a lane: the value, the outputs or the error, encoded. */
export interface TaskOutcome {
  readonly place: number
  readonly kind: OutcomeKind
  readonly durationUs: number
  /** One, unless the task has several outputs. */
  readonly values: readonly Uint8Array[]
  readonly parts?: RunParts | undefined
}

/** The thread is free again. What is too large for the lane ends the batch early and comes along here. */
export interface BatchReply {
  readonly large: TaskOutcome | undefined
}
