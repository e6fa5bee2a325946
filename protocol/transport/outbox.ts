/**
 * What waits to be sent on one connection, and what goes next. Messages keep their order. Payloads go beside them, a
 * few at a time, chunk by chunk and in turn; between two frames of messages at most one chunk of a payload goes, and
 * the other way round, so that neither waits long for the other.
 */
import { ProtocolError } from '../errors.js'
import { CHUNK_BYTES } from '../limits.js'
import type { Field } from '../schema.js'
import { Batch } from './batch.js'
import { encode } from './codec.js'
import {
  BATCH_HEAD_BYTES,
  BATCH_LANE,
  chunkFrame,
  largeBatchFrame,
  PAYLOAD_HEAD_BYTES,
  PAYLOAD_LANES,
  writePayloadHead,
} from './frame.js'
import { Pieces } from './pieces.js'

/** Bytes that leave in chunks. */
interface Transfer {
  readonly pieces: readonly Uint8Array[]
  /** The piece that is being sent, and how much of it was. */
  piece: number
  sentBytes: number
}
interface WaitingPayload {
  readonly head: Uint8Array
  readonly payload: Pieces
}

export class Outbox<M> {
  readonly #schema: Field<M>
  readonly #maxMessageBytes: number
  /** Open: later messages still join it. It closes when it is full, or when the socket has room for it. */
  readonly #batch = new Batch()
  #fullBatches: Uint8Array[] = []
  #largeBatch: Transfer | undefined
  #waitingPayloads: WaitingPayload[] = []
  readonly #lanes = new Array<Transfer | undefined>(PAYLOAD_LANES).fill(undefined)
  #busyLanes = 0
  #lastLane = 0
  #isPayloadsTurn = false
  #queuedBytes = 0

  constructor(schema: Field<M>, maxMessageBytes: number) {
    this.#schema = schema
    this.#maxMessageBytes = maxMessageBytes
  }

  /** Bytes that were added and not taken. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** @throws {ProtocolError} when the message is too large. */
  addMessage(message: M): void {
    const encoded = encode(this.#schema, message, BATCH_HEAD_BYTES)
    this.#checkSize(encoded.length)
    if (this.#batch.sizeBytes > 0 && this.#batch.sizeBytes + encoded.length > CHUNK_BYTES) this.#closeBatch()
    this.#queuedBytes -= this.#batch.sizeBytes
    this.#batch.add(encoded)
    this.#queuedBytes += this.#batch.sizeBytes
  }

  /** @throws {ProtocolError} when the payload or its message is too large. */
  addPayload(message: M, bytes: Uint8Array | Pieces): void {
    const payload = bytes instanceof Pieces ? bytes : new Pieces([bytes])
    const head = encode(this.#schema, message, PAYLOAD_HEAD_BYTES)
    if (head.length > CHUNK_BYTES) throw new ProtocolError('ours', 'The message of a payload must fit into one chunk.')
    this.#checkSize(payload.length)
    this.#waitingPayloads.push({ head, payload })
    this.#queuedBytes += head.length + payload.length
  }

  /**
   * Hands the next frame (or chunk, which is two) to `send`, and returns its bytes; 0 when nothing waits.
   *
   * @throws {ProtocolError} when memory of a payload is gone, half of which may have been sent.
   */
  sendNext(send: (frame: Uint8Array) => void): number {
    const queuedBefore = this.#queuedBytes
    if (this.#isPayloadsTurn) {
      if (!this.#sendPayloadPart(send)) this.#sendMessages(send)
    } else if (!this.#sendMessages(send)) {
      this.#sendPayloadPart(send)
    }
    this.#isPayloadsTurn = !this.#isPayloadsTurn
    return queuedBefore - this.#queuedBytes
  }

  /** Forgets everything that waits. */
  clear(): void {
    this.#batch.take()
    this.#fullBatches = []
    this.#largeBatch = undefined
    this.#waitingPayloads = []
    this.#lanes.fill(undefined)
    this.#busyLanes = 0
    this.#queuedBytes = 0
  }

  #checkSize(sizeBytes: number): void {
    if (sizeBytes <= this.#maxMessageBytes) return
    throw new ProtocolError(
      'ours',
      `A message of ${sizeBytes} bytes is too large: the limit is ${this.#maxMessageBytes}.`,
    )
  }

  #closeBatch(): void {
    this.#fullBatches.push(this.#batch.take())
  }

  #sendMessages(send: (frame: Uint8Array) => void): boolean {
    if (this.#largeBatch !== undefined) {
      if (this.#sendChunk(BATCH_LANE, this.#largeBatch, send)) this.#largeBatch = undefined
      return true
    }
    if (this.#fullBatches.length === 0 && this.#batch.sizeBytes > 0) this.#closeBatch()
    const frame = this.#fullBatches.shift()
    if (frame === undefined) return false
    if (frame.length <= CHUNK_BYTES) {
      this.#queuedBytes -= frame.length
      send(frame)
    } else {
      this.#queuedBytes -= 1 // The kind, which the head says instead.
      this.#largeBatch = { pieces: [frame.subarray(1)], piece: 0, sentBytes: 0 }
      send(largeBatchFrame(frame.length - 1))
    }
    return true
  }

  #sendPayloadPart(send: (frame: Uint8Array) => void): boolean {
    if (this.#busyLanes < PAYLOAD_LANES && this.#waitingPayloads.length > 0) {
      this.#beginPayload(send)
      return true
    }
    if (this.#busyLanes === 0) return false
    do this.#lastLane = (this.#lastLane + 1) % PAYLOAD_LANES
    while (this.#lanes[this.#lastLane] === undefined)
    const transfer = this.#lanes[this.#lastLane]!
    if (this.#sendChunk(this.#lastLane + 1, transfer, send)) {
      this.#lanes[this.#lastLane] = undefined
      this.#busyLanes -= 1
    }
    return true
  }

  #beginPayload(send: (frame: Uint8Array) => void): void {
    const { head, payload } = this.#waitingPayloads.shift()!
    const lane = this.#lanes.indexOf(undefined)
    writePayloadHead(head, lane + 1, payload.length)
    this.#queuedBytes -= head.length
    send(head)
    if (payload.length === 0) return
    this.#lanes[lane] = { pieces: payload.list, piece: 0, sentBytes: 0 }
    this.#busyLanes += 1
  }

  /** Returns whether it was the last chunk. */
  #sendChunk(lane: number, transfer: Transfer, send: (frame: Uint8Array) => void): boolean {
    const piece = transfer.pieces[transfer.piece]!
    if (piece.length === 0)
      throw new ProtocolError('ours', 'The memory of a payload was transferred before it was sent.')
    const chunk = piece.subarray(transfer.sentBytes, transfer.sentBytes + CHUNK_BYTES)
    transfer.sentBytes += chunk.length
    this.#queuedBytes -= chunk.length
    send(chunkFrame(lane))
    send(chunk)
    if (transfer.sentBytes < piece.length) return false
    transfer.piece += 1
    transfer.sentBytes = 0
    return transfer.piece === transfer.pieces.length
  }
}
