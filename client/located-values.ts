/** Fetches values that are too large to come by way of the scheduler, from the workers that hold them. */
import { entryOf } from '../common/packed.js'
import type { TaskId } from '../protocol/ids.js'
import type { ValueSink } from '../protocol/transport/holder.js'
import { ValueFetcher } from '../protocol/transport/value-fetcher.js'
import type { Socket } from '../protocol/transport/socket.js'

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
  /** What is to be fetched when this turn ends, by holder. */
  #due = new Map<string, TaskId[]>()

  /** `secret` is what the scheduler gave this client to show to workers. */
  constructor(options: LocatedValuesOptions, secret: string) {
    this.#options = options
    this.#secret = secret
  }

  /** Fetches the value of `task` from one of `holders`, together with others that are located in this turn. */
  fetch(task: TaskId, holders: readonly string[]): void {
    // Holders of one value share the work when many clients or tasks want it.
    const holder = holders[task % holders.length] ?? ''
    if (this.#due.size === 0) queueMicrotask(() => this.#fetchDue())
    const tasks = this.#due.get(holder)
    if (tasks === undefined) this.#due.set(holder, [task])
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
    for (const [holder, tasks] of due) this.#fetcher.fetch(holder, tasks, this.#sinkFor(holder))
  }

  #sinkFor(holder: string): ValueSink {
    const { onValue, onMissing } = this.#options
    const report = (tasks: readonly TaskId[]): void => {
      for (const task of tasks) onMissing(task, holder)
    }
    return {
      onValues: (tasks, values) => {
        for (let i = 0; i < tasks.length; i++) onValue(tasks[i]!, entryOf(values, i), false)
      },
      onLargeValue: (task, value) => onValue(task, value, true),
      onGone: report,
      onUnreachable: report,
    }
  }
}
