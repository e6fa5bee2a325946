/**
 * Many byte strings in one: their bytes end to end, and where each ends. A thousand small values cost one allocation
 * and one copy this way, on the wire and in memory, instead of a thousand.
 */

/** Byte strings end to end. Entry `i` is `bytes[ends[i - 1] ?? 0 .. ends[i]]`. */
export interface Packed {
  readonly ends: readonly number[]
  readonly bytes: Uint8Array
}

/** Below this many bytes a plain loop copies faster than making a view for `set`. */
const LOOP_COPY_BYTES = 24

/** Where entry `index` begins. */
export function startOf(packed: Packed, index: number): number {
  return index === 0 ? 0 : (packed.ends[index - 1] ?? 0)
}

/** A view (not a copy) of entry `index`. */
export function entryOf(packed: Packed, index: number): Uint8Array {
  return packed.bytes.subarray(startOf(packed, index), packed.ends[index] ?? 0)
}

export function areSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && a.every((byte, i) => byte === b[i]))
}

const NO_ROOM = new Uint8Array(0)

/** Packs byte strings one after another into memory that doubles as it fills. */
export class Packer {
  #bytes: Uint8Array = NO_ROOM
  #nextCapacityBytes: number
  #length = 0
  #ends: number[] = []

  constructor(capacityBytes = 256) {
    this.#nextCapacityBytes = capacityBytes
  }

  get count(): number {
    return this.#ends.length
  }

  get sizeBytes(): number {
    return this.#length
  }

  /** Adds `source[start..end]` as the next entry. */
  add(source: Uint8Array, start = 0, end = source.length): void {
    const size = end - start
    if (this.#length + size > this.#bytes.length) this.#grow(size)
    const target = this.#bytes
    const at = this.#length
    if (size < LOOP_COPY_BYTES) for (let i = 0; i < size; i++) target[at + i] = source[start + i]!
    else target.set(start === 0 && end === source.length ? source : source.subarray(start, end), at)
    this.#length = at + size
    this.#ends.push(this.#length)
  }

  /** Adds an entry of `size` bytes for the caller to fill at once; its memory may hold anything. */
  reserve(size: number): Uint8Array {
    if (this.#length + size > this.#bytes.length) this.#grow(size)
    const start = this.#length
    this.#length = start + size
    this.#ends.push(this.#length)
    return this.#bytes.subarray(start, this.#length)
  }

  /** A view of an entry, until the next one is added. */
  entry(index: number): Uint8Array {
    return this.#bytes.subarray(index === 0 ? 0 : this.#ends[index - 1]!, this.#ends[index])
  }

  /** Gives what was packed and starts afresh. */
  take(): Packed {
    // Never the shared `NO_ROOM`: whoever gets bytes may give their memory away.
    const bytes = this.#length === 0 ? new Uint8Array(0) : this.#bytes.subarray(0, this.#length)
    const packed = { ends: this.#ends, bytes }
    // Whoever packs again gets room when the first entry comes: most packers are used once.
    this.#nextCapacityBytes = Math.min(Math.max(256, this.#length), 64 * 1024)
    this.#bytes = NO_ROOM
    this.#length = 0
    this.#ends = []
    return packed
  }

  #grow(size: number): void {
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + size, this.#nextCapacityBytes))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

/** Nothing, packed. */
export const NO_BYTES: Packed = Object.freeze({ ends: Object.freeze([]), bytes: new Uint8Array(0) })

/** A copy that pins no larger buffer, such as the frame it came in. */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
}
