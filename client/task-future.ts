/** A future: the place of a task in a task array. Whatever else there is to know of the task is there. */
import { inspect } from 'node:util'
import { present } from '../common/assert.js'
import { TimeoutError } from '../protocol/errors.js'
import type { Explanation } from '../protocol/messages/explanation.js'
import { decodeValue } from '../protocol/values/decode.js'
import {
  resolveCancelOptions,
  type CancelOptions,
  type CancelResult,
  type ResolvedCancelOptions,
} from './cancellation.js'
import type { Future, FutureStatus, Inputs, ResultOptions, TaskProgress } from './future.js'
import { interruptible } from './interruptible.js'
import { checkOptionNames, checkTimeout, describe, invalidOption } from './options.js'
import { ProgressReports } from './progress-reports.js'
import type { Place, TaskArray, Waiter } from './task-array.js'

type AnyFunction = (...args: never[]) => unknown

/** The client that made the future, as the future sees it. */
export interface FutureOwner {
  /** Can nothing come any more? */
  readonly isEnded: boolean
  wait(array: TaskArray, index: number, waiter: Waiter): void
  release(array: TaskArray, index: number): void
  explainFuture(array: TaskArray, index: number): Promise<Explanation>
  retry(array: TaskArray, index: number): void
  cancel(places: readonly Place[], options: ResolvedCancelOptions): Promise<CancelResult[]>
  /** `called` is the function of ours that the user called: whoever called it submits the task. */
  pipe(fn: AnyFunction, args: readonly unknown[], called: AnyFunction): Future<unknown>
}

/**
 * What futures of one array share, so that a future is small: a program may hold millions. Where many are made at once,
 * a group is also what is watched for being garbage: it is when the last of its futures is.
 */
export interface FutureGroup {
  readonly owner: FutureOwner
  readonly array: TaskArray
}

export class TaskFuture<T> implements Future<T> {
  readonly index: number
  readonly #group: FutureGroup
  #value: Promise<T> | undefined

  constructor(group: FutureGroup, index: number) {
    this.#group = group
    this.index = index
  }

  get owner(): FutureOwner {
    return this.#group.owner
  }

  get array(): TaskArray {
    return this.#group.array
  }

  get key(): string {
    return this.array.keyOf(this.index)
  }

  get status(): FutureStatus {
    return this.array.statusOf(this.index, this.owner.isEnded)
  }

  get progress(): AsyncIterable<TaskProgress> {
    return new ProgressReports(this)
  }

  then<U = T, V = never>(
    onFulfilled?: ((value: T) => U | PromiseLike<U>) | null,
    onRejected?: ((reason: unknown) => V | PromiseLike<V>) | null,
  ): Promise<U | V> {
    return this.#wait().then(onFulfilled, onRejected)
  }

  catch<U = never>(onRejected?: ((reason: unknown) => U | PromiseLike<U>) | null): Promise<T | U> {
    return this.#wait().catch(onRejected)
  }

  finally(onFinally?: (() => void) | null): Promise<T> {
    return this.#wait().finally(onFinally)
  }

  async result(options: ResultOptions = {}): Promise<T> {
    checkOptionNames('future.result()', options, ['timeoutMs', 'signal'])
    checkTimeout(options.timeoutMs)
    const timedOut = (timeoutMs: number): TimeoutError =>
      new TimeoutError(
        `${this.key} has no result after ${timeoutMs} ms; it goes on, so wait for it again or for longer.`,
      )
    return await interruptible(this.#wait(), { ...options, timedOut })
  }

  error(): Promise<unknown> {
    return this.#wait().then(
      () => undefined,
      (error: unknown) => error,
    )
  }

  onStatus(onStatus: (status: FutureStatus) => void): () => void {
    if (typeof onStatus !== 'function') throw invalidOption(`onStatus() got ${describe(onStatus)}; give a function.`)
    let isStopped = false
    const tell = (status: FutureStatus): void => {
      if (!isStopped) onStatus(status)
    }
    const { status } = this
    if (status !== 'pending') queueMicrotask(() => tell(status))
    const stop = this.array.listen(this.index, tell)
    return () => {
      isStopped = true
      stop()
    }
  }

  pipe<A extends readonly unknown[], R>(fn: (value: T, ...rest: A) => R, ...rest: Inputs<A>): Future<Awaited<R>> {
    // What it takes and returns is checked by the signature above; the client handles functions of any kind.
    const future: unknown = this.owner.pipe(fn as unknown as AnyFunction, [this, ...rest], this.pipe)
    return future as Future<Awaited<R>>
  }

  async cancel(options: CancelOptions = {}): Promise<CancelResult> {
    const [result] = await this.owner.cancel([this], resolveCancelOptions('future.cancel()', options))
    return present(result, 'the result of cancelling one task')
  }

  async explain(): Promise<Explanation> {
    return await this.owner.explainFuture(this.array, this.index)
  }

  retry(): void {
    this.owner.retry(this.array, this.index)
  }

  release(): void {
    this.owner.release(this.array, this.index)
  }

  [Symbol.dispose](): void {
    this.release()
  }

  [inspect.custom](): string {
    return `Future { ${this.key}: ${this.status} }`
  }

  /** Asks for the value, once: later calls share it, errors too, unless the future was released or retried in between. */
  #wait(): Promise<T> {
    const { array, index } = this
    const retries = array.retriesOf(index)
    if (this.#value === undefined || array.isReleased(index) || (retries > 0 && runsBefore(this.#value) !== retries)) {
      this.#value = new Promise<T>((resolve, reject) => {
        this.owner.wait(array, index, new PromiseWaiter(this, resolve, reject))
      })
      if (retries > 0) RUNS_BEFORE.set(this.#value, retries)
    }
    return this.#value
  }
}

/** Of values that were asked for after a retry, how many there had been. Futures that nobody retries have no part in it. */
const RUNS_BEFORE = new WeakMap<Promise<unknown>, number>()

function runsBefore(value: Promise<unknown>): number {
  return RUNS_BEFORE.get(value) ?? 0
}

class PromiseWaiter<T> implements Waiter {
  /** Held, and never read. */
  readonly future: TaskFuture<T>
  readonly #resolve: (value: T) => void
  readonly #reject: (error: unknown) => void

  constructor(future: TaskFuture<T>, resolve: (value: T) => void, reject: (error: unknown) => void) {
    this.future = future
    this.#resolve = resolve
    this.#reject = reject
  }

  onValue(_index: number, encoded: Uint8Array, isOwned: boolean): void {
    try {
      // The compiler checked what the function returns; what came back is that.
      this.#resolve(decodeValue(encoded, { owned: isOwned }) as T)
    } catch (error) {
      this.#reject(error)
    }
  }

  onError(_index: number, error: unknown): void {
    this.#reject(error)
  }
}
