/** Which values to move so that workers hold about equally many bytes: a rule over numbers, which knows of no records. */
import { Heap, type HeapItem } from '../../../common/heap.js'

/** A worker's part: what it holds in all, and which values of it may move, by size. */
export interface Holding {
  readonly sizeBytes: number
  readonly movable: readonly number[]
}

/** Value `value` of holding `from` goes to the worker of holding `to`. */
export interface PlannedMove {
  readonly value: number
  readonly from: number
  readonly to: number
}

/** Who holds so little more than the mean is left alone. */
const TOLERANCE = 0.05

interface Load extends HeapItem {
  readonly place: number
  sizeBytes: number
  heapPlace: number
}

/**
 * Takes the largest values first, from whoever holds most to whoever holds least, as long as that brings the two closer
 * together. Every value moves at most once. Ties go to the first, so it is repeatable.
 */
export function planBalance(holdings: readonly Holding[]): PlannedMove[] {
  const loads = holdings.map(({ sizeBytes }, place): Load => ({ place, sizeBytes, heapPlace: -1 }))
  const emptiest = new Heap<Load>(
    (a, b) => a.sizeBytes < b.sizeBytes || (a.sizeBytes === b.sizeBytes && a.place < b.place),
  )
  for (const load of loads) emptiest.push(load)
  const meanBytes = loads.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / loads.length
  const enoughBytes = meanBytes * (1 + TOLERANCE)
  const moves: PlannedMove[] = []
  const fullestFirst = loads.toSorted((a, b) => b.sizeBytes - a.sizeBytes || a.place - b.place)
  for (const from of fullestFirst) {
    if (from.sizeBytes <= enoughBytes) break
    const { movable } = holdings[from.place]!
    const largestFirst = movable.map((_, value) => value).sort((a, b) => movable[b]! - movable[a]! || a - b)
    for (const value of largestFirst) {
      if (from.sizeBytes <= enoughBytes) break
      const sizeBytes = movable[value]!
      const to = emptiest.peek()!
      if (to.sizeBytes + sizeBytes >= from.sizeBytes) continue // A smaller one may do.
      from.sizeBytes -= sizeBytes
      to.sizeBytes += sizeBytes
      emptiest.update(from)
      emptiest.update(to)
      moves.push({ value, from: from.place, to: to.place })
    }
  }
  return moves
}
