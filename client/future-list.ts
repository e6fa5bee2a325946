/**
 * The futures of a large `map`, in an array that costs nothing until somebody looks into it.
 *
 * Its elements are holes at first. JavaScript looks a hole up in the array's prototype, which is a proxy here that makes
 * the futures of one task array and puts them into their places; when all are made, it is an array like any other. So who
 * calls `map` gets a real array at once, and a program that only gathers it never makes a future.
 */
import { inspect } from 'node:util'
import type { FutureOwner } from './task-future.js'
import type { Places, Stretch, TaskArray } from './task-array.js'

export interface FutureListOptions<F> {
  readonly owner: FutureOwner
  /** They have the tasks in their order. */
  readonly arrays: readonly TaskArray[]
  /** How many tasks each has; the last may have fewer. */
  readonly tasksPerArray: number
  /** How many tasks all have. */
  readonly length: number
  /** Makes the futures of the tasks of one array. */
  readonly make: (array: TaskArray) => readonly F[]
}

/** Of each list, what makes its futures. */
const MAKERS = new WeakMap<object, FutureMaker>()

/** The list, and the arrays that have no futures: when the list is garbage, nobody can get at their tasks any more. */
export function futureList<F>(options: FutureListOptions<F>): { list: F[]; unmade: ReadonlyMap<number, TaskArray> } {
  const list: unknown[] = []
  // An element so far off makes room for nothing between, as `new Array(length)` does: eight bytes for each hole.
  list[options.length] = undefined
  list.length = options.length
  const unmade = new Map(options.arrays.map((array, block) => [block, array]))
  MAKERS.set(list, new FutureMaker(list, options, unmade))
  return { list: list as F[], unmade } // All that anybody finds in it was made by `make`.
}

/** `undefined` unless it is a list of this owner that nobody has looked into, of tasks with one result each. */
export function unmadeFutures(list: object, owner: FutureOwner): Places | undefined {
  return MAKERS.get(list)?.unmadeFutures(owner)
}

class FutureMaker implements ProxyHandler<object> {
  readonly #list: unknown[]
  readonly #options: FutureListOptions<unknown>
  readonly #unmade: Map<number, TaskArray>
  readonly #prototype: object
  /** Was a hole filled by somebody else? */
  #isChanged = false

  constructor(list: unknown[], options: FutureListOptions<unknown>, unmade: Map<number, TaskArray>) {
    this.#list = list
    this.#options = options
    this.#unmade = unmade
    // With this constructor it is taken for the prototype of an array of another context, as those of `node:vm` are.
    const properties = { constructor: { value: Array }, [inspect.custom]: { value: this.#inspect } }
    this.#prototype = new Proxy(Object.create(Array.prototype, properties) as object, this)
    Object.setPrototypeOf(list, this.#prototype)
  }

  unmadeFutures(owner: FutureOwner): Places | undefined {
    const { arrays, length } = this.#options
    if (owner !== this.#options.owner || this.#isChanged) return undefined
    if (this.#unmade.size < arrays.length || this.#list.length !== length) return undefined
    const stretches = arrays.map((array): Stretch => ({ array, first: 0, end: array.count }))
    // Tasks with outputs have more places.
    if (stretches.reduce((places, { end }) => places + end, 0) !== length) return undefined
    return { length, stretches, held: this.#list }
  }

  has(target: object, key: string | symbol): boolean {
    return this.#unmadeBlock(key) !== undefined || Reflect.has(target, key)
  }

  get(target: object, key: string | symbol, receiver: unknown): unknown {
    const block = this.#unmadeBlock(key)
    if (block === undefined) return Reflect.get(target, key, receiver)
    this.#make(block, target)
    return Reflect.get(this.#list, key)
  }

  set(target: object, key: string | symbol, value: unknown, receiver: unknown): boolean {
    this.#isChanged = true
    return Reflect.set(target, key, value, receiver)
  }

  /** The number of the task array that the element belongs to, if its futures are not made. */
  #unmadeBlock(key: string | symbol): number | undefined {
    if (typeof key === 'symbol') return undefined
    const place = Number(key)
    if (!Number.isInteger(place) || String(place) !== key || place < 0 || place >= this.#list.length) return undefined
    const block = Math.floor(place / this.#options.tasksPerArray)
    return this.#unmade.has(block) ? block : undefined
  }

  #make(block: number, target: object): void {
    const list = this.#list
    const { arrays, tasksPerArray, make } = this.#options
    const made = make(arrays[block]!)
    this.#unmade.delete(block)
    // A list that was frozen takes nothing more: its prototype keeps them.
    const keeper = Object.isExtensible(list) ? list : (target as unknown[])
    // The proxy is out of the way meanwhile, so that holes are filled as fast as those of any array.
    if (keeper === list) Object.setPrototypeOf(list, Array.prototype)
    made.forEach((future, i) => {
      const place = block * tasksPerArray + i
      if (place < list.length && !(place in keeper)) keeper[place] = future
    })
    if (keeper === list && this.#unmade.size > 0) Object.setPrototypeOf(list, this.#prototype)
  }

  /** Shows what there would be in any other array. */
  readonly #inspect = (_depth: number, options: object): string => {
    return inspect(Array.from(this.#list), options)
  }
}
