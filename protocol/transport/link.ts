/**
 * A connection over a raw socket. What it sends in one turn of the event loop leaves as one frame; it hands the socket
 * no more than the socket may hold, and keeps the rest in its outbox, where later heartbeats can overtake it.
 */
import { HeddleError } from '../errors.js'
import {
  CHUNK_BYTES,
  HEARTBEAT_TIMEOUT_MS,
  MAX_IN_FLIGHT_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_QUEUED_BYTES,
} from '../limits.js'
import type { Field } from '../schema.js'
import { encode } from './codec.js'
import type { CloseReason, Connection, Handlers } from './connection.js'
import { FRAME, goodbye, PING_FRAME, PONG_FRAME } from './frame.js'
import { Heartbeat } from './heartbeat.js'
import { freshMemory, Inbox, type Arrival } from './inbox.js'
import { Outbox } from './outbox.js'
import type { Pieces } from './pieces.js'
import type { Socket } from './socket.js'
import { systemTimers, type Timers } from './timers.js'

/** What both ends say on a link, and who listens. */
export interface LinkContract<Incoming, Outgoing> {
  readonly incoming: Field<Incoming>
  readonly outgoing: Field<Outgoing>
  /** How long the peer may be silent before it is given up. Default: `HEARTBEAT_TIMEOUT_MS`. */
  readonly maxSilenceMs?: number | undefined
  /** How much may wait for the peer before it is cut off. Default: `MAX_QUEUED_BYTES`. */
  readonly maxQueuedBytes?: number | undefined
  /** Called once, before anything arrives, with the connection that the handlers may answer on. */
  handlers(connection: Connection<Outgoing>): Handlers<Incoming>
}

export interface LinkOptions<Incoming, Outgoing> extends LinkContract<Incoming, Outgoing> {
  /** Open, and past its handshake. The link is its only user from now on. */
  readonly socket: Socket
  /** Replaces the socket's name of the peer, once the peer said who it is. */
  readonly peer?: string
  readonly timers?: Timers
  readonly maxMessageBytes?: number
}

/** How a link that ended well is reported. */
export const CLOSED: CloseReason = Object.freeze({ code: 'closed', message: 'The connection was closed.' })

/** What a goodbye may say, so that its frame stays small. */
const MAX_REASON_CHARACTERS = 4_000

type State =
  | { readonly type: 'open' }
  /** Closed here: what is queued still leaves, unless the peer is at fault; then the goodbye, then the socket closes. */
  | { readonly type: 'closing'; readonly reason: CloseReason }
  /** The goodbye was sent or received: only the end of the socket is awaited. */
  | { readonly type: 'leaving'; readonly reason: CloseReason }
  | { readonly type: 'closed' }

/** Opens a connection over `socket`. */
export function openLink<Incoming, Outgoing>(options: LinkOptions<Incoming, Outgoing>): Connection<Outgoing> {
  return new Link(options)
}

class Link<Incoming, Outgoing> implements Connection<Outgoing> {
  readonly peer: string
  readonly localAddress: string
  readonly closed: Promise<CloseReason>
  readonly #socket: Socket
  readonly #outbox: Outbox<Outgoing>
  readonly #inbox: Inbox<Incoming>
  readonly #handlers: Handlers<Incoming>
  readonly #heartbeat: Heartbeat
  readonly #maxQueuedBytes: number
  readonly #resolveClosed: (reason: CloseReason) => void
  #state: State = { type: 'open' }
  #isFlushDue = false
  #isPingDue = false
  #isPongDue = false
  /** Bytes handed to the socket since the event loop last had a turn of its own. */
  #burstBytes = 0
  #whenDrained: { readonly promise: Promise<undefined>; readonly resolve: (nothing: undefined) => void } | undefined

