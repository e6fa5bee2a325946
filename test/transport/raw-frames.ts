/** Frames of a WebSocket as they are on the wire. */

export interface Frame {
  readonly head: Buffer
  readonly body: Buffer
}

const NONE = Buffer.alloc(0)

/** One frame by RFC 6455. */
export function frame(body: Buffer, { first = 0x82, mask }: { first?: number; mask?: Buffer } = {}): Frame {
  const flag = mask === undefined ? 0 : 0x80
  const long = Buffer.alloc(8)
  long.writeBigUInt64BE(BigInt(body.length))
  const short = long.subarray(6)
  const size = body.length < 126 ? [] : body.length < 65_536 ? short : long
  const length = body.length < 126 ? body.length : body.length < 65_536 ? 126 : 127
  return { head: Buffer.concat([Uint8Array.of(first, flag | length), Uint8Array.from(size), mask ?? NONE]), body }
}

export const bytesOf = ({ head, body }: Frame): Buffer => Buffer.concat([head, body])
