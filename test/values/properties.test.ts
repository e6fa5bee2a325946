/** Values and bytes that nobody thought of, the same ones in every run. */
import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { HeddleError, ProtocolError } from '../../protocol/errors.js'
import { SHARED_BYTES } from '../../protocol/limits.js'
import { decodeValue } from '../../protocol/values/decode.js'
import { encodeInPieces, encodeValue } from '../../protocol/values/encode.js'

const SEED = 20_250_301
const path = 'value'

const anything = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withMap: true,
  withNullPrototype: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  withUnicodeString: true,
  maxDepth: 4,
  maxKeys: 12,
  key: fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', 'toString', 'length', '0')),
  values: [
    fc.anything({ maxDepth: 0 }),
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.array(fc.nat(0xffff), { maxLength: 40 }).map((codes) => String.fromCharCode(...codes)),
    fc.integer(),
    fc.double(),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
  ],
})

test('any value comes back as it was', () => {
  fc.assert(
    fc.property(anything, (value) => {
      assert.deepStrictEqual(decodeValue(encodeValue(value, { path })), value)
    }),
    { seed: SEED, numRuns: 2000 },
  )
})

test('in pieces, a value has the same bytes', () => {
  const large = fc
    .tuple(fc.constantFrom(5_000, SHARED_BYTES - 1, SHARED_BYTES, SHARED_BYTES + 3), fc.nat(20), fc.boolean())
    .map(([sizeBytes, start, isBuffer]) => {
      const bytes = new Uint8Array(sizeBytes + start).fill(start, start)
      return isBuffer ? bytes.buffer : bytes.subarray(start)
    })
  fc.assert(
    fc.property(fc.array(fc.oneof(anything, large), { maxLength: 6 }), (value) => {
      const pieces = encodeInPieces(value, { path })
      assert.ok(Buffer.concat(pieces).equals(encodeValue(value, { path })))
    }),
    { seed: SEED, numRuns: 200 },
  )
})

test('sharing inside a value comes back as structured clone gives it', () => {
  const graph = fc.array(fc.array(fc.nat(14), { maxLength: 5 }), { minLength: 1, maxLength: 15 })
  fc.assert(
    fc.property(graph, (edges) => {
      const nodes = edges.map((_, id) => ({ id, next: [] as unknown[] }))
      edges.forEach((targets, i) => nodes[i]!.next.push(...targets.map((target) => nodes[target % nodes.length])))
      const back = decodeValue(encodeValue(nodes, { path }))
      assert.deepStrictEqual(identities(back), identities(structuredClone(nodes)))
    }),
    { seed: SEED, numRuns: 300 },
  )
})

/** Every way through a graph, with a number for each object in the order of meeting. */
function identities(root: unknown): number[] {
  const numbers = new Map<unknown, number>()
  const seen: number[] = []
  const waiting = [root]
  for (const value of waiting) {
    if (typeof value !== 'object' || value === null) continue
    const isNew = !numbers.has(value)
    if (isNew) numbers.set(value, numbers.size)
    seen.push(numbers.get(value)!)
    if (isNew) waiting.push(...Object.values(value))
  }
  return seen
}

