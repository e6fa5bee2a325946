/**
 * Numbers and texts out of bytes that somebody sent: whatever they are, each call returns or throws a
 * {@link ProtocolError}, and reads nothing beyond them.
 */
import { ProtocolError } from '../errors.js'
import { ASCII_TEXT, SHORT_TEXT, SHORT_TEXT_LIMIT, UTF16_TEXT, UTF8_TEXT } from './tags.js'

/** Texts up to this length are made from character codes: faster than a call into Node. */
const CODES_TEXT_LENGTH = 24
const KEPT_KEYS = 1024

const float = new Float64Array(1)
const floatBytes = new Uint8Array(float.buffer)

/** Keys that were read lately: rows of a table have the same ones, and comparing is cheaper than making a text. */
const keptKeys: string[] = new Array<string>(KEPT_KEYS).fill('')

export function malformed(what: string): ProtocolError {
  return new ProtocolError('theirs', `A value is malformed: ${what}.`)
}

export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #position: number
  #buffer: Buffer | undefined

  /** Reads `bytes[start .. end]`. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes
    this.#position = start
    this.#end = end
  }

  get remaining(): number {
    return this.#end - this.#position
  }

  byte(): number {
    if (this.#position >= this.#end) throw malformed('it ends early')
    return this.#bytes[this.#position++]!
  }

  varint(): number {
    const first = this.byte()
    if (first < 0x80) return first
    let value = first & 0x7f
    for (let scale = 0x80; ; scale *= 0x80) {
      if (scale > Number.MAX_SAFE_INTEGER) throw malformed('a number is too large')
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) break
    }
    if (value > Number.MAX_SAFE_INTEGER) throw malformed('a number is too large')
    return value
  }

  /** A count of things that take at least `eachBytes` bytes each, so that it can't ask for more memory than it sends. */
  count(eachBytes: number): number {
    const count = this.varint()
    if (count * eachBytes > this.remaining) throw malformed('a count is larger than what follows')
    return count
  }

  integer16(): number {
    this.#take(2)
    const end = this.#position
    return ((this.#bytes[end - 2]! | (this.#bytes[end - 1]! << 8)) << 16) >> 16
  }

  integer32(): number {
    this.#take(4)
    const bytes = this.#bytes
    const end = this.#position
    return bytes[end - 4]! | (bytes[end - 3]! << 8) | (bytes[end - 2]! << 16) | (bytes[end - 1]! << 24)
  }

  float(): number {
    this.#take(8)
    for (let i = 0; i < 8; i++) floatBytes[i] = this.#bytes[this.#position - 8 + i]!
    return float[0]!
  }

  /** A view on the next bytes. */
  raw(size: number): Uint8Array {
    this.#take(size)
    return this.#bytes.subarray(this.#position - size, this.#position)
  }

  text(): string {
    return this.textOf(this.byte())
  }

  /** The text whose tag was read already. */
  textOf(tag: number): string {
    if (tag >= SHORT_TEXT && tag < SHORT_TEXT + SHORT_TEXT_LIMIT) {
      const size = tag - SHORT_TEXT
      this.#take(size)
      return size <= CODES_TEXT_LENGTH
        ? textOfCodes(this.#bytes, this.#position - size, this.#position)
        : this.#textOfBytes('latin1', size)
    }
    if (tag !== ASCII_TEXT && tag !== UTF8_TEXT && tag !== UTF16_TEXT) throw malformed('a text is missing')
    const size = this.varint()
    this.#take(size)
    return this.#textOfBytes(tag === ASCII_TEXT ? 'latin1' : tag === UTF8_TEXT ? 'utf8' : 'utf16le', size)
  }

  /** A text that names a property. */
  key(): string {
    const tag = this.byte()
    if (tag <= SHORT_TEXT || tag >= SHORT_TEXT + CODES_TEXT_LENGTH) return this.textOf(tag)
    const size = tag - SHORT_TEXT
    this.#take(size)
    const bytes = this.#bytes
    const start = this.#position - size
    const place =
      (bytes[start]! * 31 + bytes[this.#position - 1]! * 7 + bytes[start + (size >> 1)]! + size * 67) % KEPT_KEYS
    const kept = keptKeys[place]!
    if (isText(kept, bytes, start, size)) return kept
    return (keptKeys[place] = textOfCodes(bytes, start, this.#position))
  }

  #take(size: number): void {
    if (size > this.#end - this.#position) throw malformed('it ends early')
    this.#position += size
  }

  #textOfBytes(encoding: 'latin1' | 'utf8' | 'utf16le', size: number): string {
    this.#buffer ??= Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length)
    try {
      return this.#buffer.toString(encoding, this.#position - size, this.#position)
    } catch {
      throw malformed('a text is too long')
    }
  }
}

function isText(text: string, bytes: Uint8Array, start: number, size: number): boolean {
  if (text.length !== size) return false
  for (let i = 0; i < size; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false
  return true
}

function textOfCodes(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  let at = start
  for (; at + 4 <= end; at += 4) {
    text += String.fromCharCode(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!)
  }
  for (; at < end; at++) text += String.fromCharCode(bytes[at]!)
  return text
}
