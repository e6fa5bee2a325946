/**
 * A list of nodes that never stops the program for long: an array of a million entries is copied whole, into memory never
 * touched before, each time it outgrows its room, and pages are not.
 */
const PAGE_BITS = 12
const PAGE_SIZE = 1 << PAGE_BITS

export class NodeList<N> implements Iterable<N> {
  readonly #pages: N[][] = []
  #length = 0

  get length(): number {
    return this.#length
  }

  /** The node with this number, which must be there. */
  at(number: number): N {
    return this.#pages[number >>> PAGE_BITS]![number & (PAGE_SIZE - 1)]!
  }

  push(node: N): void {
    if (this.#length % PAGE_SIZE === 0) this.#pages.push([])
    this.#pages.at(-1)!.push(node)
    this.#length += 1
  }

  *[Symbol.iterator](): IterableIterator<N> {
    for (const page of this.#pages) yield* page
  }
}
