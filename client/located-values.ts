/**
 * Fetches values that are too large for the scheduler to keep from the workers that hold them: straight, or by a relay
 * from those that this client can't reach. Brings them values in the same ways.
 */
import { ExpiringSet } from '../common/expiring-set.js'
import { entryOf } from '../common/packed.js'
import { workerId, type TaskId, type WorkerId } from '../protocol/ids.js'
import { MAX_RELAYS_PER_MEMBER, MAX_UNREACHABLE, RELAY_IDLE_MS, UNREACHABLE_MS } from '../protocol/limits.js'
import type { ValueSink } from '../protocol/transport/holder.js'
import type { Pieces } from '../protocol/transport/pieces.js'
import type { Socket } from '../protocol/transport/socket.js'
import { ValueFetcher } from '../protocol/transport/value-fetcher.js'

/**
 * Where a value is: with each of `workers`, whose address is at the same place of `holders`, under the task `heldAs`, which
 * is another than ours if the same work was there before.
 */
export interface Located {
  readonly task: TaskId
  readonly heldAs: TaskId
  readonly holders: readonly string[]
  readonly workers: readonly number[]
}

export interface LocatedValuesOptions {
  readonly name: string
  dialHolder(address: string, signal: AbortSignal): Promise<Socket>
  /** Opens a socket to a worker that leads through the scheduler. */
  dialByRelay(holder: WorkerId, signal: AbortSignal): Promise<Socket>
  /** The value came. With `isOwned` its memory may become part of the decoded value. */
  onValue(task: TaskId, encoded: Uint8Array, isOwned: boolean): void
  /** The value could not be had from `holder`. */
  onMissing(task: TaskId, holder: string): void
  /** A value could not be brought to the worker. */
  onNotPut(task: TaskId, worker: number): void
}

/** What is to be fetched from one worker: by the task under which it is held, the tasks of ours. */
interface Due {
  readonly address: string
  readonly holder: number
  readonly tasks: Map<TaskId, TaskId[]>
}

export class LocatedValues {
  readonly #options: LocatedValuesOptions
  readonly #direct: ValueFetcher
  readonly #relayed: ValueFetcher
  /** Addresses that were dialled in vain a short while ago. */
  readonly #unreachable = new ExpiringSet<string>(MAX_UNREACHABLE, UNREACHABLE_MS)
  /** What is to be fetched when this turn ends, by holder. */
  #due = new Map<number, Due>()

  /** `secret` is what the scheduler gave this client to show to workers. */
  constructor(options: LocatedValuesOptions, secret: string) {
    this.#options = options
    const hello = { role: 'client', name: options.name, secret } as const
    this.#direct = new ValueFetcher({ hello, dial: (address, signal) => options.dialHolder(address, signal) })
    this.#relayed = new ValueFetcher({
      hello,
      dial: (holder, signal) => options.dialByRelay(workerId(Number(holder)), signal),
      maxConnections: MAX_RELAYS_PER_MEMBER,
      idleMs: RELAY_IDLE_MS,
    })
  }

  /** Fetches a value from one of its holders, together with others that are located in this turn. */
  fetch({ task, heldAs, holders, workers }: Located): void {
    // Holders of one value share the work when many clients or tasks want it.
    const place = task % holders.length
    const address = holders[place] ?? ''
    const holder = workers[place] ?? 0
    if (this.#due.size === 0) queueMicrotask(() => this.#fetchDue())
    const due = this.#due.get(holder) ?? { address, holder, tasks: new Map<TaskId, TaskId[]>() }
    this.#due.set(holder, due)
    const tasks = due.tasks.get(heldAs)
    if (tasks === undefined) due.tasks.set(heldAs, [task])
    else tasks.push(task)
  }

  /** Brings a value to the worker, whose address may be empty. */
  put(worker: number, address: string, task: TaskId, value: Pieces): void {
    const putByRelay = (): void => {
      const onFailed = (): void => this.#options.onNotPut(task, worker)
      this.#relayed.put(String(worker), { task, value, onFailed })
    }
    if (address === '' || this.#unreachable.has(address, performance.now())) return putByRelay()
    const onFailed = (): void => {
      if (!value.isWhole) return this.#options.onNotPut(task, worker)
      this.#unreachable.add(address, performance.now())
      putByRelay()
    }
    this.#direct.put(address, { task, value, onFailed })
  }

  close(): void {
    this.#due.clear()
    this.#direct.close()
    this.#relayed.close()
  }

  #fetchDue(): void {
    const due = this.#due
    this.#due = new Map()
    for (const each of due.values()) {
      const { address, tasks } = each
      if (address === '' || this.#unreachable.has(address, performance.now())) {
        this.#fetchByRelay(each, [...tasks.keys()])
        continue
      }
      const sink = this.#sinkFor(each, (unreached) => {
        this.#unreachable.add(address, performance.now())
        this.#fetchByRelay(each, unreached)
      })
      this.#direct.fetch(address, [...tasks.keys()], sink)
    }
  }

  #fetchByRelay(due: Due, tasks: readonly TaskId[]): void {
    this.#relayed.fetch(String(due.holder), tasks, this.#sinkFor(due))
  }

  /** Without `onUnreachable`, what can't be reached is missing. */
  #sinkFor({ address, tasks: tasksOf }: Due, onUnreachable?: (tasks: readonly TaskId[]) => void): ValueSink {
    const { onValue, onMissing } = this.#options
    const pass = (heldAs: TaskId, value: Uint8Array, isOwned: boolean): void => {
      const tasks = tasksOf.get(heldAs) ?? []
      for (const task of tasks) onValue(task, value, isOwned && tasks.length === 1)
    }
    const report = (missing: readonly TaskId[]): void => {
      for (const heldAs of missing) for (const task of tasksOf.get(heldAs) ?? []) onMissing(task, address)
    }
    return {
      onValues: (tasks, values) => {
        for (let i = 0; i < tasks.length; i++) pass(tasks[i]!, entryOf(values, i), false)
      },
      onLargeValue: (task, value) => pass(task, value, true),
      onGone: report,
      onUnreachable: onUnreachable ?? report,
    }
  }
}
