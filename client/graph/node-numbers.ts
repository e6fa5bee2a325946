/**
 * The numbers of nodes, by their serials. A `Map` over a million nodes would stop the program for most of a second when it
 * grows; pages don't grow, and the serials of nodes that were made together lie together.
 */
import type { GraphNode } from './node.js'

const PAGE_BITS = 8
const PAGE_SIZE = 1 << PAGE_BITS

export class NodeNumbers {
  readonly #pages = new Map<number, Int32Array>()

  get({ serial }: GraphNode): number | undefined {
    const found = this.#pages.get(Math.floor(serial / PAGE_SIZE))?.[serial % PAGE_SIZE] ?? 0
    return found === 0 ? undefined : found - 1
  }

  set({ serial }: GraphNode, number: number): void {
    const place = Math.floor(serial / PAGE_SIZE)
    let page = this.#pages.get(place)
    if (page === undefined) this.#pages.set(place, (page = new Int32Array(PAGE_SIZE)))
    page[serial % PAGE_SIZE] = number + 1
  }
}
