/**
 * A task array as the client keeps it: a byte of state for each task, and the rest (keys, failures, who waits) only for
 * the tasks that have some. So a future costs nothing but itself until someone awaits it.
 */
import { present } from '../common/assert.js'
import { HeddleError } from '../protocol/errors.js'
import { ARRAY_CAPACITY, generatedKey, taskId, type ArrayId, type TaskId } from '../protocol/ids.js'
import { errorOf, isCancellation, type Failure } from './failure.js'
import type { FutureStatus, TaskProgress } from './future.js'
import type { TaskParent } from './parent.js'
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

/** Somebody who hears when tasks of one array are over, and needs no values. It must hold their futures too. */
export interface Watcher {
  /** The task has an outcome, or was let go of, or nothing can be known of it any more. Said once. */
  onOver(index: number): void
}

/** Those who wait for one task: nearly always one, who then has no list. */
type Few<T extends object> = T | readonly T[] | undefined

/** Where a task stands, and so its future. */
export interface Place {
  readonly array: TaskArray
  readonly index: number
}

/** Tasks of one array, which follow each other. */
export interface Stretch {
  readonly array: TaskArray
  readonly first: number
  readonly end: number
}

/** Where several tasks stand, in the order of their futures. */
export interface Places {
  readonly length: number
  readonly stretches: Iterable<Stretch>
  /** Their futures, or the list that has none yet: tasks that nobody can get at are let go of. */
  readonly held: readonly unknown[]
}

/** Tasks that were submitted alike, at one place: those before `end` and behind the end of the call before. */
interface Call {
  end: number
  readonly template: Template
  site: SubmitSite | undefined
}

export class TaskArray {
  readonly id: ArrayId
  /** The task whose children its tasks are, if a task submitted them. */
  readonly parent: TaskParent | undefined
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
  /** How often each ran again after it had failed, if it did. */
  #retries: Map<number, number> | undefined
  /** By index. */
  #waiters: Few<Waiter>[] | undefined
  #watchers: Few<Watcher>[] | undefined
  #listeners: Map<number, Set<(status: FutureStatus) => void>> | undefined
  /** What tasks said of themselves last, and who hears it. */
  #progress: Map<number, TaskProgress> | undefined
  #progressListeners: Map<number, Set<(progress: TaskProgress) => void>> | undefined
  /** Of all its tasks. */
  #allProgressListeners: Set<(index: number, progress: TaskProgress) => void> | undefined
  /** Tasks whose values the scheduler must still be asked for. */
  #asks: number[] = []
  /** Tasks that were released, which the scheduler was not told of yet. */
  #releases: number[] = []

