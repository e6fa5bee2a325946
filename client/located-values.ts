/** Fetches values that are too large to come by way of the scheduler, from the workers that hold them. */
import { entryOf } from '../common/packed.js'
import type { TaskId } from '../protocol/ids.js'
import type { ValueSink } from '../protocol/transport/holder.js'
import { ValueFetcher } from '../protocol/transport/value-fetcher.js'
import type { Socket } from '../protocol/transport/socket.js'

/** Where a value is: with `holders`, under the task `heldAs`, which is another than ours if the same work was there before. */
export interface Located {
  readonly task: TaskId
  readonly heldAs: TaskId
  readonly holders: readonly string[]
}

export interface LocatedValuesOptions {
  readonly name: string
  dialHolder(address: string, signal: AbortSignal): Promise<Socket>
  /** The value came. With `isOwned` its memory may become part of the decoded value. */
  onValue(task: TaskId, encoded: Uint8Array, isOwned: boolean): void
  /** The value could not be had from `holder`. */
  onMissing(task: TaskId, holder: string): void
}

export class LocatedValues {
  readonly #options: LocatedValuesOptions
  readonly #secret: string
  #fetcher: ValueFetcher | undefined
  /** What is to be fetched when this turn ends, by holder: the task under which it is held, and ours. */
  #due = new Map<string, Map<TaskId, TaskId[]>>()

  /** `secret` is what the scheduler gave this client to show to workers. */
  constructor(options: LocatedValuesOptions, secret: string) {
    this.#options = options
    this.#secret = secret
  }

  /** Fetches a value from one of its holders, together with others that are located in this turn. */
  fetch({ task, heldAs, holders }: Located): void {
    // Holders of one value share the work when many clients or tasks want it.
    const holder = holders[task % holders.length] ?? ''
    if (this.#due.size === 0) queueMicrotask(() => this.#fetchDue())
    const due = this.#due.get(holder) ?? new Map<TaskId, TaskId[]>()
    this.#due.set(holder, due)
    const tasks = due.get(heldAs)
    if (tasks === undefined) due.set(heldAs, [task])
    else tasks.push(task)
  }

  close(): void {
    this.#due.clear()
    this.#fetcher?.close()
  }

  #fetchDue(): void {
    const due = this.#due
    this.#due = new Map()
    this.#fetcher ??= new ValueFetcher({
      hello: { role: 'client', name: this.#options.name, secret: this.#secret },
      dial: (address, signal) => this.#options.dialHolder(address, signal),
    })
    for (const [holder, tasks] of due) this.#fetcher.fetch(holder, [...tasks.keys()], this.#sinkFor(holder, tasks))
  }

  #sinkFor(holder: string, tasksOf: ReadonlyMap<TaskId, readonly TaskId[]>): ValueSink {
    const { onValue, onMissing } = this.#options
    const pass = (heldAs: TaskId, value: Uint8Array, isOwned: boolean): void => {
      const tasks = tasksOf.get(heldAs) ?? []
      for (const task of tasks) onValue(task, value, isOwned && tasks.length === 1)
    }
    const report = (missing: readonly TaskId[]): void => {
      for (const heldAs of missing) for (const task of tasksOf.get(heldAs) ?? []) onMissing(task, holder)
    }
    return {
      onValues: (tasks, values) => {
        for (let i = 0; i < tasks.length; i++) pass(tasks[i]!, entryOf(values, i), false)
      },
      onLargeValue: (task, value) => pass(task, value, true),
      onGone: report,
      onUnreachable: report,
    }
  }
}
