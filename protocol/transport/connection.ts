/**
 * A connection carries messages between two processes, in order, until one side closes it with a reason. WebSocket and
 * in-memory connections pass the same compliance suite (test/transport).
 *
 * - Messages sent in one turn of the event loop leave as one frame; there is no timer.
 * - What is larger than `CHUNK_BYTES` travels in chunks. Heartbeats go between the chunks, so bulk never looks like death.
 * - Payloads travel beside the messages: they may be overtaken by later messages and by each other.
 * - At most `MAX_IN_FLIGHT_BYTES` are in the socket; the rest waits here, in the open: `queuedBytes`, `whenDrained()`.
 */

import type { Pieces } from './pieces.js'

/** Why a connection ended. `code` is one of `ERROR_CODES`, or `'closed'` when all is well. */
export interface CloseReason {
  readonly code: string
  readonly message: string
}

export interface Connection<Outgoing> {
  /** What the peer said of itself, for logs: an address or a name. */
  readonly peer: string
  /** The address of our own end as the peer sees it, without a port: `127.0.0.1`. Empty in memory. */
  readonly localAddress: string
  /** Queues a message; it leaves at the end of this turn. Does nothing once the connection is closed. */
  send(message: Outgoing): void
  /** Queues a message with a payload. The payload is not copied: it must not change until it has left. */
  sendPayload(message: Outgoing, payload: Uint8Array | Pieces): void
  /** Bytes accepted by `send` and `sendPayload` that have not reached the socket yet. */
  readonly queuedBytes: number
  /** Resolves when `queuedBytes` is below `MAX_IN_FLIGHT_BYTES`, or the connection is closed. */
  whenDrained(): Promise<void>
  /** Sends what is queued, tells the peer why, and closes. Nothing is delivered any more. A second call does nothing. */
  close(reason?: CloseReason): void
  /** Resolves, never rejects, when the connection is gone, with the reason that either side gave. */
  readonly closed: Promise<CloseReason>
}

export interface Handlers<Incoming> {
  /** The messages of one frame, in the order they were sent. */
  onMessages(messages: readonly Incoming[]): void
  /** A payload is complete. `payload` is memory from `allocate`, and the receiver's own. */
  onPayload?(message: Incoming, payload: Uint8Array): void
  /** Memory for a payload that begins to arrive; the default is fresh unshared memory. */
  allocate?(sizeBytes: number): Uint8Array
  /** Called once, after the last message. */
  onClose(reason: CloseReason): void
}
