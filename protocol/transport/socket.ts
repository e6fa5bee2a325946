/**
 * What a connection is built on: frames go in at one end and come out whole and in order at the other. WebSocket and
 * memory implement it; everything above (batches, chunks, heartbeats, handshake) is written once, over this.
 */
import type { CloseReason } from './connection.js'

export interface SocketHandlers {
  /** A frame came in. It is the receiver's to keep views of; nobody writes to it again. */
  onFrame(frame: Uint8Array): void
  /**
   * A frame of this size begins: the memory where it is wanted, which `onFrame` gets once it is full; `undefined` for
   * memory of the socket. Not every socket asks.
   */
  memoryFor?(sizeBytes: number): Uint8Array | undefined
  /** Has the peer said who it is? For a frame of a stranger that begins, no more memory is kept than for a hello. */
  readonly isPeerKnown?: boolean
  /** `bufferedBytes` went down. */
  onDrain(): void
  /** Called once, after the last frame. With a reason where the socket itself found one, as when a frame is too large. */
  onClose(reason: CloseReason | undefined): void
}

export interface Socket {
  /** Where the other end is: an address, for people. */
  readonly peer: string
  /** The address of our own end, without a port. Empty in memory. */
  readonly localAddress: string
  /** Bytes handed to `send` that the operating system has not taken yet. */
  readonly bufferedBytes: number
  /** Grows with every byte that comes in, also with those of a frame that is not whole yet. */
  readonly receivedBytes: number
  /** Says who hears of frames from now on. Until the first call nothing is read. */
  handle(handlers: SocketHandlers): void
  /** The frame is not copied: it must not change afterwards. Does nothing once the socket is closed. */
  send(frame: Uint8Array): void
  /** Closes once everything sent has left. `onClose` follows. */
  close(): void
  /** Closes at once, whatever is still in it. `onClose` follows, never within this call. */
  terminate(): void
}
