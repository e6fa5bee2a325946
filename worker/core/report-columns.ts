/** Columns that several reports have. */
import type { Attempt, TaskId, TemplateId } from '../../protocol/ids.js'
import type { Task } from './task.js'

interface Timing {
  readonly template: TemplateId
  count: number
  totalUs: number
}

/** Ids of tasks with the number of the attempt of each. */
export class Attempts {
  tasks: TaskId[] = []
  #attempts: Attempt[] = []
  #areAllFirst = true

  add({ task, attempt }: Pick<Task, 'task' | 'attempt'>): void {
    this.tasks.push(task)
    this.#attempts.push(attempt)
    if (attempt !== 1) this.#areAllFirst = false
  }

  /** Adds these to others. */
  addTo(others: Attempts): void {
    this.tasks.forEach((task, i) => others.add({ task, attempt: this.#attempts[i]! }))
  }

  /** Empty when all are 1. */
  get attempts(): readonly Attempt[] {
    return this.#areAllFirst ? [] : this.#attempts
  }
}

/** How long tasks took, summed up by template. */
export class Timings {
  #timings = new Map<TemplateId, Timing>()
  #last: Timing | undefined

  add(template: TemplateId, durationUs: number): void {
    const timing = this.#last?.template === template ? this.#last : this.#timingOf(template)
    timing.count++
    timing.totalUs += durationUs
  }

  /** Gives the sums, in whole microseconds, and starts afresh. */
  take(): Timing[] {
    const timings = Array.from(this.#timings.values(), (timing) => ({ ...timing, totalUs: Math.round(timing.totalUs) }))
    this.#timings = new Map()
    this.#last = undefined
    return timings
  }

  #timingOf(template: TemplateId): Timing {
    let timing = this.#timings.get(template)
    if (timing === undefined) {
      timing = { template, count: 0, totalUs: 0 }
      this.#timings.set(template, timing)
    }
    this.#last = timing
    return timing
  }
}
