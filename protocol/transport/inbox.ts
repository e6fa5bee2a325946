/**
 * What arrives on one connection: frames become messages and payloads here, and whatever is not a frame of ours is
 * refused. Chunks are written straight into the memory where the whole is wanted.
 */
import { assert } from '../../common/assert.js'
import { HeddleError, ProtocolError } from '../errors.js'
import { MAX_FRAME_BYTES } from '../limits.js'
import type { Field } from '../schema.js'
import { decode, decodeList } from './codec.js'
import type { CloseReason } from './connection.js'
import {
  BATCH_LANE,
  FRAME,
  goodbye,
  LARGE_BATCH_BYTES,
  PAYLOAD_HEAD_BYTES,
  PAYLOAD_LANES,
  readPayloadSize,
  readUint32,
} from './frame.js'

/** What a frame brought. */
export type Arrival<M> =
  | { readonly type: 'messages'; readonly messages: readonly M[] }
  | { readonly type: 'payload'; readonly message: M; readonly payload: Uint8Array }
  | { readonly type: 'goodbye'; readonly reason: CloseReason }
  | { readonly type: 'ping' }
  /** Part of something larger, or a mere sign of life. */
  | { readonly type: 'nothing' }

interface Transfer<M> {
  readonly bytes: Uint8Array
  receivedBytes: number
  /** What the payload belongs to; a large batch has none. */
  readonly message: M | undefined
}

const NOTHING = Object.freeze({ type: 'nothing' })
const PING = Object.freeze({ type: 'ping' })

const malformed = (what: string): ProtocolError => new ProtocolError('theirs', `A frame is malformed: ${what}.`)

export class Inbox<M> {
  readonly #schema: Field<M>
  readonly #maxMessageBytes: number
  readonly #allocate: (sizeBytes: number) => Uint8Array
  readonly #lanes = new Array<Transfer<M> | undefined>(1 + PAYLOAD_LANES).fill(undefined)
  /** The lane that the next frame is a chunk of, after a chunk frame. */
  #chunkLane: number | undefined

  constructor(schema: Field<M>, maxMessageBytes: number, allocate: (sizeBytes: number) => Uint8Array) {
    this.#schema = schema
    this.#maxMessageBytes = maxMessageBytes
    this.#allocate = allocate
  }

  /** @throws {HeddleError} when the frame is not one of ours, too large, or there is no memory for what it begins. */
  read(frame: Uint8Array): Arrival<M> {
    if (frame.length > MAX_FRAME_BYTES)
      throw malformed(`it has ${frame.length} bytes, and the limit is ${MAX_FRAME_BYTES}`)
    if (this.#chunkLane !== undefined) return this.#readChunk(this.#chunkLane, frame)
    switch (frame[0]) {
      case FRAME.batch:
        if (this.#lanes[BATCH_LANE] !== undefined) throw malformed('a batch overtakes another')
        return { type: 'messages', messages: decodeList(this.#schema, frame.subarray(1)) }
      case FRAME.largeBatch:
        return this.#beginLargeBatch(frame)
      case FRAME.payload:
        return this.#beginPayload(frame)
      case FRAME.chunk:
        if (frame.length !== 2 || this.#lanes[frame[1]!] === undefined) throw malformed('a chunk of nothing')
        this.#chunkLane = frame[1]!
        return NOTHING
      case FRAME.ping:
        return PING
      case FRAME.pong:
        return NOTHING
      case FRAME.goodbye:
        return { type: 'goodbye', reason: decode(goodbye, frame.subarray(1)) }
      default:
        throw malformed(frame.length === 0 ? 'it is empty' : `kind ${frame[0]} is not known here`)
    }
  }

  /** Where the next frame belongs, if it is a chunk that fits: a socket may read it right there. */
  chunkMemory(sizeBytes: number): Uint8Array | undefined {
    if (this.#chunkLane === undefined) return undefined
    const { bytes, receivedBytes } = this.#lanes[this.#chunkLane]!
    const end = receivedBytes + sizeBytes
    return end > bytes.length ? undefined : bytes.subarray(receivedBytes, end)
  }

  #beginLargeBatch(frame: Uint8Array): Arrival<M> {
    if (frame.length !== LARGE_BATCH_BYTES || this.#lanes[BATCH_LANE] !== undefined) throw malformed('a large batch')
    const sizeBytes = readUint32(frame, 1)
    if (sizeBytes === 0) throw malformed('a large batch of nothing')
    this.#lanes[BATCH_LANE] = { bytes: this.#memory(sizeBytes, freshMemory), receivedBytes: 0, message: undefined }
    return NOTHING
  }

  #beginPayload(frame: Uint8Array): Arrival<M> {
    const lane = frame[1] ?? 0
    const isFree = lane > BATCH_LANE && lane <= PAYLOAD_LANES && this.#lanes[lane] === undefined
    if (!isFree || frame.length <= PAYLOAD_HEAD_BYTES) throw malformed('a payload')
    const message = decode(this.#schema, frame.subarray(PAYLOAD_HEAD_BYTES))
    const payload = this.#memory(readPayloadSize(frame), this.#allocate)
    if (payload.length === 0) return { type: 'payload', message, payload }
    this.#lanes[lane] = { bytes: payload, receivedBytes: 0, message }
    return NOTHING
  }

  #memory(sizeBytes: number, allocate: (sizeBytes: number) => Uint8Array): Uint8Array {
    if (sizeBytes > this.#maxMessageBytes) {
      throw malformed(`it begins ${sizeBytes} bytes, and the limit is ${this.#maxMessageBytes}`)
    }
    try {
      const memory = allocate(sizeBytes)
      assert(memory.length === sizeBytes, `allocate must give ${sizeBytes} bytes, not ${memory.length}`)
      return memory
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause
      throw new HeddleError('ERR_HEDDLE_OUT_OF_MEMORY', `There is no memory for ${sizeBytes} bytes.`, { cause })
    }
  }

  #readChunk(lane: number, chunk: Uint8Array): Arrival<M> {
    const transfer = this.#lanes[lane]!
    const receivedBytes = transfer.receivedBytes + chunk.length
    if (chunk.length === 0 || receivedBytes > transfer.bytes.length) throw malformed('a chunk of the wrong size')
    if (!isPartOf(chunk, transfer.bytes)) transfer.bytes.set(chunk, transfer.receivedBytes)
    transfer.receivedBytes = receivedBytes
    this.#chunkLane = undefined
    if (receivedBytes < transfer.bytes.length) return NOTHING
    this.#lanes[lane] = undefined
    const { message, bytes } = transfer
    if (message === undefined) return { type: 'messages', messages: decodeList(this.#schema, bytes) }
    return { type: 'payload', message, payload: bytes }
  }
}

/** Was it read where it belongs? A socket has memory of `bytes` only from `chunkMemory`. */
function isPartOf(chunk: Uint8Array, bytes: Uint8Array): boolean {
  return chunk.buffer === bytes.buffer
}

/** Memory that need not be cleared first: it is written from end to end before anyone sees it. */
export function freshMemory(sizeBytes: number): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafeSlow(sizeBytes)
  return new Uint8Array(buffer, byteOffset, sizeBytes)
}
