/**
 * Gets values from the processes that hold them. One connection to each holder carries any number of requests at once;
 * it is kept for a while after the last, and closed sooner when others need its place. Every task of a request is
 * answered: with its value, as gone, or as unreachable when the connection cannot be had or breaks.
 */
import { HOLDER_IDLE_MS, MAX_HOLDER_CONNECTIONS } from '../limits.js'
import type { TaskId } from '../ids.js'
import type { Introduction } from './handshake.js'
import { Holder, type Awaiting, type Put, type ValueSink } from './holder.js'
import type { Socket } from './socket.js'
import { systemTimers, type Timers } from './timers.js'

export interface ValueFetcherOptions {
  readonly dial: (address: string, signal: AbortSignal) => Promise<Socket>
  readonly hello: Introduction
  /** Memory for a large value that begins to arrive. */
  readonly allocate?: (sizeBytes: number) => Uint8Array
  readonly timers?: Timers
  readonly maxConnections?: number
  readonly idleMs?: number
  /** What may be on its way to one holder, of values that are brought there. */
  readonly maxPutBytes?: number
}

export class ValueFetcher {
  readonly #options: ValueFetcherOptions
  readonly #timers: Timers
  readonly #maxConnections: number
  /** By address, the least recently asked first. */
  readonly #holders = new Map<string, Holder>()
  /** What calls off the closing of an idle holder. */
  readonly #idle = new Map<Holder, () => void>()
  /** Holders that may not connect yet, in the order they were asked. */
  readonly #waiting = new Set<Holder>()
  #isClosed = false

  constructor(options: ValueFetcherOptions) {
    this.#options = options
    this.#timers = options.timers ?? systemTimers
    this.#maxConnections = options.maxConnections ?? MAX_HOLDER_CONNECTIONS
  }

  /** Connections that are open or being opened. */
  get connectionCount(): number {
    return this.#holders.size - this.#waiting.size
  }

  /** Asks the process at `address` for the values of `tasks`, which may be `awaiting`. `sink` hears of each, never within this call. */
  fetch(address: string, tasks: readonly TaskId[], sink: ValueSink, awaiting?: Awaiting): void {
    if (tasks.length === 0) return
    if (this.#isClosed) {
      queueMicrotask(() => sink.onUnreachable(tasks, 'This process is closing.'))
      return
    }
    this.#use(address).ask(tasks, sink, awaiting)
    this.#connectWaiting()
  }

  /** Brings a value to the process at `address`, which is to hold it. It must not change meanwhile. */
  put(address: string, put: Put): void {
    if (this.#isClosed) {
      queueMicrotask(() => put.onFailed('This process is closing.'))
      return
    }
    this.#use(address).put(put)
    this.#connectWaiting()
  }

  /** Closes every connection. What was not answered is reported as unreachable. */
  close(): void {
    this.#isClosed = true
    for (const holder of [...this.#holders.values()]) holder.close('This process is closing.')
  }

  /** The holder at this address, as the one most recently asked. */
  #use(address: string): Holder {
    const holder = this.#holders.get(address) ?? this.#addHolder(address)
    this.#holders.delete(address)
    this.#holders.set(address, holder)
    this.#idle.get(holder)?.()
    this.#idle.delete(holder)
    return holder
  }

  #addHolder(address: string): Holder {
    const { hello, dial, allocate, maxPutBytes } = this.#options
    const holder: Holder = new Holder({
      hello,
      dial: (signal) => dial(address, signal),
      ...(allocate && { allocate }),
      timers: this.#timers,
      maxPutBytes,
      onIdle: () => this.#onIdle(holder),
      onClose: () => this.#remove(address, holder),
    })
    this.#waiting.add(holder)
    return holder
  }

  #onIdle(holder: Holder): void {
    const close = (): void => holder.close('It was idle.')
    this.#idle.set(holder, this.#timers.after(this.#options.idleMs ?? HOLDER_IDLE_MS, close))
    this.#connectWaiting()
  }

  #remove(address: string, holder: Holder): void {
    this.#idle.get(holder)?.()
    this.#idle.delete(holder)
    this.#waiting.delete(holder)
    if (this.#holders.get(address) === holder) this.#holders.delete(address)
    if (!this.#isClosed) this.#connectWaiting()
  }

  /** Gives free places to those who wait; an idle connection is a free place too. */
  #connectWaiting(): void {
    for (const holder of this.#waiting) {
      if (this.connectionCount >= this.#maxConnections) {
        const [oldestIdle] = this.#idle.keys()
        oldestIdle?.close('Another connection needs its place.')
        return // Its closing calls this again.
      }
      this.#waiting.delete(holder)
      holder.connect()
    }
  }
}
