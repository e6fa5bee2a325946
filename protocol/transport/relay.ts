/**
 * Sockets that lead through the scheduler. One port on the link to it carries any number of them: a frame goes there as a
 * payload, the scheduler passes it on unread, and the far end says what it took, so that no more is ever on its way than
 * a socket may hold.
 */
import { SchedulerUnreachableError } from '../errors.js'
import type { WorkerId } from '../ids.js'
import { CHUNK_BYTES } from '../limits.js'
import type { FromSwitch, ToSwitch } from '../messages/relay.js'
import type { CloseReason } from './connection.js'
import type { Socket, SocketHandlers } from './socket.js'

/** Taken bytes are told once there are so many: a message for each frame would be too much, and the window is wider. */
const TELL_TAKEN_BYTES = CHUNK_BYTES / 4
/** Frames that came ahead of others. Only a broken scheduler lets more of them overtake. */
const MAX_EARLY_FRAMES = 4_096

const NO_MORE = new Uint8Array(0)

type RelayFrame = Extract<FromSwitch, { readonly type: 'relay-frame' }>

/** The link to the scheduler, as far as relays are concerned. */
export interface RelayLink {
  send(message: ToSwitch): void
  sendPayload(message: ToSwitch, payload: Uint8Array): void
}

export interface RelayPortOptions {
  readonly link: RelayLink
  /** Takes the socket of somebody who wants values. Without it, offers are declined. */
  readonly onSocket?: (socket: Socket) => void
}

interface Asked {
  resolve(socket: Socket): void
  reject(error: Error): void
}

/** This process's end of all its relays. */
export class RelayPort {
  readonly #link: RelayLink
  readonly #onSocket: ((socket: Socket) => void) | undefined
  readonly #asked = new Map<number, Asked>()
  readonly #sockets = new Map<number, RelaySocket>()
  #lastRequest = 0
  /** Why nobody can be dialled; `undefined` while the link is up. */
  #closed: string | undefined = 'There is no connection to the scheduler yet.'

  constructor({ link, onSocket }: RelayPortOptions) {
    this.#link = link
    this.#onSocket = onSocket
  }

  /**
   * Opens a socket to a worker.
   *
   * @throws {SchedulerUnreachableError} when the worker is gone, or the scheduler, or there is no link to it.
   * @throws The reason of `signal`, when it aborts.
   */
  dial(holder: WorkerId, signal: AbortSignal): Promise<Socket> {
    const request = ++this.#lastRequest
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error)
      if (this.#closed !== undefined) return reject(new SchedulerUnreachableError(this.#closed))
      const onAbort = (): void => {
        // The answer still comes, and nobody is there for it: then the relay is closed.
        this.#asked.set(request, { resolve: (socket) => socket.terminate(), reject: () => undefined })
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      const settled = (): void => signal.removeEventListener('abort', onAbort)
      this.#asked.set(request, {
        resolve: (socket) => (settled(), resolve(socket)),
        reject: (error) => (settled(), reject(error)),
      })
      this.#link.send({ type: 'open-relay', request, holder })
    })
  }

  onMessage(message: FromSwitch): void {
    switch (message.type) {
      case 'relay-opened':
        this.#takeAsked(message.request)?.resolve(this.#add(message.relay, 'a relay'))
        break
      case 'relay-offered':
        this.#onOffered(message.relay, message.from)
        break
      case 'relay-closed':
        if (message.relay === 0) {
          this.#takeAsked(message.request)?.reject(new SchedulerUnreachableError(message.reason))
        } else {
          this.#take(message.relay)?.onClosed({ code: 'ERR_HEDDLE_CONNECTION_LOST', message: message.reason })
        }
        break
      case 'relay-taken':
        this.#sockets.get(message.relay)?.onTaken(message.sizeBytes)
        break
      case 'relay-frame':
        break // Only heads a payload.
    }
  }

  /** What comes for a relay that is closed is late, and dropped. */
  onPayload({ relay, sequence }: RelayFrame, frame: Uint8Array): void {
    this.#sockets.get(relay)?.onFrame(sequence, frame)
  }

  /** The scheduler has taken this process in: what is said to it from now on arrives, or the link breaks. */
  open(): void {
    this.#closed = undefined
  }

  /** The link is gone, and with it every relay. Whoever is dialled before it is there again is out of reach. */
  close(message: string): void {
    this.#closed = message
    const asked = [...this.#asked.values()]
    const sockets = [...this.#sockets.values()]
    this.#asked.clear()
    this.#sockets.clear()
    for (const { reject } of asked) reject(new SchedulerUnreachableError(message))
    for (const socket of sockets) socket.onClosed({ code: 'ERR_HEDDLE_CONNECTION_LOST', message })
  }

  #onOffered(relay: number, from: string): void {
    if (this.#onSocket === undefined) {
      this.#link.send({ type: 'close-relay', relay })
      return
    }
    const socket = this.#add(relay, `a relay to ${from}`)
    this.#link.send({ type: 'accept-relay', relay })
    this.#onSocket(socket)
  }

  #add(relay: number, peer: string): RelaySocket {
    const socket = new RelaySocket({ relay, peer, link: this.#link, onEnd: () => this.#take(relay) })
    this.#sockets.set(relay, socket)
    return socket
  }

  #take(relay: number): RelaySocket | undefined {
    const socket = this.#sockets.get(relay)
    this.#sockets.delete(relay)
    return socket
  }

  #takeAsked(request: number): Asked | undefined {
    const asked = this.#asked.get(request)
    this.#asked.delete(request)
    return asked
  }
}

