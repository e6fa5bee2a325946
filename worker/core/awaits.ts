/**
 * Values that peers want and that are still to be made here: the peers have tasks which were sent ahead of them. Each is
 * answered for as soon as the value is there, or nothing here is to make it. The maker may be on its way to us yet: the peer
 * knows how many tasks we had been sent with it.
 */
import type { TaskId, WorkerId } from '../../protocol/ids.js'

/** A question of a peer. */
export interface Await {
  /** Those that were not answered. */
  readonly owed: Set<TaskId>
  /** The makers were sent to us under this number, among so many tasks. */
  readonly worker: WorkerId
  readonly after: number
  /** How many heartbeats have passed since it was asked. */
  beats: number
}

/** What can be said to a question now. */
export interface Due {
  readonly question: number
  readonly tasks: readonly TaskId[]
  /** Nothing more is owed. */
  readonly isLast: boolean
}

/** After so many heartbeats a maker that has not come is not on its way. */
export const MAX_BEATS = 2

export class Awaits {
  readonly #open = new Map<number, Await>()
  /** How many questions each value is in. */
  readonly #asked = new Map<TaskId, number>()
  #count = 0

  /** How many values are awaited; those in several questions count for each. */
  get count(): number {
    return this.#count
  }

  has(task: TaskId): boolean {
    return this.#asked.has(task)
  }

  add(question: number, asked: Await): void {
    this.#open.set(question, asked)
    this.#count += asked.owed.size
    for (const task of asked.owed) this.#asked.set(task, (this.#asked.get(task) ?? 0) + 1)
  }

  /** Another heartbeat has passed. */
  beat(): void {
    for (const asked of this.#open.values()) asked.beats++
  }

  remove(question: number): void {
    for (const task of this.#open.get(question)?.owed ?? []) this.#leave(task)
    this.#open.delete(question)
  }

  /** Takes those out that are not to be waited for any more. */
  *take(isToCome: (task: TaskId, asked: Await) => boolean): Iterable<Due> {
    for (const [question, asked] of this.#open) {
      const tasks: TaskId[] = []
      for (const task of asked.owed) if (!isToCome(task, asked)) tasks.push(task)
      if (tasks.length === 0) continue
      for (const task of tasks) {
        asked.owed.delete(task)
        this.#leave(task)
      }
      const isLast = asked.owed.size === 0
      if (isLast) this.#open.delete(question)
      yield { question, tasks, isLast }
    }
  }

  #leave(task: TaskId): void {
    this.#count--
    const left = (this.#asked.get(task) ?? 1) - 1
    if (left === 0) this.#asked.delete(task)
    else this.#asked.set(task, left)
  }
}
