/** The numbers of the objects of one value, in the order in which they were met. */

/** Up to this many objects are searched one by one, which is faster than a map. */
const SEARCHED_COUNT = 16

export class References {
  /** The objects; places from `#count` on are free. */
  readonly #objects: (object | undefined)[] = new Array<undefined>(SEARCHED_COUNT)
  #count = 0
  /** All of them, once they are too many to search. */
  #numbers: Map<object, number> | undefined

  get count(): number {
    return this.#count
  }

  /** The number of an object met before; otherwise -1, and it has the next number from now on. */
  meet(object: object): number {
    const met = this.#numberOf(object)
    if (met >= 0) return met
    this.#numbers?.set(object, this.#count)
    this.#objects[this.#count++] = object
    return -1
  }

  /** Forgets all but the first `count` objects. */
  rewind(count: number): void {
    for (let i = count; i < this.#count; i++) {
      if (count > SEARCHED_COUNT) this.#numbers?.delete(this.#objects[i]!)
      this.#objects[i] = undefined
    }
    this.#count = count
    if (count > SEARCHED_COUNT) return
    this.#numbers = undefined
    if (this.#objects.length > SEARCHED_COUNT) this.#objects.length = SEARCHED_COUNT
  }

  #numberOf(object: object): number {
    if (this.#count <= SEARCHED_COUNT) {
      for (let i = 0; i < this.#count; i++) if (this.#objects[i] === object) return i
      return -1
    }
    this.#numbers ??= new Map(this.#objects.map((each, number) => [each!, number]))
    return this.#numbers.get(object) ?? -1
  }
}
