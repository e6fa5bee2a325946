/**
 * What the events of one turn lead to and leaves at its end in as few messages as can be: finished tasks, tasks that go
 * back, new copies, and values to drop.
 */
import { Packer, startOf, type Packed } from '../../common/packed.js'
import type { Attempt, TaskId, TemplateId } from '../../protocol/ids.js'
import type { HeldValues } from './held-values.js'
import type { WorkerInstruction } from './instructions.js'
import type { Task } from './task.js'

interface Timing {
  readonly template: TemplateId
  count: number
  totalUs: number
}

/** Ids of tasks with the number of the attempt of each. */
class Attempts {
  tasks: TaskId[] = []
  #attempts: Attempt[] = []
  #areAllFirst = true

  add({ task, attempt }: Task): void {
    this.tasks.push(task)
    this.#attempts.push(attempt)
    if (attempt !== 1) this.#areAllFirst = false
  }

  /** Empty when all are 1. */
  get attempts(): readonly Attempt[] {
    return this.#areAllFirst ? [] : this.#attempts
  }
}

export class TurnReport {
  #finished = new Attempts()
  #sizes: number[] = []
  readonly #values = new Packer()
  #timings = new Map<TemplateId, Timing>()
  #lastTiming: Timing | undefined
  #returned = new Attempts()
  #copies: { readonly task: TaskId; readonly sizeBytes: number }[] = []
  #dropped: TaskId[] = []

  /** The task ran; entry `place` of `values` is its value, or is empty when that stays here. */
  addFinished(task: Task, sizeBytes: number, values: Packed, place: number, durationUs: number): void {
    this.#finished.add(task)
    this.#sizes.push(sizeBytes)
    this.#values.add(values.bytes, startOf(values, place), values.ends[place]!)
    const timing = this.#timingOf(task.template.template)
    timing.count++
    timing.totalUs += durationUs
  }

  /** The task goes back unstarted. */
  addReturned(task: Task): void {
    this.#returned.add(task)
  }

  /** A value that a peer gave is held from now on. */
  addCopy(task: TaskId, sizeBytes: number): void {
    this.#copies.push({ task, sizeBytes })
  }

  /** The value is of no use here, unless it is held again before the turn ends. */
  addDropped(task: TaskId): void {
    this.#dropped.push(task)
  }

  /** Nobody is there to be told. */
  forgetNews(): void {
    this.#takeFinished()
    this.#takeReturned()
    this.#copies = []
  }

  flush(held: HeldValues, out: WorkerInstruction[]): void {
    if (this.#finished.tasks.length > 0) out.push(this.#takeFinished())
    if (this.#returned.tasks.length > 0) out.push(this.#takeReturned())
    if (this.#copies.length > 0) this.#flushCopies(held, out)
    if (this.#dropped.length > 0) this.#flushDropped(held, out)
  }

  #takeFinished(): WorkerInstruction {
    const { tasks, attempts } = this.#finished
    const timings = Array.from(this.#timings.values(), (timing) => ({ ...timing, totalUs: Math.round(timing.totalUs) }))
    const sizes = this.#sizes
    this.#finished = new Attempts()
    this.#sizes = []
    this.#timings = new Map()
    this.#lastTiming = undefined
    return {
      type: 'send',
      message: { type: 'tasks-finished', tasks, attempts, sizes, values: this.#values.take(), timings },
    }
  }

  #takeReturned(): WorkerInstruction {
    const { tasks, attempts } = this.#returned
    this.#returned = new Attempts()
    return { type: 'send', message: { type: 'tasks-returned', tasks, attempts } }
  }

  /** A copy may have been freed in the turn that brought it. */
  #flushCopies(held: HeldValues, out: WorkerInstruction[]): void {
    const copies = this.#copies.filter(({ task }) => held.has(task))
    this.#copies = []
    if (copies.length === 0) return
    const tasks = copies.map(({ task }) => task)
    const sizes = copies.map(({ sizeBytes }) => sizeBytes)
    out.push({ type: 'send', message: { type: 'copies-held', tasks, sizes } })
  }

  /** A value may have been let go and made, or fetched, again in one turn: the store has the new one by now. */
  #flushDropped(held: HeldValues, out: WorkerInstruction[]): void {
    const tasks = this.#dropped.filter((task) => !held.has(task))
    this.#dropped = []
    if (tasks.length > 0) out.push({ type: 'drop', tasks })
  }

  #timingOf(template: TemplateId): Timing {
    if (this.#lastTiming?.template === template) return this.#lastTiming
    let timing = this.#timings.get(template)
    if (timing === undefined) {
      timing = { template, count: 0, totalUs: 0 }
      this.#timings.set(template, timing)
    }
    this.#lastTiming = timing
    return timing
  }
}
