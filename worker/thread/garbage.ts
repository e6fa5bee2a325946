/**
 * Collects garbage on demand. V8 does not count shared memory: what values took comes back only when every thread that
 * saw them has collected, and an idle thread, or one with little garbage of other kinds, never does by itself.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collect: (() => void) | undefined

/** Collects all garbage of this thread: a few milliseconds for each ten megabytes that are alive. */
export function collectGarbage(): void {
  collect ??= exposedCollector()
  collect()
}

/**
 * The global `gc` of a context made while it is exposed; user code never sees it. The flag is the whole process's, and
 * another thread may take it back in between: then it is done again.
 */
function exposedCollector(): () => void {
  for (;;) {
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('globalThis.gc') as (() => void) | undefined
    setFlagsFromString('--no-expose-gc')
    if (gc !== undefined) return gc
  }
}

/** By which the main thread makes all others collect: those that are busy see it before their next batch. */
export class CollectionCount {
  readonly memory: SharedArrayBuffer
  readonly #count: Int32Array
  #seen = 0

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.memory = memory
    this.#count = new Int32Array(memory)
    this.#seen = Atomics.load(this.#count, 0)
  }

  askAll(): void {
    Atomics.add(this.#count, 0, 1)
  }

  /** Was a collection asked for since the last call? */
  wasAsked(): boolean {
    const count = Atomics.load(this.#count, 0)
    if (count === this.#seen) return false
    this.#seen = count
    return true
  }
}
