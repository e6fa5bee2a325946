/**
 * Collects garbage on demand. V8 does not count shared memory: what values took comes back only when every thread that
 * saw them has collected, and an idle thread, or one with little garbage of other kinds, never does by itself.
 */
import { getHeapStatistics } from 'node:v8'
import { collectGarbage, collectYoung } from '../../common/node/garbage.js'

/** What is left behind is collected from so much on, or from a part of what is alive, whose size is what collecting costs. */
const MIN_LEFT_BYTES = 32 * 1024 * 1024
const LEFT_SHARE = 1 / 8

/** What this thread took when nothing was left behind. */
let aliveBytes = 0

/** Collects what tasks of this thread left behind, if it is much, and waits until the memory is given back. */
export function collectLeftovers(): void {
  const takenBytes = bytesOfThread()
  aliveBytes = Math.min(aliveBytes, takenBytes)
  if (takenBytes - aliveBytes < Math.max(MIN_LEFT_BYTES, aliveBytes * LEFT_SHARE)) return
  collectGarbage()
  // Buffers are given back in the background. The next collection, however small, waits for the end of that.
  collectYoung()
  aliveBytes = bytesOfThread()
}

/** What is alive in this thread, and what was not collected yet; with buffers, but for shared ones. */
function bytesOfThread(): number {
  const { used_heap_size, external_memory } = getHeapStatistics()
  return used_heap_size + external_memory
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
