/**
 * The stretches of memory that the views in one value show. Only what is shown travels; views that overlap go on
 * sharing their memory, so they must travel as one stretch. That two views overlap may come out only when the first is
 * written already: then `changed` says so, and the value is written once more, with what was learned.
 */
import { PART_ALIGNMENT } from './tags.js'

export interface Region {
  readonly buffer: ArrayBufferLike
  /** Where it starts in the buffer. Grows down, to a multiple of `PART_ALIGNMENT`, when regions become one. */
  start: number
  /** From here to `end` is shown. What lies between `start` and here is not, and zeros travel instead. */
  shownFrom: number
  end: number
  /** Does the buffer itself travel, as an object of its own? Then the region is all of it. */
  isObject: boolean
  /** Its number in the order of writing; -1 until it is written. */
  number: number
}

export class Regions {
  readonly #byBuffer = new Map<ArrayBufferLike, Region[]>()
  readonly #written: Region[] = []
  #changed = false

  /** Must the value be written once more? */
  get changed(): boolean {
    return this.#changed
  }

  /** The regions in the order of writing. */
  get written(): readonly Region[] {
    return this.#written
  }

  clear(): void {
    if (this.#byBuffer.size === 0) return
    this.rewind(0)
    this.#byBuffer.clear()
    this.#changed = false
  }

  /** Takes back what was written after there were `count`. */
  rewind(count: number): void {
    for (let i = count; i < this.#written.length; i++) this.#written[i]!.number = -1
    this.#written.length = count
  }

  /** Begins the second writing: nothing is written, and what overlaps is known. */
  beginAgain(): void {
    this.rewind(0)
    this.#changed = false
  }

  markWritten(region: Region): void {
    region.number = this.#written.push(region) - 1
  }

  /** The region that holds a buffer which is met as an object. */
  ofBuffer(buffer: ArrayBufferLike): Region {
    return this.#find(buffer, 0, buffer.byteLength, 1, true)
  }

  /** The region that holds what a view shows. */
  ofView(view: ArrayBufferView, elementBytes: number): Region {
    return this.#find(view.buffer, view.byteOffset, view.byteOffset + view.byteLength, elementBytes, false)
  }

  #find(buffer: ArrayBufferLike, start: number, end: number, elementBytes: number, isObject: boolean): Region {
    const found: Region = { buffer, start, shownFrom: start, end, isObject, number: -1 }
    const regions = this.#byBuffer.get(buffer)
    if (regions === undefined) {
      this.#byBuffer.set(buffer, [found])
      return found
    }
    const first = firstEndingAfter(regions, start)
    const region = regions[first]
    if (region !== undefined && region.shownFrom <= start && end <= region.end) {
      const fits = (start - region.start) % elementBytes === 0
      if (fits && (region.isObject || !isObject)) return region
    }
    let last = first
    for (; last < regions.length && regions[last]!.shownFrom < end; last++) {
      const merged = regions[last]!
      this.#changed ||= merged.number >= 0
      found.isObject ||= merged.isObject
      found.shownFrom = Math.min(found.shownFrom, merged.shownFrom)
      found.end = Math.max(found.end, merged.end)
    }
    if (last > first) found.start = found.shownFrom - (found.shownFrom % PART_ALIGNMENT)
    regions.splice(first, last - first, found)
    return found
  }
}

/** The place of the first of these regions, which lie in order and apart, that ends after `offset`. */
function firstEndingAfter(regions: readonly Region[], offset: number): number {
  let low = 0
  let high = regions.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (regions[middle]!.end > offset) high = middle
    else low = middle + 1
  }
  return low
}

/** How many bytes travel for a region. */
export const sizeOf = (region: Region): number => region.end - region.start

/** What a region shows, in place. */
export const viewOfRegion = ({ buffer, shownFrom, end }: Region): Uint8Array =>
  new Uint8Array(buffer, shownFrom, end - shownFrom)

/** Copies a region to `target`, which has just its size. */
export function copyRegion(region: Region, target: Uint8Array): void {
  const hiddenBytes = region.shownFrom - region.start
  target.fill(0, 0, hiddenBytes)
  target.set(viewOfRegion(region), hiddenBytes)
}
