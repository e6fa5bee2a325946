/**
 * The errors of heddle. Each has a stable code, one sentence that names the thing and says what to do, and a subclass
 * only where a caller would want to catch it. docs/errors.md has a heading for each code.
 */

export const ERROR_CODES = [
  'ERR_HEDDLE_AUTHENTICATION',
  'ERR_HEDDLE_CLOSED',
  'ERR_HEDDLE_CONNECTION_LOST',
  'ERR_HEDDLE_FATAL',
  'ERR_HEDDLE_FUNCTION_NOT_PORTABLE',
  'ERR_HEDDLE_GRAPH',
  'ERR_HEDDLE_INPUT_CHANGED',
  'ERR_HEDDLE_INVALID_OPTION',
  'ERR_HEDDLE_KEY_CONFLICT',
  'ERR_HEDDLE_LIMIT_CONFLICT',
  'ERR_HEDDLE_MODULE',
  'ERR_HEDDLE_NAME_IN_USE',
  'ERR_HEDDLE_NOT_SERIALIZABLE',
  'ERR_HEDDLE_NO_DATASET',
  'ERR_HEDDLE_OUTSIDE_TASK',
  'ERR_HEDDLE_OUT_OF_MEMORY',
  'ERR_HEDDLE_PORT_IN_USE',
  'ERR_HEDDLE_PROTOCOL',
  'ERR_HEDDLE_QUEUE_FULL',
  'ERR_HEDDLE_QUEUE_TIMEOUT',
  'ERR_HEDDLE_RELEASED',
  'ERR_HEDDLE_REMOTE_CODE',
  'ERR_HEDDLE_RETRY_FILTER',
  'ERR_HEDDLE_SCHEDULER_UNREACHABLE',
  'ERR_HEDDLE_SIMULATION',
  'ERR_HEDDLE_STATE_DAMAGED',
  'ERR_HEDDLE_STATE_IN_USE',
  'ERR_HEDDLE_STREAM_BROKEN',
  'ERR_HEDDLE_TASK_CANCELLED',
  'ERR_HEDDLE_TASK_EXITED',
  'ERR_HEDDLE_TASK_TIMEOUT',
  'ERR_HEDDLE_TIMEOUT',
  'ERR_HEDDLE_UNKNOWN_KEY',
  'ERR_HEDDLE_UNSATISFIABLE',
  'ERR_HEDDLE_VERSION_MISMATCH',
  'ERR_HEDDLE_WORKER_LOST',
  'ERR_HEDDLE_WRONG_OUTPUTS',
] as const
/** What tells errors apart, for programs. It never changes its meaning. */
export type ErrorCode = (typeof ERROR_CODES)[number]

/** What an error knows beside its code and message. */
export interface HeddleErrorOptions {
  /** The error that came first. */
  readonly cause?: unknown
  /** May the same call succeed if it is repeated? Read by retry code, never guessed from the text. */
  readonly retryable?: boolean
}

/** The base of every error that heddle itself makes. A task's own error is thrown as itself. */
export class HeddleError extends Error {
  override readonly name: string = 'HeddleError'
  /** Stable, where the message may be reworded at any time. */
  readonly code: ErrorCode
  /** May the same call succeed if it is repeated? */
  readonly retryable: boolean

  constructor(code: ErrorCode, message: string, options: HeddleErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
  }
}

/** A function cannot travel as source: it uses a name from its surroundings, is native, or is bound. */
export class FunctionNotPortableError extends HeddleError {
  override readonly name = 'FunctionNotPortableError'
  constructor(message: string, options?: HeddleErrorOptions) {
    super('ERR_HEDDLE_FUNCTION_NOT_PORTABLE', message, options)
  }
}

/** A value cannot travel; `path` says where in the value it sits, as in `args[1].rows[0].parser`. */
export class NotSerializableError extends HeddleError {
  override readonly name = 'NotSerializableError'
  /** As in `args[1].rows[0].parser`. */
  readonly path: string
  constructor(path: string, message: string, options?: HeddleErrorOptions) {
    super('ERR_HEDDLE_NOT_SERIALIZABLE', message, options)
    this.path = path
  }
}

/** The task was cancelled, or nobody wanted it any more. Its `name` is `AbortError`, as of any aborted work in JavaScript. */
export class TaskCancelledError extends HeddleError {
  override readonly name = 'AbortError'
  constructor(message: string, options?: HeddleErrorOptions) {
    super('ERR_HEDDLE_TASK_CANCELLED', message, options)
  }
}

/**
 * The task ran longer than its `timeoutMs`, and was stopped; or it was not started within its `queueTimeoutMs`, and then
 * `code` is `ERR_HEDDLE_QUEUE_TIMEOUT`.
 */
export class TaskTimeoutError extends HeddleError {
  override readonly name = 'TaskTimeoutError'
  constructor(
    message: string,
    options?: HeddleErrorOptions,
    code: 'ERR_HEDDLE_TASK_TIMEOUT' | 'ERR_HEDDLE_QUEUE_TIMEOUT' = 'ERR_HEDDLE_TASK_TIMEOUT',
  ) {
    super(code, message, options)
  }
}