test('views on one buffer show the same bytes and go on sharing them where they overlap', () => {
  const view = fc.tuple(fc.nat(300), fc.nat(300), fc.constantFrom(Uint8Array, Int16Array, Float64Array))
  fc.assert(
    fc.property(
      fc.array(view, { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      fc.boolean(),
      (views, withBuffer, isLarge) => {
        const unit = isLarge ? 64 : 8
        const { buffer } = Uint8Array.from({ length: 600 * unit }, (_, i) => i % 253)
        const value = views.map(
          ([start, length, Type]) => new Type(buffer, start * unit, (length * unit) / Type.BYTES_PER_ELEMENT),
        )
        const whole = withBuffer ? [...value, buffer] : value
        const back = decodeValue(encodeValue(whole, { path })) as typeof value
        assert.deepStrictEqual(back, whole)
        for (let i = 0; i < value.length; i++) {
          for (let j = 0; j < i; j++) if (overlap(value[i]!, value[j]!)) assert.equal(back[i]!.buffer, back[j]!.buffer)
        }
      },
    ),
    { seed: SEED, numRuns: 300 },
  )
})

function overlap(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength
}

test('mutated bytes give a value or a protocol error, whatever was changed', () => {
  const mutation = fc.record({
    at: fc.nat(1000),
    byte: fc.nat(255),
    kind: fc.constantFrom('change', 'remove', 'insert', 'cut', 'repeat'),
  })
  const before = Object.getOwnPropertyNames(Object.prototype)
  let refused = 0
  const seeds = [anything, fc.constant(samples())]
  fc.assert(
    fc.property(
      fc.oneof(...seeds),
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      (value, mutations, owned) => {
        const bytes = [...encodeValue(value, { path })]
        for (const { at, byte, kind } of mutations) {
          const place = at % bytes.length
          if (kind === 'change') bytes[place] = byte
          else if (kind === 'remove' && bytes.length > 1) bytes.splice(place, 1)
          else if (kind === 'insert') bytes.splice(place, 0, byte)
          else if (kind === 'cut') bytes.length = Math.max(1, place)
          else bytes.push(...bytes.slice(place, place + 20))
        }
        try {
          decodeValue(Uint8Array.from(bytes), { owned, inputs: (place) => place })
        } catch (error) {
          assert.ok(isExpected(error), `an unexpected ${String(error)}`)
          refused++
        }
      },
    ),
    { seed: SEED, numRuns: 5_000 },
  )
  assert.ok(refused > 500)
  assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), before)
})

test('random bytes give a value or a protocol error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodeValue(bytes)
      } catch (error) {
        assert.ok(isExpected(error), `an unexpected ${String(error)}`)
      }
    }),
    { seed: SEED, numRuns: 10_000 },
  )
})

/** A class or kind of array that this process doesn't know may well be named by mutated bytes. */
function isExpected(error: unknown): boolean {
  if (error instanceof ProtocolError) return error.fault === 'theirs'
  return error instanceof HeddleError && error.code === 'ERR_HEDDLE_NOT_SERIALIZABLE'
}

/** One of everything. */
function samples(): unknown {
  const bytes = new Uint8Array(64)
  const error = Object.assign(new AggregateError([new TypeError('x')], 'y', { cause: 1 }), { own: [1] })
  const sparse = [1, , 3]
  const views = [
    bytes,
    bytes.subarray(3, 9),
    bytes.buffer,
    Buffer.from('b'),
    new SharedArrayBuffer(4),
    new Float64Array(600),
  ]
  return [
    views,
    error,
    new DOMException('m', 'AbortError'),
    /x/g,
    Object('s'),
    sparse,
    12n,
    new Map([[1, 2]]),
    new Date(),
  ]
}

for (const [name, bytes] of Object.entries({
  'no bytes at all': [],
  'boxes in boxes': new Array<number>(100_000).fill(0xd5),
  'arrays in arrays': new Array<number>(100_000).fill(0xa1),
  'errors in errors': Array.from({ length: 20_000 }, () => [0xd5, 0x80, 0x01, 0x80]).flat(),
  'a count larger than memory': [0xcc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
  'a text larger than memory': [0xc7, 0xff, 0xff, 0xff, 0xff, 0x0f],
  'a number without an end': new Array<number>(1000).fill(0xff).with(0, 0xcc),
  'a tree larger than the value': [0xda, 0xff, 0xff, 0xff, 0xff, 0],
  'a part that is not there': [0xda, 8, 0, 0, 0, 0xd9, 2, 0, 1, 0, 4, 0x80, 0x20],
  'two values': [1, 2],
  'a reference to itself from nothing': [0xca, 0],
  'a regular expression that is none': [0xd3, 0x81, 0x28, 0x80],
  'a second length for an array': [0xcd, 1, 1, 0x86, ...Buffer.from('length'), 5],
})) {
  test(`${name}: a protocol error`, () => {
    assert.throws(() => decodeValue(Uint8Array.from(bytes)), ProtocolError)
  })
}
