/**
 * Reads the bytes of a WebSocket so that large frames go from the operating system straight into the memory where they
 * are wanted, and small ones through little code. What has no place is passed on as it comes, to whoever takes frames
 * apart. (`ws` alone allocates memory for every 64 KiB that it reads, puts a frame together in more of it, and leaves its
 * reader to copy that once again.)
 */

import { LENGTH_16, LENGTH_64, MASKED, WHOLE_BINARY_FRAME } from './small-frame.js'

/** What is read at once where nobody said where it is to go. */
const SCRATCH_BYTES = 64 * 1024
/** Straight into place, at most so much is read at once: others have their turn in between. */
const DIRECT_BYTES = 1024 * 1024
/** A shorter rest is copied: reading it by itself would be one more call into the system. */
const MIN_DIRECT_BYTES = 4 * 1024
/** The head of a frame (RFC 6455, 5.2): two bytes, a length of up to eight, a mask of four. */
const MAX_HEAD_BYTES = 14

/** All sockets read here, one after another: what one reads is taken before the next one reads. */
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)

export interface BulkReaderOptions {
  /** Takes the next bytes of everything but frames that were placed. They are the taker's own. */
  pass(bytes: Buffer): void
  /** Memory for a whole binary frame that begins now, of just this size; `undefined` where it is to be passed. */
  place(sizeBytes: number): Uint8Array | undefined
  /** The memory is full. */
  onPlaced(frame: Uint8Array): void
  /** A larger frame is passed, and with it whatever follows: the taker refuses it. */
  readonly maxFrameBytes: number
  /** Does an HTTP response come ahead of the first frame? */
  readonly isBehindResponse: boolean
}

type Position =
  /** In an HTTP response, of whose end (CR LF CR LF) so many bytes were seen. */
  | { readonly type: 'response'; matched: number }
  | { readonly type: 'head' }
  /** In a frame that is passed. */
  | { readonly type: 'passing'; leftBytes: number }
  | { readonly type: 'placing'; readonly frame: Uint8Array; filledBytes: number }

export class BulkReader {
  readonly #options: BulkReaderOptions
  readonly #head = Buffer.allocUnsafeSlow(MAX_HEAD_BYTES)
  #headBytes = 0
  #position: Position
  /** Frames that came before anybody was there to take them. */
  #early: Buffer[] | undefined = []

  constructor(options: BulkReaderOptions) {
    this.#options = options
    this.#position = options.isBehindResponse ? { type: 'response', matched: 0 } : { type: 'head' }
  }

  /** Where the next bytes are to be read to. */
  readonly nextBuffer = (): Uint8Array => {
    const position = this.#position
    if (position.type !== 'placing') return scratch
    const { frame, filledBytes } = position
    if (frame.length - filledBytes < MIN_DIRECT_BYTES) return scratch
    return Buffer.from(frame.buffer, frame.byteOffset + filledBytes, Math.min(DIRECT_BYTES, frame.length - filledBytes))
  }

  /** So many bytes were read to the start of `buffer`, which `nextBuffer` gave. */
  readonly onRead = (count: number, buffer: Uint8Array): void => {
    if (buffer.buffer === scratch.buffer) this.take(scratch.subarray(0, count))
    else this.#fill(count)
  }

  /** Frames may come now. */
  start(): void {
    const early = this.#early ?? []
    this.#early = undefined
    for (const bytes of early) this.take(bytes)
  }

  /** Takes bytes that were read elsewhere, and are soon overwritten. */
  take(bytes: Buffer): void {
    let rest = bytes
    while (rest.length > 0) {
      if (this.#position.type !== 'response' && this.#early !== undefined) {
        this.#early.push(Buffer.from(rest))
        return
      }
      rest = rest.subarray(this.#takeSome(rest))
    }
  }

  /** Returns how many of the bytes it took: at least one. */
  #takeSome(bytes: Buffer): number {
    const position = this.#position
    switch (position.type) {
      case 'response':
        return this.#takeResponse(position, bytes)
      case 'head':
        return this.#takeHead(bytes)
      case 'passing': {
        const count = Math.min(position.leftBytes, bytes.length)
        position.leftBytes -= count
        if (position.leftBytes === 0) this.#position = { type: 'head' }
        this.#options.pass(Buffer.from(bytes.subarray(0, count)))
        return count
      }
      case 'placing': {
        const count = Math.min(position.frame.length - position.filledBytes, bytes.length)
        position.frame.set(bytes.subarray(0, count), position.filledBytes)
        this.#fill(count)
        return count
      }
    }
  }

  #takeResponse(position: { matched: number }, bytes: Buffer): number {
    let count = 0
    while (count < bytes.length && position.matched < 4) {
      const byte = bytes[count++]!
      const isExpected = byte === (position.matched % 2 === 0 ? 0x0d : 0x0a)
      if (isExpected) position.matched++
      else position.matched = byte === 0x0d ? 1 : 0
    }
    if (position.matched === 4) this.#position = { type: 'head' }
    this.#options.pass(Buffer.from(bytes.subarray(0, count)))
    return count
  }

  #takeHead(bytes: Buffer): number {
    let count = 0
    while (count < bytes.length && this.#headBytes < sizeOfHead(this.#head, this.#headBytes)) {
      this.#head[this.#headBytes++] = bytes[count++]!
    }
    if (this.#headBytes < sizeOfHead(this.#head, this.#headBytes)) return count
    const head = this.#head.subarray(0, this.#headBytes)
    this.#headBytes = 0
    const sizeBytes = sizeOfFrame(head)
    const isRefused = sizeBytes > this.#options.maxFrameBytes
    const frame = !isRefused && isPlain(head) && sizeBytes > 0 ? this.#options.place(sizeBytes) : undefined
    if (frame !== undefined) {
      this.#position = { type: 'placing', frame, filledBytes: 0 }
      return count
    }
    if (sizeBytes > 0) this.#position = { type: 'passing', leftBytes: isRefused ? Infinity : sizeBytes }
    this.#options.pass(Buffer.from(head))
    return count
  }

  #fill(count: number): void {
    const position = this.#position
    if (position.type !== 'placing') return
    position.filledBytes += count
    if (position.filledBytes < position.frame.length) return
    this.#position = { type: 'head' }
    this.#options.onPlaced(position.frame)
  }
}

/** How long the head is, as far as its first bytes say. */
function sizeOfHead(head: Buffer, knownBytes: number): number {
  if (knownBytes < 2) return 2
  const length = head[1]! & ~MASKED
  const lengthBytes = length === LENGTH_64 ? 8 : length === LENGTH_16 ? 2 : 0
  return 2 + lengthBytes + ((head[1]! & MASKED) === 0 ? 0 : 4)
}

function sizeOfFrame(head: Buffer): number {
  const length = head[1]! & ~MASKED
  if (length === LENGTH_16) return head.readUInt16BE(2)
  return length === LENGTH_64 ? head.readUInt32BE(2) * 2 ** 32 + head.readUInt32BE(6) : length
}

/** Is it a whole binary frame whose bytes stand there as they are? A mask of zeros changes none. */
function isPlain(head: Buffer): boolean {
  if (head[0] !== WHOLE_BINARY_FRAME) return false
  return (head[1]! & MASKED) === 0 || head.readUInt32BE(head.length - 4) === 0
}
