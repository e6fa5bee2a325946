/**
 * A task array as the client keeps it: a byte of state for each task, and the rest (keys, failures, who waits) only for
 * the tasks that have some. So a future costs nothing but itself until someone awaits it.
 */
import { present } from '../common/assert.js'
import { HeddleError } from '../protocol/errors.js'
import { ARRAY_CAPACITY, generatedKey, taskId, type ArrayId, type TaskId } from '../protocol/ids.js'
import { errorOf, isCancellation, type Failure } from './failure.js'
import type { FutureStatus } from './future.js'
import type { SubmitSite } from './submit-site.js'
import type { Template } from './template.js'

const PENDING = 0
const FINISHED = 1
const FAILED = 2
const OUTCOME = 3
/** Its value was asked for and has not come. */
const WANTED = 4
const RELEASED = 8

const FIRST_CAPACITY = 8

/** Somebody who waits for values of one array. It must hold their futures: a future that nobody holds is released. */
export interface Waiter {
  /** The value, encoded. With `isOwned` its memory may become part of the decoded value. */
  onValue(index: number, encoded: Uint8Array, isOwned: boolean): void
  onError(index: number, error: unknown): void
}

const NOBODY: readonly Waiter[] = []

/** Where a task stands, and so its future. */
export interface Place {
  readonly array: TaskArray
  readonly index: number
}

/** Tasks that were submitted alike, at one place: those before `end` and behind the end of the call before. */
interface Call {
  end: number
  readonly template: Template
  site: SubmitSite | undefined
}

export class TaskArray {
  readonly id: ArrayId
  /** How many tasks it has. */
  count = 0
  /** How many of them the scheduler was told of. */
  sentCount = 0
  /** How many were not released. */
  liveCount = 0
  /** Its tasks failed here, and the scheduler will never hear of them. */
  isAbandoned = false
  #pendingCount = 0
  #states = new Uint8Array(FIRST_CAPACITY)
  readonly #calls: Call[] = []
  #keys: Map<number, string> | undefined
  #failures: Map<number, Failure> | undefined
  /** By index. Nearly always one waits for a value, who then has no list. */
  #waiters: (Waiter | readonly Waiter[] | undefined)[] | undefined
  /** Tasks whose values the scheduler must still be asked for. */
  #asks: number[] = []
  /** Tasks that were released, which the scheduler was not told of yet. */
  #releases: number[] = []

  constructor(id: ArrayId) {
    this.id = id
  }

  /** How many more tasks it can have. */
  get room(): number {
    return ARRAY_CAPACITY - this.count
  }

