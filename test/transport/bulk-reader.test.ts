/** Large frames go to their place, and everything else is passed on, however the bytes of a socket are cut. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Rng } from '../../common/rng.js'
import { MAX_FRAME_BYTES } from '../../protocol/limits.js'
import { BulkReader } from '../../protocol/transport/bulk-reader.js'

const RESPONSE = Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n')
const ZEROS = Buffer.alloc(4)

interface Frame {
  readonly head: Buffer
  readonly body: Buffer
}

/** One frame by RFC 6455. */
function frame(body: Buffer, { first = 0x82, mask }: { first?: number; mask?: Buffer } = {}): Frame {
  const flag = mask === undefined ? 0 : 0x80
  const long = Buffer.alloc(8)
  long.writeBigUInt64BE(BigInt(body.length))
  const short = long.subarray(6)
  const size = body.length < 126 ? [] : body.length < 65_536 ? short : long
  const length = body.length < 126 ? body.length : body.length < 65_536 ? 126 : 127
  return { head: Buffer.concat([Uint8Array.of(first, flag | length), Uint8Array.from(size), mask ?? NONE]), body }
}

const NONE = Buffer.alloc(0)
const bytesOf = ({ head, body }: Frame): Buffer => Buffer.concat([head, body])
const randomBytes = (rng: Rng, size: number): Buffer =>
  Buffer.from(Array.from({ length: size }, () => rng.integer(0, 255)))

class Recorded {
  readonly passed: Buffer[] = []
  readonly placed: Uint8Array[] = []
  readonly reader: BulkReader
  directReads = 0

  constructor(isBehindResponse: boolean, places: (sizeBytes: number) => boolean) {
    this.reader = new BulkReader({
      isBehindResponse,
      maxFrameBytes: MAX_FRAME_BYTES,
      pass: (bytes) => this.passed.push(bytes),
      place: (sizeBytes) => (places(sizeBytes) ? new Uint8Array(sizeBytes) : undefined),
      onPlaced: (memory) => this.placed.push(memory),
    })
  }

  /** As the operating system does it: some of the bytes, to where it was told. */
  read(bytes: Buffer, sizeOfRead: (most: number) => number): void {
    let scratch: ArrayBufferLike | undefined
    for (let at = 0; at < bytes.length;) {
      const buffer = this.reader.nextBuffer()
      scratch ??= buffer.buffer
      if (buffer.buffer !== scratch) this.directReads++
      const count = Math.min(buffer.length, bytes.length - at, sizeOfRead(buffer.length))
      buffer.set(bytes.subarray(at, at + count))
      this.reader.onRead(count, buffer)
      at += count
    }
  }
}

suite('a reader of large frames', () => {
  test('places what has a place and passes the rest, for any cut of the bytes', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const rng = new Rng(seed)
      const isBehindResponse = rng.chance(0.5)
      const expected: { passed: Buffer[]; placed: Buffer[] } = { passed: [], placed: [] }
      const stream: Buffer[] = []
      if (isBehindResponse) {
        stream.push(RESPONSE)
        expected.passed.push(RESPONSE)
      }
      for (let i = 0; i < 12; i++) {
        const size = [0, 1, 125, 126, 5_000, 70_000][rng.integer(0, 5)]!
        const options = [
          {},
          { mask: ZEROS },
          { mask: randomBytes(rng, 4) },
          { first: 0x81 },
          { first: 0x02 },
          { first: 0x89 },
        ]
        const choice = rng.integer(0, options.length - 1)
        const made = frame(randomBytes(rng, size), options[choice])
        stream.push(bytesOf(made))
        const isPlain = choice < 2 || (choice === 2 && made.head.subarray(-4).equals(ZEROS))
        if (isPlain && size >= 5_000) expected.placed.push(made.body)
        else expected.passed.push(bytesOf(made))
      }
      const recorded = new Recorded(isBehindResponse, (size) => size >= 5_000)
      recorded.reader.start()
      recorded.read(Buffer.concat(stream), (most) => rng.integer(1, rng.chance(0.3) ? most : 40))
      assert.ok(Buffer.concat(recorded.passed).equals(Buffer.concat(expected.passed)), `seed ${seed}`)
      assert.deepEqual(
        recorded.placed.map((each) => Buffer.from(each)),
        expected.placed,
        `seed ${seed}`,
      )
    }
  })

  test('reads the rest of a large frame straight into its place', () => {
    const recorded = new Recorded(false, () => true)
    recorded.reader.start()
    const large = frame(Buffer.alloc(3 * 2 ** 20, 7))
    recorded.read(bytesOf(large), (most) => most)
    assert.ok(Buffer.from(recorded.placed[0]!).equals(large.body))
    assert.equal(recorded.directReads, 3)
  })

  test('keeps frames until they may come, but not the response before them', () => {
    const recorded = new Recorded(true, () => true)
    const early = frame(Buffer.from('early'))
    recorded.read(Buffer.concat([RESPONSE, bytesOf(early)]), () => 10)
    assert.ok(Buffer.concat(recorded.passed).equals(RESPONSE))
    assert.equal(recorded.placed.length, 0)
    recorded.reader.start()
    assert.equal(Buffer.from(recorded.placed[0]!).toString(), 'early')
  })

  test('passes a frame whose place is refused', () => {
    const recorded = new Recorded(false, () => false)
    recorded.reader.start()
    const large = bytesOf(frame(Buffer.alloc(100_000, 1)))
    recorded.read(large, (most) => most)
    assert.ok(Buffer.concat(recorded.passed).equals(large))
  })
  test('passes a frame that is too large, and all that follows', () => {
    const recorded = new Recorded(false, () => true)
    recorded.reader.start()
    const last = bytesOf(frame(Buffer.alloc(MAX_FRAME_BYTES, 1)))
    const tooLarge = bytesOf(frame(Buffer.alloc(MAX_FRAME_BYTES + 1, 2)))
    const follows = bytesOf(frame(Buffer.from('more')))
    recorded.read(Buffer.concat([last, tooLarge, follows]), (most) => most)
    assert.deepEqual(
      recorded.placed.map((memory) => memory.length),
      [MAX_FRAME_BYTES],
    )
    assert.ok(Buffer.concat(recorded.passed).equals(Buffer.concat([tooLarge, follows])))
  })
})
