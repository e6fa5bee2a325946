/** When something last happened to tasks or their values, as far back as a bound allows: so that nothing is kept by task. */
import type { TaskId } from '../protocol/ids.js'

interface Moment {
  readonly ids: readonly TaskId[]
  readonly atMs: number
}

export class RecentIds {
  readonly #maxIds: number
  #moments: Moment[] = []
  /** Where the oldest is that counts. */
  #first = 0
  #ids = 0

  constructor(maxIds: number) {
    this.#maxIds = maxIds
  }

  note(ids: readonly TaskId[], atMs: number): void {
    this.#moments.push({ ids, atMs })
    this.#ids += ids.length
    while (this.#ids > this.#maxIds) this.#ids -= this.#moments[this.#first++]!.ids.length
    if (this.#first <= this.#moments.length / 2) return
    this.#moments = this.#moments.slice(this.#first)
    this.#first = 0
  }

  /** The last time before `untilMs`, if that is known. */
  lastOf(id: TaskId, untilMs: number): number | undefined {
    for (let at = this.#moments.length - 1; at >= this.#first; at--) {
      const { ids, atMs } = this.#moments[at]!
      if (atMs <= untilMs && ids.includes(id)) return atMs
    }
    return undefined
  }
}
