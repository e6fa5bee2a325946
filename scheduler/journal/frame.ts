/**
 * How the journal lies in its file: a header, then frames. A frame is what one commit wrote, whole or not at all:
 * a mark, the size of its payload, a checksum of payload and size, and the payload. The mark lets a reader tell a torn
 * end, behind which there is nothing, from damage in the middle.
 */
import { crc32 } from 'node:zlib'

/** What every file begins with; the last byte is the version of the form. */
export const FILE_HEADER: Uint8Array = Uint8Array.from('heddle-journal\n\x01', (character) => character.charCodeAt(0))
export const FRAME_HEADER_BYTES = 12
/** No text and no number that MessagePack writes often begins like this. */
export const FRAME_MARK = Buffer.from([0xc1, 0x68, 0x6a, 0x0a])

/** The header of a frame with this payload. */
export function frameHeader(payload: Uint8Array): Uint8Array {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES)
  FRAME_MARK.copy(header)
  header.writeUInt32LE(payload.length, 4)
  header.writeUInt32LE(checksumOf(header, payload), 8)
  return header
}

/** The size of the payload, as a header says; `undefined` when these bytes are no header. */
export function payloadBytesOf(header: Buffer): number | undefined {
  if (header.length < FRAME_HEADER_BYTES || header.compare(FRAME_MARK, 0, 4, 0, 4) !== 0) return undefined
  return header.readUInt32LE(4)
}

/** Is the payload what was written? */
export function isWhole(header: Buffer, payload: Uint8Array): boolean {
  return header.readUInt32LE(8) === checksumOf(header, payload)
}

function checksumOf(header: Buffer, payload: Uint8Array): number {
  return crc32(header.subarray(4, 8), crc32(payload))
}