  constructor(options: LinkOptions<Incoming, Outgoing>) {
    const { socket, maxMessageBytes = MAX_MESSAGE_BYTES } = options
    this.peer = options.peer ?? socket.peer
    this.localAddress = socket.localAddress
    this.#socket = socket
    this.#maxQueuedBytes = options.maxQueuedBytes ?? MAX_QUEUED_BYTES
    this.#outbox = new Outbox(options.outgoing, maxMessageBytes)
    const { promise, resolve } = deferred<CloseReason>()
    this.closed = promise
    this.#resolveClosed = resolve
    this.#handlers = options.handlers(this)
    const allocate = (sizeBytes: number): Uint8Array => this.#handlers.allocate?.(sizeBytes) ?? freshMemory(sizeBytes)
    this.#inbox = new Inbox(options.incoming, maxMessageBytes, allocate)
    this.#heartbeat = new Heartbeat({
      timers: options.timers ?? systemTimers,
      maxSilenceMs: options.maxSilenceMs ?? HEARTBEAT_TIMEOUT_MS,
      // Once closed here, a peer that still talks but no longer reads must not hold the socket open.
      signsOfLife: () => (this.#state.type === 'open' ? socket.receivedBytes : -this.#unsentBytes),
      ping: () => {
        this.#isPingDue = true
        this.#flush()
      },
      onSilent: () => this.#abandon(`${this.peer} stopped answering.`),
    })
    socket.handle({
      onFrame: (frame) => this.#onFrame(frame),
      isPeerKnown: true,
      memoryFor: (sizeBytes) => (this.#state.type === 'open' ? this.#inbox.chunkMemory(sizeBytes) : undefined),
      onDrain: () => this.#flush(),
      onClose: (reason) => this.#onSocketClose(reason),
    })
  }

  get queuedBytes(): number {
    return this.#outbox.queuedBytes
  }

