/**
 * Sockets within one process, for `inline:` clusters and for tests. Like a real one, a pair delivers later, never
 * within `send`, and only so much in one turn of the event loop: who sends more than that has to wait.
 */
import { present } from '../../common/assert.js'
import type { CloseReason } from './connection.js'
import type { Socket, SocketHandlers } from './socket.js'

/** What crosses in one turn of the event loop, and at least one frame. */
const BYTES_PER_TURN = 1024 * 1024

export interface MemoryPair {
  readonly left: Socket
  readonly right: Socket
  /** From now on nothing crosses any more, and neither end is told: a cable was pulled. */
  cut(): void
}

export function memoryPair(names: { readonly left: string; readonly right: string }): MemoryPair {
  const left = new MemorySocket(names.right)
  const right = new MemorySocket(names.left)
  left.joinTo(right)
  right.joinTo(left)
  const cut = (): void => {
    left.cut()
    right.cut()
  }
  return { left, right, cut }
}

class MemorySocket implements Socket {
  readonly peer: string
  readonly localAddress = ''
  #other: MemorySocket | undefined
  #handlers: SocketHandlers | undefined
  /** Sent and not delivered. `undefined` at the end: close the other side. */
  #frames: (Uint8Array | undefined)[] = []
  #bufferedBytes = 0
  #receivedBytes = 0
  #isDeliveryDue = false
  #state: 'open' | 'closing' | 'closed' = 'open'
  #isCut = false

  constructor(peer: string) {
    this.peer = peer
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  get receivedBytes(): number {
    return this.#receivedBytes
  }

  get #peerEnd(): MemorySocket {
    return present(this.#other, 'the other end')
  }

  joinTo(other: MemorySocket): void {
    this.#other = other
  }

  cut(): void {
    this.#isCut = true
  }

  handle(handlers: SocketHandlers): void {
    this.#handlers = handlers
    if (this.#state === 'closed') setImmediate(() => handlers.onClose(undefined))
    else this.#peerEnd.deliverSoon()
  }

  send(frame: Uint8Array): void {
    if (this.#state !== 'open') return
    this.#frames.push(frame)
    this.#bufferedBytes += frame.length
    this.deliverSoon()
  }

  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#frames.push(undefined)
    this.deliverSoon()
  }

  terminate(): void {
    if (this.#state === 'closed') return
    this.#state = 'closing'
    this.#frames = []
    this.#bufferedBytes = 0
    setImmediate(() => {
      this.#end(undefined)
      if (!this.#isCut) this.#peerEnd.#end(undefined)
    })
  }

  deliverSoon(): void {
    if (this.#isDeliveryDue || this.#frames.length === 0) return
    this.#isDeliveryDue = true
    setImmediate(() => {
      this.#isDeliveryDue = false
      this.#deliver()
    })
  }

  /** Moves what one turn may carry. Waits while nobody listens at the other end. */
  #deliver(): void {
    const other = this.#peerEnd
    if (other.#handlers === undefined || this.#isCut) return
    let budget = BYTES_PER_TURN
    while (budget > 0 && this.#frames.length > 0) {
      const frame = this.#frames.shift()
      if (frame === undefined) {
        other.#end(undefined)
        this.#end(undefined)
        return
      }
      budget -= frame.length
      this.#bufferedBytes -= frame.length
      if (other.#state === 'closed') continue
      other.#receivedBytes += frame.length
      other.#handlers.onFrame(frame)
    }
    this.#handlers?.onDrain()
    this.deliverSoon()
  }

  #end(reason: CloseReason | undefined): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#frames = []
    this.#bufferedBytes = 0
    this.#handlers?.onClose(reason)
  }
}
