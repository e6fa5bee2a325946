/** Views and buffers: what of them travels, how it is laid out, what stays shared and what becomes private. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { OUT_OF_BAND_BYTES, SHARED_BYTES } from '../../protocol/limits.js'
import { decodeValue, type DecodeOptions } from '../../protocol/values/decode.js'
import { encodeInPieces, encodeValue } from '../../protocol/values/encode.js'

const encode = (value: unknown, shared = false): Uint8Array => encodeValue(value, { path: 'value', shared })
const roundTrip = <T>(value: T, options?: DecodeOptions): T => decodeValue(encode(value), options) as T

/** A large typed array with a pattern to find again. */
const large = (length = 1000): Float64Array => Float64Array.from({ length }, (_, i) => i + 0.5)

test('only the part that a view shows travels', () => {
  const whole = new Uint8Array(1_000_000)
  const small = encode(whole.subarray(10, 20))
  const big = encode(whole.subarray(10, 10 + OUT_OF_BAND_BYTES))
  assert.ok(small.length < 30)
  assert.ok(big.length < OUT_OF_BAND_BYTES + 40)
  assert.equal((decodeValue(big) as Uint8Array).buffer.byteLength, OUT_OF_BAND_BYTES)
})

test('in pieces, large memory stays where it is, unless it could shrink', () => {
  const numbers = new Float64Array(SHARED_BYTES / 8 + 2).subarray(1)
  const pieces = encodeInPieces({ small: large(), numbers }, { path: 'value' })
  const inPlace = pieces.filter(({ buffer }) => buffer === numbers.buffer)
  assert.deepEqual(
    inPlace.map(({ byteOffset, length }) => [byteOffset, length]),
    [[numbers.byteOffset, numbers.byteLength]],
  )
  // It can be resized from Node 20 on; the types of ES2023 don't know it.
  const options = { maxByteLength: 2 * SHARED_BYTES } as object
  const resizable = new (ArrayBuffer as new (size: number, options: object) => ArrayBuffer)(SHARED_BYTES, options)
  const view = new Uint8Array(resizable)
  assert.ok(encodeInPieces(view, { path: 'value' }).every(({ buffer }) => buffer !== resizable))
})

test("nothing of Node's pool travels along with two Buffers that lie in it", () => {
  const first = Buffer.from('first')
  const between = Buffer.from('a secret')
  const last = Buffer.from('last')
  const encoded = Buffer.from(encode([first, last]))
  assert.equal(first.buffer, between.buffer)
  assert.ok(encoded.includes('first') && encoded.includes('last') && !encoded.includes('secret'))
})

test('large parts are aligned to eight bytes from the start of the value, and what is between them is zero', () => {
  for (const filler of ['', 'a', 'ab', 'abc', 'abcd', 'abcde', 'abcdef', 'abcdefg']) {
    const parts = [new Uint8Array(5001).fill(1), large(), new Uint8Array(4099).fill(2), large(600)]
    const encoded = encode([filler, ...parts])
    const back = decodeValue(encoded, { owned: true }) as [string, ...Uint8Array[]]
    assert.deepStrictEqual(back, [filler, ...parts])
    let shown = 0
    for (const view of back.slice(1) as Uint8Array[]) {
      assert.equal(view.buffer, encoded.buffer)
      assert.equal((view.byteOffset - encoded.byteOffset) % 8, 0)
      shown += view.byteLength
      new Uint8Array(view.buffer, view.byteOffset, view.byteLength).fill(0)
    }
    // What is left is the tree and the padding.
    const rest = encoded.reduce((count, byte) => count + (byte === 0 ? 0 : 1), 0)
    assert.ok(rest < 80 && encoded.length - shown < 100)
  }
})

test('decoded memory is private unless the caller says otherwise', () => {
  const encoded = encode([large(), Buffer.alloc(5000, 'x'), Buffer.from('small')])
  const [numbers, text, small] = decodeValue(encoded) as [Float64Array, Buffer, Buffer]
  for (const view of [numbers, text, small]) {
    assert.notEqual(view.buffer, encoded.buffer)
    assert.equal(view.buffer.byteLength, view.byteLength)
    assert.ok(view.buffer instanceof ArrayBuffer)
  }
})

test('memory that is handed over but lies askew is copied', () => {
  const encoded = encode(large())
  const askew = new Uint8Array(encoded.length + 3).subarray(3)
  askew.set(encoded)
  const back = decodeValue(askew, { owned: true }) as Float64Array
  assert.deepStrictEqual(back, large())
  assert.notEqual(back.buffer, askew.buffer)
})

test('a value is laid out in shared memory when asked, from the limit up', () => {
  const big = encode(new Uint8Array(SHARED_BYTES), true)
  assert.ok(big.buffer instanceof SharedArrayBuffer)
  assert.equal(big.byteOffset, 0)
  assert.ok(encode('x'.repeat(SHARED_BYTES), true).buffer instanceof SharedArrayBuffer)
  assert.ok(encode(new Uint8Array(SHARED_BYTES / 2), true).buffer instanceof ArrayBuffer)
  assert.ok(encode(new Uint8Array(SHARED_BYTES)).buffer instanceof ArrayBuffer)
})

