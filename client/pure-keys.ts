/**
 * The keys of pure tasks: the same code with the same arguments has the same key, in every client, so that the scheduler
 * takes it for the same task. Futures among the arguments count by their keys.
 */
import { createHash } from 'node:crypto'
import { arrayOf, indexOf, type TaskId } from '../protocol/ids.js'
import type { Submission } from './submission.js'
import type { TaskArray } from './task-array.js'
import type { Template } from './template.js'

/** Enough that no two tasks ever share them by chance. */
const HASH_DIGITS = 32

/** A pure task that was encoded. */
export interface PureTask {
  readonly array: TaskArray
  readonly index: number
  readonly template: Template
  /** Its own arguments and inputs; those of its template come behind them. */
  readonly args: Uint8Array
  readonly inputs: readonly TaskId[]
}

export class PureKeys {
  readonly #arrays: ReadonlyMap<number, TaskArray>
  /** Those of a graph's tasks that have no future, while the graph is sent. */
  readonly #hidden = new Map<TaskId, string>()

  constructor(arrays: ReadonlyMap<number, TaskArray>) {
    this.#arrays = arrays
  }

  /** Gives a task its key, unless code or keys that it depends on are not known yet: then it gets it when it is sent. */
  give({ array, index, template, args, inputs }: PureTask): void {
    const { source, pureName, exportName, constants, rules } = template
    if (pureName === undefined || source.state.type !== 'ready') return
    const needed = [...inputs, ...constants.inputs]
    if (needed.some((id) => this.#arrays.get(arrayOf(id))?.hasProvisionalKey(indexOf(id)) === true)) return
    const head: unknown[] = [source.state.code.code, exportName, args.length, ...needed.map((id) => this.#keyOf(id))]
    // With this, other arguments may give the same.
    if (rules.onDependencyError !== 'fail') head.push({ onDependencyError: rules.onDependencyError })
    const hash = createHash('sha256').update(JSON.stringify(head)).update(args).update(constants.bytes).digest('hex')
    const key = `${pureName}-${hash.slice(0, HASH_DIGITS)}`
    array.setKey(index, key)
    if (!this.#arrays.has(array.id)) this.#hidden.set(array.idOf(index), key)
  }

  /** Gives those their keys that have none: everything before them was sent. */
  giveAll(submission: Submission): void {
    if (submission.runs.every(({ template }) => template.pureName === undefined)) return
    for (const task of submission.taskParts()) {
      if (task.template.pureName !== undefined && task.array.explicitKeyOf(task.index) === undefined) this.give(task)
    }
  }

  /** The graph was sent as a whole. */
  forgetHidden(): void {
    this.#hidden.clear()
  }

  /** A task that this client knows nothing of any more has no other future here either: its id will do. */
  #keyOf(id: TaskId): string {
    return this.#hidden.get(id) ?? this.#arrays.get(arrayOf(id))?.keyOf(indexOf(id)) ?? `#${id}`
  }
}
