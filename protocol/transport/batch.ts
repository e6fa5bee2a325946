/** Messages of one direction on their way into one frame: encoded as they come, so that their bytes are known. */
import { BATCH_HEAD_BYTES, writeBatchHead } from './frame.js'

const FIRST_CAPACITY_BYTES = 4 * 1024

export class Batch {
  #count = 0
  #length = BATCH_HEAD_BYTES
  /** The only message so far stays where the codec put it: on a quiet link most frames are never copied. */
  #bytes: Uint8Array = new Uint8Array(0)

  /** Bytes of the frame that it makes. An empty batch makes none. */
  get sizeBytes(): number {
    return this.#count === 0 ? 0 : this.#length
  }

  /** Adds a message that was encoded behind `BATCH_HEAD_BYTES` of reserved space. */
  add(encoded: Uint8Array): void {
    const start = this.#length
    this.#length += encoded.length - BATCH_HEAD_BYTES
    this.#count += 1
    if (this.#count === 1) {
      this.#bytes = encoded
      return
    }
    if (this.#count === 2 || this.#length > this.#bytes.length) this.#grow(start)
    this.#bytes.set(encoded.subarray(BATCH_HEAD_BYTES), start)
  }

  /** Gives the frame and starts afresh. */
  take(): Uint8Array {
    const frame = this.#bytes.subarray(0, this.#length)
    writeBatchHead(frame, this.#count)
    this.#count = 0
    this.#length = BATCH_HEAD_BYTES
    this.#bytes = new Uint8Array(0)
    return frame
  }

  #grow(used: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_CAPACITY_BYTES, this.#length * 2))
    grown.set(this.#bytes.subarray(0, used))
    this.#bytes = grown
  }
}
