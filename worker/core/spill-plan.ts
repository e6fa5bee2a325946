/**
 * Where each large value of this worker is: in memory, on disk, or between the two; and which of them tasks are using.
 * Only values too large to come along with a result are counted here. They have a buffer each, so that spilling one gives
 * its memory back; small ones share pages, are many, and together seldom what fills a worker.
 */
import { assert } from '../../common/assert.js'
import type { TaskId } from '../../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import type { SpilledFile } from './instructions.js'
import type { Task } from './task.js'

export interface LargeValue {
  readonly task: TaskId
  sizeBytes: number
  /** `spilling` is in memory still, and `loading` on disk. */
  place: 'memory' | 'spilling' | 'disk' | 'loading'
  /** Number of its spill file, everywhere but in `memory`. */
  file: number
  /** How many tasks that wait, are ready or run have it as an input. It stays in memory while this is above 0. */
  pins: number
}

export class SpillPlan {
  /** The least recently used first. */
  readonly #values = new Map<TaskId, LargeValue>()
  readonly #pins = new Map<Task, LargeValue[]>()
  #lastFile = 0
  #discarded: SpilledFile[] = []
  #fileBytes = 0
  #diskBytes = 0
  #spillingBytes = 0
  #loadingBytes = 0

  /** Bytes of all spill files, also of those that are being written. */
  get fileBytes(): number {
    return this.#fileBytes
  }

  /** Bytes of values that take no memory. */
  get diskBytes(): number {
    return this.#diskBytes
  }

  get spillingBytes(): number {
    return this.#spillingBytes
  }

  get loadingBytes(): number {
    return this.#loadingBytes
  }

  get values(): Iterable<LargeValue> {
    return this.#values.values()
  }

  find(task: TaskId): LargeValue | undefined {
    return this.#values.get(task)
  }

  /** Must the value be loaded before a task can have it? */
  isAway(task: TaskId): boolean {
    if (this.#diskBytes + this.#loadingBytes === 0) return false
    const place = this.#values.get(task)?.place
    return place === 'disk' || place === 'loading'
  }

  /** The value is in memory from now on, whatever was known of it before. */
  arrived(task: TaskId, sizeBytes: number): void {
    if (sizeBytes <= MAX_INLINE_RESULT_BYTES) {
      this.removed(task)
      return
    }
    const value = this.#values.get(task)
    if (value === undefined) {
      this.#values.set(task, { task, sizeBytes, place: 'memory', file: 0, pins: 0 })
      return
    }
    this.#toMemory(value) // In memory nothing is counted, so the size may change.
    value.sizeBytes = sizeBytes
    this.#touch(value)
  }

  /** The value was given to somebody: it is not the first to be spilled. */
  used(task: TaskId): void {
    const value = this.#values.get(task)
    if (value !== undefined) this.#touch(value)
  }

  removed(task: TaskId): void {
    if (this.#values.size === 0) return
    const value = this.#values.get(task)
    if (value === undefined) return
    this.#toMemory(value)
    this.#values.delete(task)
  }

  /** The task is about to use `input`, which is in memory: there it stays until `unpin`. Of one that failed it gets the failure. */
  pin(task: Task, input: TaskId): void {
    if (this.#values.size === 0) return
    const value = this.#values.get(input)
    if (value === undefined || task.failures?.has(input) === true) return
    const pinned = this.#pins.get(task)
    if (pinned === undefined) this.#pins.set(task, [value])
    else if (pinned.includes(value)) return
    else pinned.push(value)
    value.pins++
    this.#touch(value)
  }

  /** The task has ended or gone. */
  unpin(task: Task): void {
    if (this.#pins.size === 0) return
    for (const value of this.#pins.get(task) ?? []) value.pins--
    this.#pins.delete(task)
  }

  /** A new file for a value that is in memory. */
  startSpill(value: LargeValue): void {
    assert(value.place === 'memory', `${value.task} is spilled while it is ${value.place}`)
    value.file = ++this.#lastFile
    this.#move(value, 'spilling')
  }

  /** The file is written. Returns false when the value needs it no more. */
  spilled(task: TaskId, file: number): boolean {
    const value = this.#inPlace(task, file, 'spilling')
    if (value === undefined) return false
    if (value.pins > 0) {
      // A task came for it meanwhile: memory would not be given back.
      this.#toMemory(value)
      return false
    }
    this.#move(value, 'disk')
    return true
  }

  /** The file could not be written. Returns false when that is no news. */
  spillFailed(task: TaskId, file: number): boolean {
    const value = this.#inPlace(task, file, 'spilling')
    if (value !== undefined) this.#move(value, 'memory') // There is no file to discard.
    return value !== undefined
  }

  startLoad(value: LargeValue): void {
    assert(value.place === 'disk', `${value.task} is loaded while it is ${value.place}`)
    this.#move(value, 'loading')
  }

  /** The value of the file is in memory. Returns false when nobody is waiting for it any more. */
  loaded(task: TaskId, file: number): boolean {
    const value = this.#inPlace(task, file, 'loading')
    if (value === undefined) return false
    this.#toMemory(value)
    this.#touch(value)
    return true
  }

  /** Is this the file of a value that has no other copy here? */
  isOnlyCopy(task: TaskId, file: number): boolean {
    const value = this.#values.get(task)
    return value?.file === file && (value.place === 'disk' || value.place === 'loading')
  }

  /** Files that nobody needs, each once. */
  takeDiscarded(): readonly SpilledFile[] {
    const discarded = this.#discarded
    if (discarded.length > 0) this.#discarded = []
    return discarded
  }

  #inPlace(task: TaskId, file: number, place: LargeValue['place']): LargeValue | undefined {
    const value = this.#values.get(task)
    return value?.file === file && value.place === place ? value : undefined
  }

  #touch(value: LargeValue): void {
    this.#values.delete(value.task)
    this.#values.set(value.task, value)
  }

  #toMemory(value: LargeValue): void {
    if (value.place === 'memory') return
    this.#discarded.push({ task: value.task, file: value.file })
    this.#move(value, 'memory')
  }

  #move(value: LargeValue, place: LargeValue['place']): void {
    this.#count(value, -1)
    value.place = place
    this.#count(value, 1)
  }

  #count({ place, sizeBytes }: LargeValue, sign: 1 | -1): void {
    if (place !== 'memory') this.#fileBytes += sign * sizeBytes
    if (place === 'spilling') this.#spillingBytes += sign * sizeBytes
    if (place === 'loading') this.#loadingBytes += sign * sizeBytes
    if (place === 'disk') this.#diskBytes += sign * sizeBytes
  }
}
