/** Which values are in this worker's store, and their sizes. The bytes themselves are the shell's. */
import type { TaskId } from '../../protocol/ids.js'

export class HeldValues {
  readonly #sizes = new Map<TaskId, number>()
  readonly #brought = new Set<TaskId>()
  #sizeBytes = 0

  get count(): number {
    return this.#sizes.size
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  has(task: TaskId): boolean {
    return this.#sizes.has(task)
  }

  sizeOf(task: TaskId): number | undefined {
    return this.#sizes.get(task)
  }

  add(task: TaskId, sizeBytes: number): void {
    this.#sizeBytes += sizeBytes - (this.#sizes.get(task) ?? 0)
    this.#sizes.set(task, sizeBytes)
  }

  /** A client brought this one, which is held: nobody can make it again. */
  markBrought(task: TaskId): void {
    this.#brought.add(task)
  }

  /** Is any held that clients brought? */
  get hasBrought(): boolean {
    return this.#brought.size > 0
  }

  /** Returns false when it was not held. */
  remove(task: TaskId): boolean {
    const sizeBytes = this.#sizes.get(task)
    if (sizeBytes === undefined) return false
    this.#sizeBytes -= sizeBytes
    this.#sizes.delete(task)
    if (this.#brought.size > 0) this.#brought.delete(task)
    return true
  }

  get entries(): Iterable<readonly [TaskId, number]> {
    return this.#sizes
  }

  get tasks(): Iterable<TaskId> {
    return this.#sizes.keys()
  }

  get sizes(): Iterable<number> {
    return this.#sizes.values()
  }
}
