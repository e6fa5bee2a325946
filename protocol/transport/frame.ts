/**
 * The frames of the wire. The first byte says the kind:
 *
 * | kind        | what follows                                                                                       |
 * | ----------- | -------------------------------------------------------------------------------------------------- |
 * | batch       | a MessagePack array of messages                                                                    |
 * | large batch | u32 size: such an array, which comes in chunks through lane 0, ahead of any later batch            |
 * | payload     | u8 lane, u48 size, one message: its payload comes in chunks through that lane                      |
 * | chunk       | u8 lane. **The next frame is nothing but bytes for that lane**, so they need no copy to get a head |
 * | ping, pong  | nothing                                                                                            |
 * | goodbye     | why the sender closes; the last frame                                                              |
 * | handshake   | one message, before there are batches                                                              |
 */
import { record, text } from '../schema.js'

export const FRAME = Object.freeze({
  batch: 0,
  largeBatch: 1,
  payload: 2,
  chunk: 3,
  ping: 4,
  pong: 5,
  goodbye: 6,
  handshake: 7,
})

/** Kind, then the head of a MessagePack array (0xdd, u32 count), which is filled in when the batch is full. */
export const BATCH_HEAD_BYTES = 6
export const LARGE_BATCH_BYTES = 5
export const PAYLOAD_HEAD_BYTES = 8
export const BATCH_LANE = 0
/** How many payloads are under way at once, in lanes 1 and up. The others wait for a lane. */
export const PAYLOAD_LANES = 4

export const PING_FRAME = Uint8Array.of(FRAME.ping)
export const PONG_FRAME = Uint8Array.of(FRAME.pong)

/** What a goodbye frame says. */
export const goodbye = record({ code: text, message: text })

const ARRAY_32 = 0xdd

export function writeBatchHead(frame: Uint8Array, count: number): void {
  frame[0] = FRAME.batch
  frame[1] = ARRAY_32
  writeUint32(frame, 2, count)
}

export function largeBatchFrame(sizeBytes: number): Uint8Array {
  const frame = new Uint8Array(LARGE_BATCH_BYTES)
  frame[0] = FRAME.largeBatch
  writeUint32(frame, 1, sizeBytes)
  return frame
}

export function writePayloadHead(frame: Uint8Array, lane: number, sizeBytes: number): void {
  frame[0] = FRAME.payload
  frame[1] = lane
  frame[2] = Math.floor(sizeBytes / 2 ** 40)
  frame[3] = Math.floor(sizeBytes / 2 ** 32)
  writeUint32(frame, 4, sizeBytes)
}

export function readPayloadSize(frame: Uint8Array): number {
  return (frame[2]! * 2 ** 8 + frame[3]!) * 2 ** 32 + readUint32(frame, 4)
}

export function chunkFrame(lane: number): Uint8Array {
  return Uint8Array.of(FRAME.chunk, lane)
}

export function readUint32(frame: Uint8Array, at: number): number {
  return frame[at]! * 2 ** 24 + ((frame[at + 1]! << 16) | (frame[at + 2]! << 8) | frame[at + 3]!)
}

/** The low 32 bits of `value`. */
function writeUint32(frame: Uint8Array, at: number, value: number): void {
  frame[at] = Math.floor(value / 2 ** 24)
  frame[at + 1] = value >>> 16
  frame[at + 2] = value >>> 8
  frame[at + 3] = value
}
