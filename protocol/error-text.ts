/**
 * What people read of an error that a task threw: its name, message and stack. It stands as text behind the encoded error,
 * with its size at the very end, so that the scheduler can tell it without decoding anything of a user.
 */

const SIZE_BYTES = 2

/** Puts a text, in UTF-8, behind an encoded error. */
export function withText(encoded: Uint8Array, text: Uint8Array): Uint8Array {
  const whole = new Uint8Array(encoded.length + text.length + SIZE_BYTES)
  whole.set(encoded)
  whole.set(text, encoded.length)
  whole[whole.length - 2] = text.length >>> 8
  whole[whole.length - 1] = text.length & 0xff
  return whole
}

/** The encoded error alone. */
export function withoutText(error: Uint8Array): Uint8Array {
  return error.subarray(0, startOfText(error))
}

/** The text; empty if there is none, or no error. */
export function textOf(error: Uint8Array): string {
  return error.length < SIZE_BYTES ? '' : decodeUtf8(error.subarray(startOfText(error), error.length - SIZE_BYTES))
}

/** Whatever came over the wire: a size that cannot be is taken for none. */
function startOfText(error: Uint8Array): number {
  const size = error.length < SIZE_BYTES ? 0 : error[error.length - 2]! * 256 + error[error.length - 1]!
  return Math.max(0, size > error.length - SIZE_BYTES ? error.length : error.length - SIZE_BYTES - size)
}

const REPLACEMENT = 0xfffd

/** The cores have no decoder of their own. What is no UTF-8 becomes a replacement character, as everywhere. */
function decodeUtf8(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length;) {
    const first = bytes[i++]!
    const more = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : 3
    if (first < 0x80) {
      text += String.fromCharCode(first)
      continue
    }
    let point = more === 3 ? (first >= 0xf0 && first < 0xf5 ? first & 0x07 : -1) : first & (0x3f >> more)
    for (let k = 0; k < more && point >= 0; k++) {
      const next = bytes[i] ?? 0
      if ((next & 0xc0) !== 0x80) point = -1
      else {
        point = point * 64 + (next & 0x3f)
        i++
      }
    }
    const isSurrogate = point >= 0xd800 && point < 0xe000
    const isTooLong = (more === 2 && point < 0x800) || (more === 3 && point < 0x10000)
    text += String.fromCodePoint(point < 0 || point > 0x10ffff || isSurrogate || isTooLong ? REPLACEMENT : point)
  }
  return text
}
