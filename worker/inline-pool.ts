/**
 * A pool without threads: tasks run in the thread that made it, in between what that thread does. For `inline:`
 * clusters, where a breakpoint in the caller's own function must be hit.
 */
import { HeddleError } from '../protocol/errors.js'
import type { CodeHash } from '../protocol/ids.js'
import type { BatchEnd, PoolHost, ThreadPool } from './thread-pool.js'
import type { BatchRequest, FunctionPlace } from './thread/batch.js'
import { loadFunction, type TaskFunction } from './thread/code.js'
import { disposeLocals } from './thread/locals.js'
import { runBatch } from './thread/run-batch.js'
import { onStopCall, type StopCall } from './thread/task-signal.js'

export interface InlinePoolOptions {
  readonly host: PoolHost
  /** The caller's own function of this code, if it is one; other code is loaded as in a thread. */
  readonly functionOf: (code: CodeHash) => TaskFunction | undefined
}

export class InlinePool implements ThreadPool {
  /** Code that runs in this thread cannot be stopped from this thread. */
  readonly canTerminate = false
  readonly #options: InlinePoolOptions
  #isClosed = false

  constructor(options: InlinePoolOptions) {
    this.#options = options
  }

  async run(batch: BatchRequest): Promise<BatchEnd> {
    // What is to be sent in this turn leaves first: a task may take long.
    await new Promise((resolve) => setImmediate(resolve))
    if (this.#isClosed) return { type: 'exited', exitCode: 0, reason: 'its worker was closed' }
    const { lanes, onMessage } = this.#options.host
    const reply = await runBatch(batch, {
      lanes,
      loadFunction: (template) => this.#load(template),
      ringDoorbell: (thread) => onMessage({ type: 'doorbell', thread }),
    })
    return { type: 'replied', reply }
  }

  tellToStop(call: StopCall): void {
    onStopCall(call)
  }

  terminate(): never {
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', 'A task of an inline: cluster cannot be stopped; use threads.')
  }

  /** The caller's thread is the only one, and its memory the caller's business. */
  collect(): void {}

  async close(): Promise<void> {
    this.#isClosed = true
    const { worker, onMessage } = this.#options.host
    await disposeLocals(worker, (text) => onMessage({ type: 'log', level: 'error', task: undefined, text }))
  }

  #load({ code, url, exportName }: FunctionPlace): TaskFunction | Promise<TaskFunction> {
    return this.#options.functionOf(code) ?? loadFunction(url, exportName)
  }
}
