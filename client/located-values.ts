/**
 * Fetches values that are too large for the scheduler to keep from the workers that hold them: straight, or by a relay
 * from those that this client can't reach. Brings them values in the same ways.
 */
import { ExpiringSet } from '../common/expiring-set.js'
import { Fifo } from '../common/fifo.js'
import { entryOf } from '../common/packed.js'
import { workerId, type TaskId, type WorkerId } from '../protocol/ids.js'
import {
  MAX_FETCH_BYTES,
  MAX_RELAYS_PER_MEMBER,
  MAX_UNREACHABLE,
  RELAY_IDLE_MS,
  UNREACHABLE_MS,
} from '../protocol/limits.js'
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
  readonly sizeBytes: number
  readonly holders: readonly string[]
  readonly workers: readonly number[]
}

export interface LocatedValuesOptions {
  readonly name: string
  dialHolder(address: string, signal: AbortSignal): Promise<Socket>
  /** Opens a socket to a worker that leads through the scheduler. */
  dialByRelay(holder: WorkerId, signal: AbortSignal): Promise<Socket>
  /** Does anybody still wait for the value? Asked when its turn comes. */
  isAwaited(task: TaskId): boolean
  /** The value came. With `isOwned` its memory may become part of the decoded value. */
  onValue(task: TaskId, encoded: Uint8Array, isOwned: boolean): void
  /** The value could not be had from `holder`. */
  onMissing(task: TaskId, holder: string): void
  /** A value could not be brought to the worker. */
  onNotPut(task: TaskId, worker: number): void
}

/** What is to be fetched from one worker: by the task under which it is held, where it is for each of our tasks. */
interface Due {
  readonly address: string
  readonly holder: number
  readonly values: Map<TaskId, Located[]>
}

export class LocatedValues {
  readonly #options: LocatedValuesOptions
  readonly #direct: ValueFetcher
  readonly #relayed: ValueFetcher
  /** Addresses that were dialled in vain a short while ago. */
  readonly #unreachable = new ExpiringSet<string>(MAX_UNREACHABLE, UNREACHABLE_MS)
  /** Those whose turn has not come: it does when this turn of the event loop ends, and there is room for their bytes. */
  readonly #waiting = new Fifo<Located>()
  /** Bytes of values that were asked for and did not come yet, from all workers together. */
  #bytesUnderWay = 0
  #isFetchDue = false

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
  fetch(located: Located): void {
    this.#waiting.push(located)
    this.#fetchSoon()
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
    this.#waiting.retain(() => false)
    this.#direct.close()
    this.#relayed.close()
  }

  #fetchSoon(): void {
    if (this.#isFetchDue || this.#waiting.length === 0) return
    this.#isFetchDue = true
    queueMicrotask(() => {
      this.#isFetchDue = false
      this.#fetchDue()
    })
  }

  #fetchDue(): void {
    for (const each of this.#takeDue()) {
      const { address, values } = each
      if (address === '' || this.#unreachable.has(address, performance.now())) {
        this.#fetchByRelay(each, [...values.keys()])
        continue
      }
      const sink = this.#sinkFor(each, (unreached) => {
        this.#unreachable.add(address, performance.now())
        this.#fetchByRelay(each, unreached)
      })
      this.#direct.fetch(address, [...values.keys()], sink)
    }
  }

  /** Takes those that there is room for; one that is larger than all may be goes alone. */
  #takeDue(): Iterable<Due> {
    const due = new Map<number, Due>()
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      const isAwaited = this.#options.isAwaited(next.task)
      const hasRoom = this.#bytesUnderWay === 0 || this.#bytesUnderWay + next.sizeBytes <= MAX_FETCH_BYTES
      if (isAwaited && !hasRoom) break
      this.#waiting.shift()
      if (!isAwaited) continue
      this.#bytesUnderWay += next.sizeBytes
      const { task, heldAs, holders, workers } = next
      // Holders of one value share the work when many clients or tasks want it.
      const place = task % holders.length
      const holder = workers[place] ?? 0
      const of = due.get(holder) ?? { address: holders[place] ?? '', holder, values: new Map<TaskId, Located[]>() }
      due.set(holder, of)
      const same = of.values.get(heldAs)
      if (same === undefined) of.values.set(heldAs, [next])
      else same.push(next)
    }
    return due.values()
  }

  /** It came, or can't be had. */
  #makeRoom({ sizeBytes }: Located): void {
    this.#bytesUnderWay -= sizeBytes
    this.#fetchSoon()
  }

  #fetchByRelay(due: Due, tasks: readonly TaskId[]): void {
    this.#relayed.fetch(String(due.holder), tasks, this.#sinkFor(due))
  }

  /** Without `onUnreachable`, what can't be reached is missing. */
  #sinkFor({ address, values: valuesOf }: Due, onUnreachable?: (tasks: readonly TaskId[]) => void): ValueSink {
    const { onValue, onMissing } = this.#options
    const pass = (heldAs: TaskId, value: Uint8Array, isOwned: boolean): void => {
      const same = valuesOf.get(heldAs) ?? []
      for (const located of same) {
        this.#makeRoom(located)
        onValue(located.task, value, isOwned && same.length === 1)
      }
    }
    const report = (missing: readonly TaskId[]): void => {
      for (const heldAs of missing) {
        for (const located of valuesOf.get(heldAs) ?? []) {
          this.#makeRoom(located)
          onMissing(located.task, address)
        }
      }
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