  get #unsentBytes(): number {
    return this.#outbox.queuedBytes + this.#socket.bufferedBytes
  }

  send(message: Outgoing): void {
    if (this.#state.type !== 'open') return
    this.#outbox.addMessage(message)
    this.#afterQueuing()
  }

  sendPayload(message: Outgoing, payload: Uint8Array | Pieces): void {
    if (this.#state.type !== 'open') return
    this.#outbox.addPayload(message, payload)
    this.#afterQueuing()
  }

  whenDrained(): Promise<void> {
    if (this.#outbox.queuedBytes < MAX_IN_FLIGHT_BYTES || this.#state.type === 'closed') return Promise.resolve()
    this.#whenDrained ??= deferred<undefined>()
    return this.#whenDrained.promise
  }

  close(reason: CloseReason = CLOSED): void {
    if (this.#state.type !== 'open') return
    this.#state = { type: 'closing', reason }
    this.#flushSoon()
  }

  #afterQueuing(): void {
    if (this.#outbox.queuedBytes > this.#maxQueuedBytes) {
      this.#abandon(`${this.peer} reads too slowly: more than ${this.#maxQueuedBytes} bytes wait for it.`)
    } else {
      this.#flushSoon()
    }
  }

  /**
   * Once the code that runs now is through, with every promise it settled: `nextTick` from a microtask comes after all
   * microtasks. Waiting for `setImmediate` would gather no more from one event, and cost a poll of the sockets first.
   */
  #flushSoon(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    queueMicrotask(this.#afterMicrotasks)
  }

  readonly #afterMicrotasks = (): void => process.nextTick(this.#flushDue)

  readonly #flushDue = (): void => {
    this.#isFlushDue = false
    this.#flush()
  }

  readonly #sendFrame = (frame: Uint8Array): void => this.#socket.send(frame)

  /** Hands the socket as much as it may hold. The one place that sends. */
  #flush(): void {
    if (this.#state.type !== 'open' && this.#state.type !== 'closing') return
    while (this.#hasRoom()) {
      this.#sendSignsOfLife()
      const sentBytes = this.#sendNext()
      if (sentBytes === 0) break
      this.#countBurst(sentBytes)
    }
    if (this.#outbox.queuedBytes < MAX_IN_FLIGHT_BYTES) this.#releaseDrainWaiters()
    if (this.#state.type === 'closing' && this.#outbox.queuedBytes === 0) this.#leave(this.#state.reason)
  }

  /** Returns 0 when nothing waits. */
  #sendNext(): number {
    try {
      return this.#outbox.sendNext(this.#sendFrame)
    } catch (error) {
      if (!(error instanceof HeddleError)) throw error
      this.#abandon(error.message)
      return 0
    }
  }

  #sendSignsOfLife(): void {
    if (this.#isPongDue) this.#socket.send(PONG_FRAME)
    if (this.#isPingDue) this.#socket.send(PING_FRAME)
    this.#isPongDue = false
    this.#isPingDue = false
  }

  #hasRoom(): boolean {
    return this.#burstBytes < MAX_IN_FLIGHT_BYTES && this.#socket.bufferedBytes + CHUNK_BYTES <= MAX_IN_FLIGHT_BYTES
  }

  /** A peer that reads as fast as we write would keep us here for the whole of a large payload, and all others waiting. */
  #countBurst(sentBytes: number): void {
    this.#burstBytes += sentBytes
    if (this.#burstBytes < MAX_IN_FLIGHT_BYTES) return
    setImmediate(() => {
      this.#burstBytes = 0
      this.#flush()
    })
  }

  #onFrame(frame: Uint8Array): void {
    if (this.#state.type === 'leaving' || this.#state.type === 'closed') return
    const arrival = this.#parse(frame)
    if (arrival === undefined) return
    if (arrival.type === 'goodbye') {
      this.#state = { type: 'leaving', reason: arrival.reason }
      this.#outbox.clear()
      this.#socket.close()
      return
    }
    if (this.#state.type === 'closing') return
    switch (arrival.type) {
      case 'messages':
        this.#handlers.onMessages(arrival.messages)
        break
      case 'payload':
        this.#handlers.onPayload?.(arrival.message, arrival.payload)
        break
      case 'ping':
        this.#isPongDue = true
        this.#flush()
        break
      case 'nothing':
        break
    }
  }

  /** Only the peer's fault is caught here; what a handler throws is ours and not the peer's business. */
  #parse(frame: Uint8Array): Arrival<Incoming> | undefined {
    try {
      return this.#inbox.read(frame)
    } catch (error) {
      if (!(error instanceof HeddleError)) throw error
      this.#outbox.clear()
      this.#leave({ code: error.code, message: error.message })
      return undefined
    }
  }

  #leave(reason: CloseReason): void {
    this.#state = { type: 'leaving', reason }
    const message = reason.message.slice(0, MAX_REASON_CHARACTERS)
    const frame = encode(goodbye, { code: reason.code, message }, 1)
    frame[0] = FRAME.goodbye
    this.#socket.send(frame)
    this.#socket.close()
  }

  /** Gives up a peer that does not hear us any more, or that can't be told the rest of what it was told half. */
  #abandon(message: string): void {
    // What we wanted to close for anyway is the better reason.
    const reason = 'reason' in this.#state ? this.#state.reason : { code: 'ERR_HEDDLE_CONNECTION_LOST', message }
    this.#state = { type: 'leaving', reason }
    this.#outbox.clear()
    this.#socket.terminate()
  }

  #onSocketClose(found: CloseReason | undefined): void {
    const lost = { code: 'ERR_HEDDLE_CONNECTION_LOST', message: `The connection to ${this.peer} broke.` }
    const reason = 'reason' in this.#state ? this.#state.reason : (found ?? lost)
    this.#state = { type: 'closed' }
    this.#heartbeat.stop()
    this.#outbox.clear()
    this.#releaseDrainWaiters()
    this.#handlers.onClose(reason)
    this.#resolveClosed(reason)
  }

  #releaseDrainWaiters(): void {
    this.#whenDrained?.resolve(undefined)
    this.#whenDrained = undefined
  }
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => (resolve = settle))
  return { promise, resolve }
}