  constructor(id: ArrayId, parent?: TaskParent) {
    this.id = id
    this.parent = parent
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

  /** What the task is called on the status page. */
  nameOf(index: number): string {
    return this.#callOf(index).template.name
  }

  /** Has it a generated key, and will have one by its content when that is known? */
  hasProvisionalKey(index: number): boolean {
    return this.explicitKeyOf(index) === undefined && this.#callOf(index).template.pureName !== undefined
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
    this.#waiters[index] = withOneMore(this.#waiters[index], waiter)
    if ((this.#states[index]! & WANTED) !== 0) return false
    this.#states[index]! |= WANTED
    return this.#asks.push(index) === 1
  }

  /** Does somebody wait for its value? */
  isAwaited(index: number): boolean {
    return this.#waiters?.[index] !== undefined
  }

  /** Adds somebody who hears when the task, whose outcome is not known yet, is over. */
  watch(index: number, watcher: Watcher): void {
    this.#watchers ??= []
    this.#watchers[index] = withOneMore(this.#watchers[index], watcher)
  }

  /** Takes one entry of the watcher away, if there is one. */
  unwatch(index: number, watcher: Watcher): void {
    if (this.#watchers?.[index] === undefined) return
    const watchers = listOf(this.#watchers[index])
    const place = watchers.indexOf(watcher)
    if (place >= 0) this.#watchers[index] = watchers.length === 1 ? undefined : watchers.toSpliced(place, 1)
  }

  /** Calls back with every status that the task gets from now on. Returns what ends that. */
  listen(index: number, onStatus: (status: FutureStatus) => void): () => void {
    this.#listeners ??= new Map()
    const listeners = this.#listeners.get(index) ?? new Set()
    this.#listeners.set(index, listeners)
    listeners.add(onStatus)
    return () => {
      listeners.delete(onStatus)
      if (listeners.size === 0 && this.#listeners?.get(index) === listeners) this.#listeners.delete(index)
    }
  }

  /** What the task said of itself last, if it runs. */
  progressOf(index: number): TaskProgress | undefined {
    return this.#progress?.get(index)
  }

  /** Calls back with what the task says of itself. Returns what ends that. */
  onProgress(index: number, listener: (progress: TaskProgress) => void): () => void {
    this.#progressListeners ??= new Map()
    const listeners = this.#progressListeners.get(index) ?? new Set()
    this.#progressListeners.set(index, listeners)
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#progressListeners?.get(index) === listeners) {
        this.#progressListeners.delete(index)
      }
    }
  }

  /** The same for all tasks of the array. */
  onAllProgress(listener: (index: number, progress: TaskProgress) => void): () => void {
    this.#allProgressListeners ??= new Set()
    this.#allProgressListeners.add(listener)
    return () => void this.#allProgressListeners?.delete(listener)
  }

  /** A task that runs says how far it is. */
  onReported(index: number, progress: TaskProgress): void {
    if (index >= this.count || !this.isPending(index)) return
    this.#progress ??= new Map()
    this.#progress.set(index, progress)
    for (const listener of this.#progressListeners?.get(index) ?? []) listener(progress)
    for (const listener of this.#allProgressListeners ?? []) listener(index, progress)
  }

  /** What was asked for, and did not come, is asked for once more. Returns true when there is something to ask for. */
  askAgain(): boolean {
    this.#asks = []
    for (let index = 0; index < this.count; index++) if ((this.#states[index]! & WANTED) !== 0) this.#asks.push(index)
    return this.#asks.length > 0
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
    this.#listeners?.delete(index)
    this.#tellWatchers(index)
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
    this.#onOver(index)
  }

  onValue(index: number, encoded: Uint8Array, isOwned: boolean): void {
    if (index >= this.count || this.isReleased(index)) return
    if (this.failureOf(index) !== undefined) return // It was cancelled while the value was on its way.
    const wasPending = this.isPending(index)
    this.#settle(index)
    this.#states[index] = FINISHED
    const waiters = this.#waiters?.[index]
    if (waiters !== undefined) {
      this.#waiters![index] = undefined
      // Memory can be handed over once only.
      if (!isList(waiters)) waiters.onValue(index, encoded, isOwned)
      else for (const waiter of waiters) waiter.onValue(index, encoded, false)
    }
    if (wasPending) this.#onOver(index)
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
    this.#onOver(index)
  }

  /** It failed, and runs again: what was known of it counts no more. */
  onRetried(index: number): void {
    if (index >= this.count || this.isReleased(index) || this.#failures?.get(index)?.type !== 'remote') return
    this.#failures.delete(index)
    this.#retries ??= new Map()
    this.#retries.set(index, this.retriesOf(index) + 1)
    this.#states[index] = PENDING
    this.#pendingCount += 1
    if (this.#listeners !== undefined) this.#tellListeners(index, false)
  }

  /** How often it ran again after it had failed. */
  retriesOf(index: number): number {
    return this.#retries?.get(index) ?? 0
  }

  /** Nothing will come any more: everybody who waits gets this error. */
  onLost(error: Error): void {
    for (let index = 0; index < this.count; index++) {
      if (this.#waiters?.[index] !== undefined) this.#reject(index, error)
      if (this.isPending(index)) this.#onOver(index, true)
    }
  }

  /** Those who watch are told, and then those who listen. */
  #onOver(index: number, isLost = false): void {
    this.#tellWatchers(index)
    if (this.#listeners !== undefined) this.#tellListeners(index, isLost)
  }

  #tellWatchers(index: number): void {
    if (this.#watchers?.[index] === undefined) return
    const watchers = listOf(this.#watchers[index])
    this.#watchers[index] = undefined
    for (const watcher of watchers) watcher.onOver(index)
  }

  /** What a listener throws is an uncaught exception of the program, as with any event, and no concern of ours. */
  #tellListeners(index: number, isLost: boolean): void {
    const status = this.statusOf(index, isLost)
    for (const listener of this.#listeners?.get(index) ?? []) queueMicrotask(() => listener(status))
  }

  #reject(index: number, error: unknown): void {
    for (const waiter of this.#takeWaiters(index)) waiter.onError(index, error)
  }

  #takeWaiters(index: number): readonly Waiter[] {
    if (this.#waiters?.[index] === undefined) return []
    const waiters = listOf(this.#waiters[index])
    this.#waiters[index] = undefined
    return waiters
  }

  /** When no outcome is awaited any more, nobody will ask where the tasks that went well were submitted. */
  #settle(index: number): void {
    if ((this.#states[index]! & OUTCOME) !== PENDING) return
    this.#progress?.delete(index)
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

export function placesOf(futures: readonly Place[]): Places {
  return { length: futures.length, stretches: { [Symbol.iterator]: () => stretchesOf(futures) }, held: futures }
}

/** Neighbours in an array that are neighbours here too stand together. */
export function* stretchesOf(places: readonly Place[]): Generator<Stretch> {
  for (let i = 0; i < places.length;) {
    const { array, index: first } = places[i]!
    let end = first
    for (; places[i]?.array === array && places[i]!.index === end; i++) end += 1
    yield { array, first, end }
  }
}

function isList<T extends object>(few: T | readonly T[]): few is readonly T[] {
  return Array.isArray(few)
}

function listOf<T extends object>(few: Few<T>): readonly T[] {
  if (few === undefined) return []
  return isList(few) ? few : [few]
}

function withOneMore<T extends object>(few: Few<T>, one: T): Few<T> {
  return few === undefined ? one : [...listOf(few), one]
}
