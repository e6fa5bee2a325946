/** Values on their way between this worker and others: gives what it holds to those who ask, and asks others. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Log } from '../common/node/log.js'
import { AuthenticationError } from '../protocol/errors.js'
import { workerId, type TaskId, type WorkerId } from '../protocol/ids.js'
import type { Hello } from '../protocol/messages/handshake.js'
import { fromHolder, toHolder, type FromHolder } from '../protocol/messages/peer.js'
import { CLIENT_SILENCE_MS, MAX_RELAYS_PER_MEMBER, RELAY_IDLE_MS } from '../protocol/limits.js'
import type { Connection } from '../protocol/transport/connection.js'
import { answer, type Admission } from '../protocol/transport/handshake.js'
import type { ValueSink } from '../protocol/transport/holder.js'
import type { Socket } from '../protocol/transport/socket.js'
import { ValueFetcher } from '../protocol/transport/value-fetcher.js'
import { serveValues, type AwaitAnswer, type Awaited, type Lookup } from '../protocol/transport/value-server.js'
import type { WorkerEvent } from './core/events.js'
import { allocateShared } from './thread/shared-memory.js'
import type { ValueStore } from './value-store.js'

export interface ValueExchangeOptions {
  /** The worker's name. */
  readonly worker: string
  readonly store: ValueStore
  /** A held value, wherever it is. */
  readonly lookup: Lookup
  readonly log: Log
  readonly dial: (address: string, signal: AbortSignal) => Promise<Socket>
  /** Opens a socket to a worker that leads through the scheduler. */
  readonly dialByRelay: (holder: WorkerId, signal: AbortSignal) => Promise<Socket>
  readonly submit: (event: WorkerEvent) => void
}

export class ValueExchange {
  readonly #options: ValueExchangeOptions
  readonly #served = new Set<Connection<FromHolder>>()
  /** What answers each open question for values that are made here. */
  readonly #awaited = new Map<number, (answer: AwaitAnswer) => void>()
  #lastQuestion = 0
  #secret: string | undefined
  #fetcher: ValueFetcher | undefined
  #relayFetcher: ValueFetcher | undefined

  constructor(options: ValueExchangeOptions) {
    this.#options = options
  }

  /** The scheduler says what workers and clients show each other. Until then nobody is served. */
  useSecret(secret: string): void {
    if (secret === this.#secret) return
    const { worker, dial, dialByRelay } = this.#options
    this.#secret = secret
    this.#fetcher?.close()
    this.#relayFetcher?.close()
    const hello = { role: 'peer', name: worker, secret } as const
    this.#fetcher = new ValueFetcher({ dial, hello, allocate: allocateShared })
    this.#relayFetcher = new ValueFetcher({
      dial: (holder, signal) => dialByRelay(workerId(Number(holder)), signal),
      hello,
      allocate: allocateShared,
      maxConnections: MAX_RELAYS_PER_MEMBER,
      idleMs: RELAY_IDLE_MS,
    })
  }

  /** Takes a fresh socket of somebody who wants values. */
  accept(socket: Socket): void {
    answer({
      socket,
      self: 'worker',
      admit: (hello) => this.#admit(hello),
      onRefused: ({ code, message }) => this.#options.log.warn({ peer: socket.peer, code }, message),
    })
  }

  /** Asks for values of `holder`, which may be still to be made there. Each is answered by an event. */
  fetch(holder: WorkerId, address: string, tasks: readonly TaskId[], after?: number): void {
    this.#fetcher?.fetch(
      address,
      tasks,
      this.#sink(holder, (missing, reason) => {
        this.#options.log.warn({ address, values: missing.length }, `a worker is out of reach: ${reason}`)
        this.#options.submit({ type: 'values-unreachable', nowMs: performance.now(), holder, tasks: missing })
      }),
      after === undefined ? undefined : { worker: holder, after },
    )
  }

  /** As `fetch`, by way of the scheduler. */
  fetchByRelay(holder: WorkerId, tasks: readonly TaskId[]): void {
    this.#relayFetcher?.fetch(
      String(holder),
      tasks,
      this.#sink(holder, (missing, reason) => {
        this.#options.log.warn({ holder, values: missing.length }, `values could not be fetched: ${reason}`)
        this.#options.submit({ type: 'values-missing', nowMs: performance.now(), holder, tasks: missing })
      }),
    )
  }

  /** Answers those who await values that are made here. */
  answerAwait(question: number, answer: AwaitAnswer): void {
    const tell = this.#awaited.get(question)
    if (answer.isLast) this.#awaited.delete(question)
    tell?.(answer)
  }

  #onAwait(asked: Awaited, tell: (answer: AwaitAnswer) => void): () => void {
    const question = ++this.#lastQuestion
    this.#awaited.set(question, tell)
    this.#options.submit({ type: 'values-awaited', nowMs: performance.now(), question, ...asked })
    return () => {
      this.#awaited.delete(question)
      this.#options.submit({ type: 'await-ended', nowMs: performance.now(), question })
    }
  }

  #sink(holder: WorkerId, onUnreachable: ValueSink['onUnreachable']): ValueSink {
    const { store, submit } = this.#options
    return {
      onValues: (found, values) => {
        store.putMany(found, values)
        const sizes = values.ends.map((end, i) => end - (i === 0 ? 0 : values.ends[i - 1]!))
        submit({ type: 'values-fetched', nowMs: performance.now(), holder, tasks: found, sizes })
      },
      onLargeValue: (task, value) => {
        store.put(task, value)
        submit({ type: 'values-fetched', nowMs: performance.now(), holder, tasks: [task], sizes: [value.length] })
      },
      onLocated: (tasks, sizes) => submit({ type: 'values-located', nowMs: performance.now(), holder, tasks, sizes }),
      onGone: (missing) => submit({ type: 'values-missing', nowMs: performance.now(), holder, tasks: missing }),
      onUnreachable,
    }
  }

  close(): void {
    this.#fetcher?.close()
    this.#relayFetcher?.close()
    for (const connection of this.#served) connection.close()
  }

  #admit({ secret, role }: Hello): Admission {
    if (secret === undefined || this.#secret === undefined || !isSame(secret, this.#secret)) {
      return { refuse: new AuthenticationError('This worker gives values only to members of its own cluster.') }
    }
    return {
      incoming: toHolder,
      outgoing: fromHolder,
      maxSilenceMs: role === 'client' ? CLIENT_SILENCE_MS : undefined,
      handlers: (connection: Connection<FromHolder>) => {
        this.#served.add(connection)
        const { store, lookup, submit } = this.#options
        return serveValues(connection, lookup, {
          onClose: () => this.#served.delete(connection),
          awaits: { onAwait: (asked, tell) => this.#onAwait(asked, tell) },
          puts: {
            allocate: allocateShared,
            onPut: (task, value) => {
              store.put(task, value)
              submit({ type: 'value-put', nowMs: performance.now(), task, sizeBytes: value.length })
            },
          },
        })
      },
    }
  }
}

/** In a time that says nothing of where two secrets differ. */
function isSame(shown: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(shown), digest(expected))
}
