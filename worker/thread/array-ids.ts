/**
 * Array ids that the scheduler gave this worker for the clients of its tasks: a task submits at once, before its client has
 * a lease of its own. Threads take them from shared memory without asking.
 */
import type { TaskRoute } from '../../client/in-task.js'
import { arrayId, type ArrayId } from '../../protocol/ids.js'
import type { ThreadData } from './thread-message.js'

/** So many for each client, which gets further ones from the scheduler. */
const IDS_PER_CLIENT = 64

const NEXT = 0
const END = 1

export class ArrayIds {
  readonly memory: SharedArrayBuffer
  readonly #range: BigInt64Array

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(16)) {
    this.memory = memory
    this.#range = new BigInt64Array(memory)
  }

  /** From now on these are taken. */
  set(first: ArrayId, count: number): void {
    Atomics.store(this.#range, END, 0n)
    Atomics.store(this.#range, NEXT, BigInt(first))
    Atomics.store(this.#range, END, BigInt(first + count))
  }

  /** For one client; none when all were taken. */
  take(): { readonly first: ArrayId; readonly count: number } {
    const first = Atomics.add(this.#range, NEXT, BigInt(IDS_PER_CLIENT))
    const isThere = first + BigInt(IDS_PER_CLIENT) <= Atomics.load(this.#range, END)
    return { first: arrayId(Number(first)), count: isThere ? IDS_PER_CLIENT : 0 }
  }
}

/** How the clients of a thread's tasks reach the cluster. */
export function routeOf({ worker, scheduler }: Pick<ThreadData, 'worker' | 'scheduler'>): TaskRoute | undefined {
  if (scheduler === undefined) return undefined
  return { ...scheduler, worker, takeArrayIds: () => new ArrayIds(scheduler.arrayIds).take() }
}
