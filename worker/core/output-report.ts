/** Tasks with several outputs that ended in one turn: they leave in one message. */
import { Packer, startOf } from '../../common/packed.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import type { OutputsFinished } from '../../protocol/messages/worker.js'
import type { Outcomes } from './events.js'
import { Attempts, Timings } from './report-columns.js'
import type { Task } from './task.js'

export class OutputReport {
  #finished = new Attempts()
  #counts: number[] = []
  #sizes: number[] = []
  readonly #values = new Packer()
  readonly #timings = new Timings()

  /** Outputs that are small together come along; else all of them stay here. */
  add(task: Task, { sizes, values }: Outcomes, first: number, durationUs: number): void {
    const end = first + task.template.outputs
    let sizeBytes = 0
    for (let i = first; i < end; i++) sizeBytes += sizes[i]!
    const areInline = sizeBytes <= MAX_INLINE_RESULT_BYTES
    this.#finished.add(task)
    this.#counts.push(task.template.outputs)
    for (let i = first; i < end; i++) {
      const start = startOf(values, i)
      this.#sizes.push(sizes[i]!)
      this.#values.add(values.bytes, start, areInline ? values.ends[i]! : start)
    }
    this.#timings.add(task.template.template, durationUs)
  }

  addUntold(attempts: Attempts): void {
    this.#finished.addTo(attempts)
  }

  /** The message, if there is something to say. */
  take(): OutputsFinished | undefined {
    const { tasks, attempts } = this.#finished
    if (tasks.length === 0) return undefined
    const report = {
      counts: this.#counts,
      sizes: this.#sizes,
      values: this.#values.take(),
      timings: this.#timings.take(),
    }
    this.#finished = new Attempts()
    this.#counts = []
    this.#sizes = []
    return { type: 'outputs-finished', tasks, attempts, ...report }
  }
}
