/**
 * Messages to bytes and back: a schema says what an array on the wire means, MessagePack says how it is written. Bytes
 * in a decoded message are views on what was decoded, not copies. Every number, up to 2^53 too, comes back as a number.
 */
import type * as Msgpackr from 'msgpackr'
import * as portable from 'msgpackr/pack'
import { HeddleError, ProtocolError } from '../errors.js'
import type { Field } from '../schema.js'

/** What the packer writes into. Frames are views on such a buffer; a new one is taken when it is full. */
const SCRATCH_BYTES = 64 * 1024

/** Without the native reader of strings: it takes 20 ms to load, and messages hold few strings. */
const { Packr, RESERVE_START_SPACE } = portable as typeof Msgpackr

const packr = new Packr({ useRecords: false, int64AsType: 'number', encodeUndefinedAsNil: true })

/** Encodes `value`, behind `reservedBytes` (at most 255) that are left for the caller to fill in. */
export function encode<T>(field: Field<T>, value: T, reservedBytes: number): Uint8Array {
  const wire = field.toWire(value)
  try {
    const encoded = packr.pack(wire, RESERVE_START_SPACE | reservedBytes)
    // The packer keeps the memory that a large message made it take. Give it small memory again.
    if (encoded.length > SCRATCH_BYTES) packr.useBuffer(Buffer.allocUnsafeSlow(SCRATCH_BYTES))
    return encoded
  } catch (cause) {
    packr.useBuffer(Buffer.allocUnsafeSlow(SCRATCH_BYTES))
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ProtocolError('ours', `A message cannot be encoded: ${reason}.`)
  }
}

/** Decodes one value. @throws {ProtocolError} when the bytes are not what `field` says. */
export function decode<T>(field: Field<T>, bytes: Uint8Array): T {
  return refusingAll(() => field.parse(unpack(bytes), 'message'))
}

/** Decodes an array of values, each of which is a `field`. @throws {ProtocolError} as {@link decode} does. */
export function decodeList<T>(field: Field<T>, bytes: Uint8Array): T[] {
  return refusingAll(() => {
    const wires = unpack(bytes)
    if (!Array.isArray(wires)) throw new ProtocolError('theirs', 'A frame is malformed: it holds no list of messages.')
    const values = new Array<T>(wires.length)
    for (let i = 0; i < wires.length; i++) values[i] = field.parse(wires[i], 'message')
    return values
  })
}

/** A plain view first: then bytes come out as `Uint8Array` whether the frame was one or a `Buffer`. */
function unpack(bytes: Uint8Array): unknown {
  return packr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)) as unknown
}

/** Whatever decoding throws (an early end, nesting without end) is the fault of the bytes. */
function refusingAll<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof HeddleError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ProtocolError('theirs', `A frame is malformed: ${reason}.`)
  }
}