/** No worker of the cluster could take the task within its `queueTimeoutMs`. */
export class UnsatisfiableError extends HeddleError {
  override readonly name = 'UnsatisfiableError'
  constructor(message: string, options?: HeddleErrorOptions) {
    super('ERR_HEDDLE_UNSATISFIABLE', message, options)
  }
}

/** How a worker process ended, as far as its nanny saw that. */
export interface PostMortem {
  /** Nothing when a signal ended it, or when nobody saw how it ended. */
  readonly exitCode?: number
  /** As in `SIGKILL`; nothing when none ended it, or when nobody saw how it ended. */
  readonly signal?: string
  /** The most memory that it was seen to take, in bytes; it is looked at once a second. Nothing when it ended before that. */
  readonly peakMemoryBytes?: number
  /** The last lines that it and its tasks logged, the oldest first: 20 at most, of 500 characters each. Default: none. */
  readonly lastLogLines?: readonly string[]
}

/**
 * The workers that ran the task died, more often than the task is allowed to be blamed for; or all copies of a value are gone
 * that nobody can make again. It says how the last of the workers ended, as far as that is known.
 *
 * @example
 * ```ts
 * import { connect, WorkerLostError } from 'heddle'
 *
 * await using client = await connect()
 * const deadly = client.with({ allowedFailures: 1 }).submit(() => process.kill(process.pid, 'SIGKILL'))
 * const error = await deadly.error()
 * console.log(error instanceof WorkerLostError && error.signal) // => SIGKILL
 * ```
 */
export class WorkerLostError extends HeddleError implements PostMortem {
  override readonly name = 'WorkerLostError'
  /** Of the last worker, unless a signal ended it or nobody saw how it ended. */
  readonly exitCode?: number
  /** Which signal ended it, as in `SIGKILL`. */
  readonly signal?: string
  /** The most memory that it was seen to take, in bytes. */
  readonly peakMemoryBytes?: number
  /** The last lines that it and its tasks logged, the oldest first; empty when nobody has them. */
  readonly lastLogLines: readonly string[]
  constructor(
    message: string,
    { exitCode, signal, peakMemoryBytes, lastLogLines = [], ...options }: HeddleErrorOptions & PostMortem = {},
  ) {
    super('ERR_HEDDLE_WORKER_LOST', message, options)
    if (exitCode !== undefined) this.exitCode = exitCode
    if (signal !== undefined) this.signal = signal
    if (peakMemoryBytes !== undefined) this.peakMemoryBytes = peakMemoryBytes
    this.lastLogLines = lastLogLines
  }
}

/** The task used more memory than its thread or its worker has. */
export class OutOfMemoryError extends HeddleError {
  override readonly name = 'OutOfMemoryError'
  constructor(message: string, options?: HeddleErrorOptions) {
    super('ERR_HEDDLE_OUT_OF_MEMORY', message, options)
  }
}

/** The token is missing or wrong. */
export class AuthenticationError extends HeddleError {
  override readonly name = 'AuthenticationError'
  constructor(message: string, options?: HeddleErrorOptions) {
    super('ERR_HEDDLE_AUTHENTICATION', message, options)
  }
}

/** The two ends of a connection have no version of the protocol in common. */
export class VersionMismatchError extends HeddleError {
  override readonly name = 'VersionMismatchError'
  constructor(message: string, options?: HeddleErrorOptions) {
    super('ERR_HEDDLE_VERSION_MISMATCH', message, options)
  }
}

/** Nothing answers at the scheduler's address, or the connection to it ended. */
export class SchedulerUnreachableError extends HeddleError {
  override readonly name = 'SchedulerUnreachableError'
  constructor(message: string, options?: HeddleErrorOptions) {
    super('ERR_HEDDLE_SCHEDULER_UNREACHABLE', message, { retryable: true, ...options })
  }
}

/** A graph has a cycle, or names a key that is not there. */
export class GraphError extends HeddleError {
  override readonly name = 'GraphError'
  constructor(message: string, options?: HeddleErrorOptions) {
    super('ERR_HEDDLE_GRAPH', message, options)
  }
}

/** A caller waited longer than it wanted to. The task itself goes on. */
export class TimeoutError extends HeddleError {
  override readonly name = 'TimeoutError'
  constructor(message: string, options?: HeddleErrorOptions) {
    super('ERR_HEDDLE_TIMEOUT', message, options)
  }
}

/** A task throws it to say that trying again is no use. */
export class FatalError extends HeddleError {
  override readonly name = 'FatalError'
  constructor(message: string, options?: HeddleErrorOptions) {
    super('ERR_HEDDLE_FATAL', message, options)
  }
}

/** The peer broke the protocol. The session that parsed its frame closes the connection with this reason. */
export class ProtocolError extends HeddleError {
  override readonly name = 'ProtocolError'
  /** Which end of the connection has the bug: the one that throws this, or its peer. */
  readonly fault: 'ours' | 'theirs'
  constructor(fault: 'ours' | 'theirs', message: string) {
    super('ERR_HEDDLE_PROTOCOL', message)
    this.fault = fault
  }
}
