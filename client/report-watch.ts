/** Hears what tasks report of themselves, for many futures at once: with one listener for each task array. */
import { ARRAY_CAPACITY } from '../protocol/ids.js'
import type { TaskProgress } from './future.js'
import type { Place, TaskArray } from './task-array.js'

interface Part {
  /** Its place among the arrays. */
  readonly ordinal: number
  /** 1 at the places of those it is about. */
  readonly includes: Uint8Array
}

export class ReportWatch {
  readonly #parts = new Map<TaskArray, Part>()
  readonly #stops: (() => void)[]

  constructor(places: readonly Place[], onReport: (place: Place, progress: TaskProgress) => void) {
    for (const { array, index } of places) {
      let part = this.#parts.get(array)
      if (part === undefined) {
        part = { ordinal: this.#parts.size, includes: new Uint8Array(ARRAY_CAPACITY) }
        this.#parts.set(array, part)
      }
      part.includes[index] = 1
    }
    this.#stops = [...this.#parts].map(([array, { includes }]) => {
      return array.onAllProgress((index, progress) => {
        if (includes[index] === 1) onReport({ array, index }, progress)
      })
    })
  }

  /** Another number for each task, of whichever client. */
  numberOf({ array, index }: Place): number {
    return (this.#parts.get(array)?.ordinal ?? 0) * ARRAY_CAPACITY + index
  }

  end(): void {
    for (const stop of this.#stops) stop()
  }
}
