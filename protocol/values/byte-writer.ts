/** Numbers and texts into memory that doubles as it fills. What it knows nothing of: objects. */
import {
  ASCII_TEXT,
  FLOAT,
  INTEGER_16,
  INTEGER_32,
  SHORT_TEXT,
  SHORT_TEXT_LIMIT,
  SMALL_INTEGER_LIMIT,
  UTF16_TEXT,
  UTF8_TEXT,
} from './tags.js'

const INITIAL_BYTES = 16 * 1024
/** Memory above this size is not kept for the next value. */
const KEPT_BYTES = 1024 * 1024
/** Shorter texts of ASCII are written faster in a loop than by a call into Node. Their length is one byte. */
const LOOP_TEXT_LENGTH = 64
const LONGEST_VARINT_BYTES = 8

const float = new Float64Array(1)
const floatBytes = new Uint8Array(float.buffer)

export class ByteWriter {
  #bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  #length = 0

  /** What was written, in memory that the next `clear` hands to somebody else: copy it. */
  get bytes(): Uint8Array {
    return this.#bytes
  }

  get length(): number {
    return this.#length
  }

  clear(): void {
    this.#length = 0
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  }

  /** Forgets what was written after `length` was this. */
  rewind(length: number): void {
    this.#length = length
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1)
    this.#bytes[this.#length++] = value
  }

  /** A whole number from 0 up to 2^53. */
  varint(value: number): void {
    if (this.#length + LONGEST_VARINT_BYTES > this.#bytes.length) this.#grow(LONGEST_VARINT_BYTES)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) + 0x80
      rest = rest < 0x80000000 ? rest >>> 7 : Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
  }

  number(value: number): void {
    const integer = value | 0
    if (integer !== value || (value === 0 && 1 / value < 0)) {
      this.byte(FLOAT)
      this.float(value)
    } else if (integer >= 0 && integer < SMALL_INTEGER_LIMIT) {
      this.byte(integer)
    } else {
      if (this.#length + 5 > this.#bytes.length) this.#grow(5)
      const bytes = this.#bytes
      const isShort = (integer << 16) >> 16 === integer
      bytes[this.#length++] = isShort ? INTEGER_16 : INTEGER_32
      bytes[this.#length++] = integer
      bytes[this.#length++] = integer >> 8
      if (isShort) return
      bytes[this.#length++] = integer >> 16
      bytes[this.#length++] = integer >> 24
    }
  }

  float(value: number): void {
    if (this.#length + 8 > this.#bytes.length) this.#grow(8)
    float[0] = value
    for (let i = 0; i < 8; i++) this.#bytes[this.#length + i] = floatBytes[i]!
    this.#length += 8
  }

  text(value: string): void {
    const size = value.length
    if (size >= LOOP_TEXT_LENGTH) return this.#longText(value)
    if (this.#length + 2 + size > this.#bytes.length) this.#grow(2 + size)
    const bytes = this.#bytes
    const start = this.#length + (size < SHORT_TEXT_LIMIT ? 1 : 2)
    for (let i = 0; i < size; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) return this.#longText(value)
      bytes[start + i] = code
    }
    if (size < SHORT_TEXT_LIMIT) {
      bytes[start - 1] = SHORT_TEXT + size
    } else {
      bytes[start - 2] = ASCII_TEXT
      bytes[start - 1] = size
    }
    this.#length = start + size
  }

  /** The next bytes, for the caller to fill: they hold anything. */
  reserve(size: number): Uint8Array {
    if (this.#length + size > this.#bytes.length) this.#grow(size)
    this.#length += size
    return this.#bytes.subarray(this.#length - size, this.#length)
  }

  #longText(value: string): void {
    const utf8Bytes = Buffer.byteLength(value, 'utf8')
    // Only texts beyond ASCII can have lone surrogates. Node 20 has `isWellFormed`; the types of ES2023 don't.
    const isWhole = utf8Bytes === value.length || (value as string & { isWellFormed(): boolean }).isWellFormed()
    const size = isWhole ? utf8Bytes : value.length * 2
    this.byte(!isWhole ? UTF16_TEXT : utf8Bytes === value.length ? ASCII_TEXT : UTF8_TEXT)
    this.varint(size)
    if (this.#length + size > this.#bytes.length) this.#grow(size)
    this.#bytes.write(value, this.#length, size, isWhole ? 'utf8' : 'utf16le')
    this.#length += size
  }

  #grow(size: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#length + size))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}
