/**
 * Small frames as they go over the wire, in one piece with their heads. `ws` hands a socket the two one by one and has them
 * joined there, which is most of the code that sending takes; and where something is sent once in a millisecond, its cost is
 * that of code which the processor has forgotten.
 */

/** Copying more than this would cost more than it saves. */
export const MAX_SMALL_FRAME_BYTES = 4 * 1024
/** The first byte of a head (RFC 6455, 5.2): a whole binary frame. */
export const WHOLE_BINARY_FRAME = 0x82
/** The second: this, if there is a mask, and the length, or that it follows in two bytes, or in eight. */
export const MASKED = 0x80
export const LENGTH_16 = 126
export const LENGTH_64 = 127
const MASK_BYTES = 4

/** A whole binary frame of at most `MAX_SMALL_FRAME_BYTES`, with a mask of zeros from the side that must have one. */
export function smallFrame(content: Uint8Array, isMasked: boolean): Uint8Array {
  const { length } = content
  const isShort = length < LENGTH_16
  const headBytes = (isShort ? 2 : 4) + (isMasked ? MASK_BYTES : 0)
  const frame = Buffer.allocUnsafe(headBytes + length)
  const flag = isMasked ? MASKED : 0
  frame[0] = WHOLE_BINARY_FRAME
  frame[1] = flag | (isShort ? length : LENGTH_16)
  if (!isShort) {
    frame[2] = length >> 8
    frame[3] = length & 0xff
  }
  if (isMasked) frame.fill(0, headBytes - MASK_BYTES, headBytes)
  frame.set(content, headBytes)
  return frame
}
