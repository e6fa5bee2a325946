/** What a client is told at the end of the turn: many outcomes in few messages. */
import { Packer } from '../../../common/packed.js'
import type { TaskId } from '../../../protocol/ids.js'
import { CHUNK_BYTES } from '../../../protocol/limits.js'
import type { SchedulerToClient } from '../../../protocol/messages/client.js'
import type { Failure } from '../tasks/task.js'

/**
 * A message with so many values is large enough. Someone who gathers a million would else cost lists that grow to that
 * size, and buffers to match, on both sides.
 */
const ENOUGH_VALUES = 8_192
const ENOUGH_BYTES = CHUNK_BYTES / 2
/** News of so many tasks makes a message of its own. */
const ENOUGH_NEWS = 8_192

export class ClientOutbox {
  #finished: TaskId[] = []
  #scattered: TaskId[] = []
  #withValue: TaskId[] = []
  readonly #values = new Packer()
  #failed = new Map<Failure, TaskId[]>()
  #others: SchedulerToClient[] = []
  /** Are there news among these? */
  #hasClosedNews = false

  /** Does it say of tasks that they finished? */
  get hasNews(): boolean {
    return this.#finished.length > 0 || this.#hasClosedNews
  }

  /** Does it say nothing else, and not much of that? */
  get hasOnlyNews(): boolean {
    if (this.#others.length + this.#withValue.length + this.#scattered.length + this.#failed.size > 0) return false
    return this.#finished.length < ENOUGH_NEWS
  }

  addFinished(id: TaskId): void {
    this.#finished.push(id)
  }

  addScattered(id: TaskId): void {
    this.#scattered.push(id)
  }

  addValue(id: TaskId, bytes: Uint8Array, start: number, end: number): void {
    this.#withValue.push(id)
    this.#values.add(bytes, start, end)
    if (this.#withValue.length >= ENOUGH_VALUES || this.#values.sizeBytes >= ENOUGH_BYTES) this.#closeValues()
  }

  addFailed(id: TaskId, failure: Failure): void {
    const ids = this.#failed.get(failure)
    if (ids === undefined) this.#failed.set(failure, [id])
    else ids.push(id)
  }

  /** What was said of their outcomes is said before. */
  addRetried(tasks: readonly TaskId[]): void {
    this.#closeOutcomes()
    this.#others.push({ type: 'retried', tasks })
  }

  add(message: SchedulerToClient): void {
    this.#others.push(message)
  }

  take(): SchedulerToClient[] {
    this.#closeOutcomes()
    const messages = this.#others
    this.#others = []
    this.#hasClosedNews = false
    return messages
  }

  /** In this order, for a value that was told may be given up, and its task fail. */
  #closeOutcomes(): void {
    if (this.#withValue.length > 0) this.#closeValues()
    if (this.#finished.length > 0) {
      this.#others.push({ type: 'finished', tasks: this.#finished })
      this.#finished = []
      this.#hasClosedNews = true
    }
    if (this.#scattered.length > 0) {
      this.#others.push({ type: 'scattered', tasks: this.#scattered })
      this.#scattered = []
    }
    if (this.#failed.size === 0) return
    for (const [failure, tasks] of this.#failed)
      this.#others.push({ type: 'failed', tasks, death: undefined, ...failure })
    this.#failed = new Map()
  }

  #closeValues(): void {
    this.#others.push({ type: 'values', tasks: this.#withValue, values: this.#values.take() })
    this.#withValue = []
  }
}