interface RelaySocketOptions {
  readonly relay: number
  readonly peer: string
  readonly link: RelayLink
  /** It ended here: nothing for it is of interest any more. */
  readonly onEnd: () => void
}

class RelaySocket implements Socket {
  readonly peer: string
  readonly localAddress = ''
  readonly #relay: number
  readonly #link: RelayLink
  readonly #onEnd: () => void
  readonly #early = new Map<number, Uint8Array>()
  #handlers: SocketHandlers | undefined
  /** `closing`: the last frame was sent, and the far end has not taken it yet. */
  #state: 'open' | 'closing' | 'closed' = 'open'
  #closeReason: CloseReason | undefined
  #nextSent = 0
  #nextReceived = 0
  #sentBytes = 0
  #receivedBytes = 0
  #untoldBytes = 0

  constructor({ relay, peer, link, onEnd }: RelaySocketOptions) {
    this.#relay = relay
    this.peer = peer
    this.#link = link
    this.#onEnd = onEnd
  }

  /** What the far end has not taken: that is all that may be on its way. */
  get bufferedBytes(): number {
    return this.#sentBytes
  }

  get receivedBytes(): number {
    return this.#receivedBytes
  }

  handle(handlers: SocketHandlers): void {
    this.#handlers = handlers
    if (this.#state === 'closed') queueMicrotask(() => handlers.onClose(this.#closeReason))
    else this.#deliver()
  }

  send(frame: Uint8Array): void {
    if (this.#state === 'open') this.#send(frame)
  }

  close(): void {
    if (this.#state !== 'open') return
    this.#send(NO_MORE)
    this.#state = 'closing'
  }

  terminate(): void {
    if (this.#state === 'closed') return
    this.#hangUp()
    queueMicrotask(() => this.#handlers?.onClose(undefined))
  }

  onFrame(sequence: number, frame: Uint8Array): void {
    this.#receivedBytes += frame.length
    this.#early.set(sequence, frame)
    const isBroken = this.#early.size > MAX_EARLY_FRAMES || sequence < this.#nextReceived
    if (!isBroken) return this.#deliver()
    this.#hangUp()
    this.#handlers?.onClose({ code: 'ERR_HEDDLE_PROTOCOL', message: `The frames of ${this.peer} make no sense.` })
  }

  onTaken(sizeBytes: number): void {
    this.#sentBytes = Math.max(0, this.#sentBytes - sizeBytes)
    this.#handlers?.onDrain()
  }

  /** The relay is gone, by itself or because the far end took the last frame. */
  onClosed(reason: CloseReason): void {
    if (this.#state === 'closed') return
    if (this.#state === 'open') this.#closeReason = reason
    this.#state = 'closed'
    this.#early.clear()
    this.#handlers?.onClose(this.#closeReason)
  }

  #send(frame: Uint8Array): void {
    this.#sentBytes += frame.length
    this.#link.sendPayload({ type: 'relay-frame', relay: this.#relay, sequence: this.#nextSent++ }, frame)
  }

  /** Frames in their order; an empty one is the last. A handler may end the socket, or hand it to another. */
  #deliver(): void {
    while (this.#handlers !== undefined && this.#state !== 'closed') {
      const frame = this.#early.get(this.#nextReceived)
      if (frame === undefined) break
      this.#early.delete(this.#nextReceived++)
      if (frame.length === 0) {
        this.#hangUp()
        this.#handlers.onClose(undefined)
        return
      }
      this.#untoldBytes += frame.length
      this.#handlers.onFrame(frame)
    }
    if (this.#untoldBytes < TELL_TAKEN_BYTES || this.#state === 'closed') return
    this.#link.send({ type: 'relay-taken', relay: this.#relay, sizeBytes: this.#untoldBytes })
    this.#untoldBytes = 0
  }

  #hangUp(): void {
    this.#state = 'closed'
    this.#early.clear()
    this.#link.send({ type: 'close-relay', relay: this.#relay })
    this.#onEnd()
  }
}
