/** What a turn adds to the journal: many outcomes in few records, in order with all else that it adds. */
import { Packer } from '../../../common/packed.js'
import type { TaskId } from '../../../protocol/ids.js'
import { CHUNK_BYTES } from '../../../protocol/limits.js'
import type { JournalRecord } from './journal-record.js'
import type { Failure, InMemory } from '../tasks/task.js'

/** A record of so many outcomes is large enough: lists of a million are slow to make, and to take apart. */
const ENOUGH_TASKS = 8_192
const ENOUGH_BYTES = 4 * CHUNK_BYTES

export class JournalPage {
  #records: JournalRecord[] = []
  #lost: TaskId[] = []
  #finished: TaskId[] = []
  #sizes: number[] = []
  readonly #values = new Packer()
  readonly #failed = new Map<Failure, TaskId[]>()

  add(record: JournalRecord): void {
    this.#closeOutcomes()
    this.#records.push(record)
  }

  /** What is lost may have been finished in the same turn, or be there again; and what failed before may have let it go. */
  addLost(id: TaskId): void {
    if (this.#finished.length > 0 || this.#failed.size > 0) this.#closeOutcomes()
    this.#lost.push(id)
    if (this.#lost.length >= ENOUGH_TASKS) this.#closeLost()
  }

  addFinished(id: TaskId, { sizeBytes, page, start }: InMemory): void {
    this.#finished.push(id)
    this.#sizes.push(sizeBytes)
    if (page?.bytes === undefined) this.#values.add(NOTHING)
    else this.#values.add(page.bytes, start, start + sizeBytes)
    if (this.#finished.length >= ENOUGH_TASKS || this.#values.sizeBytes >= ENOUGH_BYTES) this.#closeFinished()
  }

  addFailed(id: TaskId, failure: Failure): void {
    const ids = this.#failed.get(failure)
    if (ids === undefined) this.#failed.set(failure, [id])
    else ids.push(id)
  }

  take(): JournalRecord[] {
    this.#closeOutcomes()
    const records = this.#records
    if (records.length > 0) this.#records = []
    return records
  }

  #closeOutcomes(): void {
    this.#closeLost()
    if (this.#finished.length > 0) this.#closeFinished()
    if (this.#failed.size === 0) return
    for (const [failure, tasks] of this.#failed)
      this.#records.push({ type: 'failed', tasks, death: undefined, ...failure })
    this.#failed.clear()
  }

  #closeLost(): void {
    if (this.#lost.length === 0) return
    this.#records.push({ type: 'lost', tasks: this.#lost })
    this.#lost = []
  }

  #closeFinished(): void {
    this.#closeLost()
    const tasks = this.#finished
    this.#records.push({ type: 'finished', tasks, sizes: this.#sizes, values: this.#values.take() })
    this.#finished = []
    this.#sizes = []
  }
}

const NOTHING = new Uint8Array(0)
