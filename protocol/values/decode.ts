/** The value that bytes stand for. Whatever the bytes are: a value, or a {@link ProtocolError}. */
import { withoutText } from '../error-text.js'
import { malformed } from './byte-reader.js'
import { FALSE, NULL, PARTS_HEADER_BYTES, SMALL_INTEGER_LIMIT, TRUE, UNDEFINED, WITH_PARTS } from './tags.js'
import { ValueReader, type DecodeOptions } from './value-reader.js'

export type { DecodeOptions } from './value-reader.js'

/**
 * Decodes a value. Runs no code but the `decode` of registered classes, whose errors it lets through. A class that
 * is not registered here is a `HeddleError` with the code `ERR_HEDDLE_NOT_SERIALIZABLE`.
 */
export function decodeValue(bytes: Uint8Array, options: DecodeOptions = {}): unknown {
  if (bytes.length === 0) throw malformed('it is empty')
  const first = bytes[0]!
  if (bytes.length === 1) {
    if (first < SMALL_INTEGER_LIMIT) return first
    if (first === UNDEFINED) return undefined
    if (first === NULL) return null
    if (first === TRUE || first === FALSE) return first === TRUE
  }
  if (first !== WITH_PARTS) return new ValueReader(bytes, 0, bytes.length, options).readAll()
  if (bytes.length < PARTS_HEADER_BYTES) throw malformed('it ends early')
  const treeBytes = bytes[1]! + bytes[2]! * 2 ** 8 + bytes[3]! * 2 ** 16 + bytes[4]! * 2 ** 24
  if (treeBytes > bytes.length - PARTS_HEADER_BYTES) throw malformed('it ends early')
  return new ValueReader(bytes, PARTS_HEADER_BYTES, PARTS_HEADER_BYTES + treeBytes, options).readAll()
}

/** Decodes what `encodeError` encoded: the error, or whatever else was thrown. */
export function decodeError(bytes: Uint8Array): unknown {
  return decodeValue(withoutText(bytes))
}