  /** Gives places to `count` more tasks, and returns the first. */
  add(count: number, template: Template, site: SubmitSite | undefined): number {
    const first = this.count
    this.count += count
    this.liveCount += count
    this.#pendingCount += count
    if (this.count > this.#states.length) {
      const grown = new Uint8Array(Math.min(ARRAY_CAPACITY, Math.max(this.count, this.#states.length * 4)))
      grown.set(this.#states)
      this.#states = grown
    }
    const last = this.#calls.at(-1)
    if (last?.template === template && last.site === site) last.end = this.count
    else this.#calls.push({ end: this.count, template, site })
    return first
  }

  /** Places that no future stands for: those of tasks with outputs, of which only the outputs are held. */
  addWithoutFutures(first: number, step: number): void {
    for (let index = first; index < this.count; index += step) {
      this.#states[index] = RELEASED
      this.liveCount -= 1
      this.#pendingCount -= 1
    }
  }

  setKey(index: number, key: string): void {
    this.#keys ??= new Map()
    this.#keys.set(index, key)
  }

  idOf(index: number): TaskId {
    return taskId(this.id, index)
  }

  get hasKeys(): boolean {
    return this.#keys !== undefined
  }

  explicitKeyOf(index: number): string | undefined {
    return this.#keys?.get(index)
  }

  keyOf(index: number): string {
    return this.#keys?.get(index) ?? generatedKey(this.#callOf(index).template.name, this.idOf(index))
  }

  /** What the future of the task says of it; `isLost` when the scheduler can't be asked any more. */
  statusOf(index: number, isLost: boolean): FutureStatus {
    switch (this.#states[index]! & OUTCOME) {
      case FINISHED:
        return 'finished'
      case FAILED: {
        const failure = this.failureOf(index)
        return failure !== undefined && isCancellation(failure) ? 'cancelled' : 'error'
      }
      default:
        return isLost ? 'lost' : 'pending'
    }
  }

  /** Is its outcome unknown, and does somebody hold it? */
  isPending(index: number): boolean {
    return (this.#states[index]! & (RELEASED | OUTCOME)) === PENDING
  }

  isReleased(index: number): boolean {
    return (this.#states[index]! & RELEASED) !== 0
  }

  /** Was it let go of, and the scheduler told so? */
  isGone(index: number): boolean {
    return this.isReleased(index) && !this.#releases.includes(index)
  }

  failureOf(index: number): Failure | undefined {
    return this.#failures?.get(index)
  }

  /** Adds somebody who waits. Returns true when there is now something to ask the scheduler for, as there was not before. */
  wait(index: number, waiter: Waiter): boolean {
    const failure = this.failureOf(index)
    if (failure !== undefined) {
      waiter.onError(index, errorOf(failure, this.#callOf(index).site))
      return false
    }
    if (this.isReleased(index)) {
      waiter.onError(index, this.#errorOfReleased(index))
      return false
    }
    this.#waiters ??= []
    const others = this.#waiters[index]
    this.#waiters[index] = others === undefined ? waiter : [...listOf(others), waiter]
    if ((this.#states[index]! & WANTED) !== 0) return false
    this.#states[index]! |= WANTED
    return this.#asks.push(index) === 1
  }

  /** Does somebody wait for its value? */
  isAwaited(index: number): boolean {
    return this.#waiters?.[index] !== undefined
  }

  /** Adds to `ids` the tasks whose values must be asked for. */
  takeAsks(ids: TaskId[]): void {
    for (const index of this.#asks) if ((this.#states[index]! & WANTED) !== 0) ids.push(this.idOf(index))
    this.#asks = []
  }

  /** Lets go of a task. Returns true when there is now something to tell the scheduler, as there was not before. */
  release(index: number): boolean {
    if (this.isReleased(index)) return false
    this.#states[index] = (this.#states[index]! | RELEASED) & ~WANTED
    this.liveCount -= 1
    if (this.#waiters?.[index] !== undefined) this.#reject(index, this.#errorOfReleased(index))
    this.#settle(index)
    return this.#releases.push(index) === 1
  }

  takeReleases(ids: TaskId[]): void {
    for (const index of this.#releases) ids.push(this.idOf(index))
    this.#releases = []
  }

  /** The task is done; its value stays where it is. */
  onFinished(index: number): void {
    if (index >= this.count || (this.#states[index]! & (RELEASED | OUTCOME)) !== PENDING) return
    this.#settle(index)
    this.#states[index]! |= FINISHED
  }

  onValue(index: number, encoded: Uint8Array, isOwned: boolean): void {
    if (index >= this.count || this.isReleased(index)) return
    if (this.failureOf(index) !== undefined) return // It was cancelled while the value was on its way.
    this.#settle(index)
    this.#states[index] = FINISHED
    const waiters = this.#waiters?.[index]
    if (waiters === undefined) return
    this.#waiters![index] = undefined
    if (!isList(waiters)) return waiters.onValue(index, encoded, isOwned)
    // Memory can be handed over once only.
    for (const waiter of waiters) waiter.onValue(index, encoded, false)
  }

  onFailed(index: number, failure: Failure): void {
    // What failed here is told better by our own error than by that of the scheduler, which knows of no arguments.
    if (index >= this.count || this.isReleased(index) || this.failureOf(index) !== undefined) return
    this.#failures ??= new Map()
    this.#failures.set(index, failure)
    this.#settle(index)
    this.#states[index] = FAILED
    const { site } = this.#callOf(index)
    for (const waiter of this.#takeWaiters(index)) waiter.onError(index, errorOf(failure, site))
  }

  /** Nothing will come any more: everybody who waits gets this error. */
  onLost(error: Error): void {
    for (let index = 0; index < this.count; index++)
      if (this.#waiters?.[index] !== undefined) this.#reject(index, error)
  }

  #reject(index: number, error: unknown): void {
    for (const waiter of this.#takeWaiters(index)) waiter.onError(index, error)
  }

  #takeWaiters(index: number): readonly Waiter[] {
    const waiters = this.#waiters?.[index]
    if (waiters === undefined) return NOBODY
    this.#waiters![index] = undefined
    return listOf(waiters)
  }

  /** When no outcome is awaited any more, nobody will ask where the tasks that went well were submitted. */
  #settle(index: number): void {
    if ((this.#states[index]! & OUTCOME) !== PENDING) return
    this.#pendingCount -= 1
    if (this.#pendingCount > 0 || this.#failures !== undefined) return
    for (const call of this.#calls) call.site = undefined
  }

  #callOf(index: number): Call {
    return present(
      this.#calls.find(({ end }) => index < end),
      `the call that made task ${index}`,
    )
  }

  #errorOfReleased(index: number): HeddleError {
    const message = `The future ${this.keyOf(index)} was released; hold it until its value has been used.`
    return new HeddleError('ERR_HEDDLE_RELEASED', message)
  }
}

function isList(waiters: Waiter | readonly Waiter[]): waiters is readonly Waiter[] {
  return Array.isArray(waiters)
}

function listOf(waiters: Waiter | readonly Waiter[]): readonly Waiter[] {
  return isList(waiters) ? waiters : [waiters]
}
