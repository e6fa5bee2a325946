/**
 * A binary heap whose items know their place in it, so that one whose rank changed is moved in O(log n). The item with
 * the lowest rank is on top; the caller's order decides between equals, and must do so if a run is to be repeated.
 */

export interface HeapItem {
  /** Kept by the heap: the item's place, or -1 outside. */
  heapPlace: number
}

export class Heap<T extends HeapItem> {
  readonly #items: T[] = []
  readonly #isBefore: (a: T, b: T) => boolean

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore
  }

  get length(): number {
    return this.#items.length
  }

  peek(): T | undefined {
    return this.#items[0]
  }

  /** Up to `count` items with low ranks: the lowest first, the others in no order. */
  nearTop(count: number): readonly T[] {
    return this.#items.slice(0, count)
  }

  push(item: T): void {
    item.heapPlace = this.#items.length
    this.#items.push(item)
    this.#rise(item)
  }

  remove(item: T): void {
    const place = item.heapPlace
    if (place < 0) return
    const last = this.#items.pop()!
    item.heapPlace = -1
    if (last === item) return
    this.#items[place] = last
    last.heapPlace = place
    this.update(last)
  }

  /** Moves an item whose rank changed to where it belongs. */
  update(item: T): void {
    this.#rise(item)
    this.#sink(item)
  }

  #rise(item: T): void {
    let place = item.heapPlace
    while (place > 0) {
      const parentPlace = (place - 1) >> 1
      const parent = this.#items[parentPlace]!
      if (!this.#isBefore(item, parent)) break
      this.#put(parent, place)
      place = parentPlace
    }
    this.#put(item, place)
  }

  #sink(item: T): void {
    let place = item.heapPlace
    for (;;) {
      const left = 2 * place + 1
      if (left >= this.#items.length) break
      const right = left + 1
      const child = right < this.#items.length && this.#isBefore(this.#items[right]!, this.#items[left]!) ? right : left
      if (!this.#isBefore(this.#items[child]!, item)) break
      this.#put(this.#items[child]!, place)
      place = child
    }
    this.#put(item, place)
  }

  #put(item: T, place: number): void {
    this.#items[place] = item
    item.heapPlace = place
  }
}