test('from the limit up, views stay on shared memory; what is smaller is private', () => {
  const big = large(SHARED_BYTES / 8)
  const encoded = encode({ big, small: large(), bytes: Buffer.alloc(SHARED_BYTES, 'b'), text: 'text' }, true)
  const back = decodeValue(encoded, { shared: true }) as {
    big: Float64Array
    small: Float64Array
    bytes: Buffer
    text: string
  }
  assert.deepStrictEqual([...back.big.slice(0, 3)], [0.5, 1.5, 2.5])
  assert.equal(back.big.length, big.length)
  assert.equal(back.big.buffer, encoded.buffer)
  assert.equal(back.bytes.buffer, encoded.buffer)
  assert.ok(Buffer.isBuffer(back.bytes) && back.bytes.every((byte) => byte === 98))
  assert.ok(back.small.buffer instanceof ArrayBuffer)
  assert.deepStrictEqual(back.small, large())
  assert.equal(back.text, 'text')
  const copy = decodeValue(encoded) as { big: Float64Array }
  assert.ok(copy.big.buffer instanceof ArrayBuffer)
})

test('a large ArrayBuffer is an ArrayBuffer also when it comes from shared memory', () => {
  const encoded = encode(new ArrayBuffer(SHARED_BYTES), true)
  assert.ok(encoded.buffer instanceof SharedArrayBuffer)
  const back = decodeValue(encoded, { shared: true })
  assert.ok(back instanceof ArrayBuffer && back.byteLength === SHARED_BYTES)
})

test('a view on shared memory travels as its part, and comes back private', () => {
  const shared = new SharedArrayBuffer(80_000)
  const view = new Float64Array(shared, 8, 1000).fill(7)
  const back = roundTrip(view)
  assert.ok(back.buffer instanceof ArrayBuffer)
  assert.deepStrictEqual([...back], [...view])
})

test('a SharedArrayBuffer is copied, and views on it show the copy', () => {
  const shared = new SharedArrayBuffer(8)
  const view = new Uint8Array(shared).fill(3)
  const back = roundTrip({ view, shared })
  assert.ok(back.shared instanceof SharedArrayBuffer)
  assert.notEqual(back.shared, shared)
  assert.equal(back.view.buffer, back.shared)
  assert.deepEqual([...back.view], [...view])
})

for (const size of [64, 64 * 1024]) {
  test(`the same view twice, and a buffer with views on it, stay together (${size} bytes)`, () => {
    const buffer = new ArrayBuffer(size)
    const view = new Uint8Array(buffer, 8, 16)
    const doubles = new Float64Array(buffer)
    for (const value of [
      { view, again: view, doubles, buffer },
      { buffer, doubles, again: view, view },
    ]) {
      for (const owned of [false, true]) {
        const back = roundTrip(value, { owned })
        assert.equal(back.view, back.again)
        assert.equal(back.view.buffer, back.buffer)
        assert.equal(back.doubles.buffer, back.buffer)
        assert.equal(back.view.byteOffset, 8)
        assert.equal(back.buffer.byteLength, size)
        back.doubles[1] = -1
        assert.notDeepEqual([...back.view.subarray(0, 8)], new Array(8).fill(0))
      }
    }
  })

  test(`views that overlap go on sharing what they share (${size} bytes)`, () => {
    const bytes = Uint8Array.from({ length: size }, (_, i) => i % 251)
    const left = bytes.subarray(3, size - 8)
    const right = bytes.subarray(size / 2)
    const middle = new Float64Array(bytes.buffer, size / 4, 2)
    const back = roundTrip([left, right, middle] as const)
    assert.deepStrictEqual(back, [left, right, middle])
    assert.equal(back[0].buffer, back[1].buffer)
    assert.equal(back[0].buffer, back[2].buffer)
    back[0][size / 2 - 3] = 255
    assert.equal(back[1][0], 255)
    // The three bytes in front of the first view are not shown by any, so they stay behind.
    assert.deepEqual([...new Uint8Array(back[0].buffer, 0, 3)], [0, 0, 0])
  })
}

test('views that lie apart come back apart', () => {
  const bytes = new Uint8Array(100)
  const [left, right] = roundTrip([bytes.subarray(0, 10), bytes.subarray(50, 60)] as const)
  assert.notEqual(left.buffer, right.buffer)
})

test('a hundred thousand views on one buffer are no trouble', () => {
  const bytes = new Uint8Array(800_000)
  const views = Array.from({ length: 100_000 }, (_, i) => bytes.subarray(i * 8, i * 8 + 8))
  assert.equal(roundTrip(views).length, views.length)
})
