/** Values that this client brings to workers itself: what the scheduler is told of them, and their bytes until it is done. */
import type { TaskId } from '../protocol/ids.js'
import type { ScatterMessage } from '../protocol/messages/client.js'
import type { Pieces } from '../protocol/transport/pieces.js'
import { checkOptionNames, describe, invalidOption } from './options.js'
import type { TaskArray } from './task-array.js'
import { nameOnly } from './template.js'

export interface ResolvedScatterOptions {
  readonly copies: 'one' | 'every'
  readonly workers: readonly string[]
}

const SCATTER_TEMPLATE = nameOnly('scatter')

export function scatterMessage(array: TaskArray, sizeBytes: number, options: ResolvedScatterOptions): ScatterMessage {
  return { type: 'scatter', array: array.id, sizeBytes, ...options }
}

/** The bytes of those that the scheduler may still want brought somewhere: a released one too, for tasks may need it. */
export class ScatteredValues {
  readonly #values = new Map<TaskId, Pieces>()
  /** Who waits until it need not be kept. */
  readonly #waiting = new Map<TaskId, (() => void)[]>()

  /** Makes the value the one task of its array. Returns its place there. */
  add(array: TaskArray, encoded: Pieces): number {
    const index = array.add(1, SCATTER_TEMPLATE, undefined)
    this.#values.set(array.idOf(index), encoded)
    return index
  }

  get tasks(): Iterable<TaskId> {
    return this.#values.keys()
  }

  get(task: TaskId): Pieces | undefined {
    return this.#values.get(task)
  }

  /** Resolves when this program need not keep the value: a worker has it, or none ever will. At once, if it has none. */
  async whenSettled(task: TaskId): Promise<void> {
    if (!this.#values.has(task)) return
    await new Promise<void>((resolve) => {
      const waiting = this.#waiting.get(task)
      if (waiting === undefined) this.#waiting.set(task, [resolve])
      else waiting.push(resolve)
    })
  }

  /** The scheduler says that it need not be kept. */
  settle(task: TaskId): void {
    this.#values.delete(task)
    const waiting = this.#waiting.get(task) ?? []
    this.#waiting.delete(task)
    for (const resolve of waiting) resolve()
  }

  /** Nothing is brought anywhere any more. */
  clear(): void {
    for (const task of [...this.#values.keys()]) this.settle(task)
  }
}

export function resolveScatterOptions(options: {
  readonly broadcast?: boolean | undefined
  readonly workers?: readonly string[] | undefined
}): ResolvedScatterOptions {
  checkOptionNames('client.scatter()', options, ['broadcast', 'workers'])
  const broadcast: unknown = options.broadcast ?? false
  const workers: unknown = options.workers ?? []
  if (typeof broadcast !== 'boolean') throw invalidOption(`broadcast is ${describe(broadcast)}; give true or false.`)
  const areNames = (given: unknown): given is readonly string[] =>
    Array.isArray(given) && given.every((name) => typeof name === 'string')
  if (!areNames(workers) || (options.workers !== undefined && workers.length === 0)) {
    throw invalidOption(`workers is ${describe(workers)}; give a list of names or addresses of workers.`)
  }
  return { copies: broadcast ? 'every' : 'one', workers }
}
