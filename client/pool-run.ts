/** One call of a pool: a promise that can be rejected before there is a task, and the task that can be stopped. */
import type { EventEmitter } from 'node:events'
import { cancelledError } from './failure.js'
import type { Future } from './future.js'
import { describe, invalidOption } from './options.js'

/** What emits `abort`: an AbortSignal, or an EventEmitter. */
export type Abortable = AbortSignal | EventEmitter

interface Settle<R> {
  readonly resolve: (value: R) => void
  readonly reject: (error: unknown) => void
}

export class PoolRun<R> {
  /** Settles as the task does, or is rejected when the run is aborted. */
  readonly outcome: Promise<R>
  readonly #settle: Settle<R>
  #leaveSignal: () => void = () => undefined
  #future: Future<R> | undefined
  #isAborted = false

  /** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` when the signal is none. */
  constructor(signal: Abortable | undefined) {
    let settle: Settle<R> | undefined
    this.outcome = new Promise((resolve, reject) => (settle = { resolve, reject }))
    this.#settle = settle!
    if (signal !== undefined) this.#listenTo(signal)
  }

  get isAborted(): boolean {
    return this.#isAborted
  }

  /** Submits the task. What is wrong with it rejects the outcome. */
  start(submit: () => Future<R>): void {
    try {
      this.#future = submit()
      this.#future.then(
        (value) => this.#end(() => this.#settle.resolve(value)),
        (error: unknown) => this.fail(error),
      )
    } catch (error) {
      this.fail(error)
    }
  }

  fail(error: unknown): void {
    this.#end(() => this.#settle.reject(error))
  }

  /** Resolves when the task's slot is free. */
  async abort(reason: unknown): Promise<void> {
    this.#isAborted = true
    this.fail(cancelledError('The task', reason))
    await this.#future?.cancel({ reason })
  }

  #listenTo(signal: Abortable): void {
    const onAbort = (): void => {
      // That the connection has ended meanwhile is told by the outcome.
      this.abort(signal instanceof AbortSignal ? signal.reason : undefined).catch(() => undefined)
    }
    if (signal instanceof AbortSignal) {
      if (signal.aborted) return onAbort()
      signal.addEventListener('abort', onAbort, { once: true })
      this.#leaveSignal = () => signal.removeEventListener('abort', onAbort)
      return
    }
    if (typeof (signal as Partial<EventEmitter> | null)?.once !== 'function') {
      throw invalidOption(`signal is ${describe(signal)}; give an AbortSignal, or an EventEmitter that emits "abort".`)
    }
    signal.once('abort', onAbort)
    this.#leaveSignal = () => signal.removeListener('abort', onAbort)
  }

  #end(settle: () => void): void {
    this.#leaveSignal()
    settle()
  }
}
