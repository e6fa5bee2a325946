/** What goes in comes out: every kind of value that can travel. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { createContext, runInContext } from 'node:vm'
import { Packer, entryOf } from '../../common/packed.js'
import { MAX_VALUE_DEPTH } from '../../protocol/limits.js'
import { decodeValue } from '../../protocol/values/decode.js'
import { encodeInto, encodeValue } from '../../protocol/values/encode.js'

const path = 'value'
const roundTrip = <T>(value: T): T => decodeValue(encodeValue(value, { path })) as T

const match = /b(?<rest>.*)/.exec('abc')
const withHoles: unknown[] = [1, , undefined, , 3]
const manyWithHole = Array.from({ length: 200 }, (_, i) => i)
delete manyWithHole[150]
const manyWithProperty = Object.assign(
  Array.from({ length: 200 }, (_, i) => i),
  { unit: 'ms' },
)
const farApart: unknown[] = []
farApart[4_000_000_000] = 'far'
const ownProto = JSON.parse('{"__proto__":{"isAdmin":true},"a":1}') as object

const VALUES: Readonly<Record<string, unknown>> = {
  undefined,
  null: null,
  true: true,
  false: false,
  'integers of every size': [
    0,
    1,
    127,
    128,
    -1,
    -64,
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
    -(2 ** 31) - 1,
    2 ** 32,
    2 ** 53,
  ],
  'numbers beside integers': [-0, 0.5, NaN, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE],
  bigints: [0n, 1n, -1n, 2n ** 63n, -(2n ** 64n), 3n ** 1000n],
  'texts around the short form': [
    '',
    'a',
    'x'.repeat(24),
    'x'.repeat(25),
    'x'.repeat(31),
    'x'.repeat(32),
    'x'.repeat(5000),
  ],
  'texts beyond ASCII': ['é', 'ÿ'.repeat(40), '日本語', '🧵'.repeat(100), '\u0000\u007f\u0080'],
  'lone surrogates': ['\ud800', 'a\udfffb', '\udc00\ud800', 'é\ud83e'.repeat(50)],
  'a long text': 'loom '.repeat(300_000),
  'an empty object': {},
  'an object of many keys': Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`key ${i}`, i])),
  'odd keys': { '': 1, 'a b': 2, 7: 3, constructor: 4, hasOwnProperty: 5, toJSON: 6, length: 7, then: 8, é: 9 },
  'an own key __proto__': ownProto,
  'an object without prototype': Object.assign(Object.create(null), { a: { b: Object.create(null) as unknown } }),
  arrays: [[], [[]], [1, 'a', null, undefined, [2]], Array.from({ length: 1000 }, (_, i) => i)],
  'holes in arrays': [withHoles, new Array(3), manyWithHole],
  'arrays with other properties': [Object.assign([1, 2], { unit: 'ms' }), match, manyWithProperty],
  'an array that is nearly all hole': farApart,
  'a Map': new Map<unknown, unknown>([
    [{ a: 1 }, 'object'],
    [NaN, 'NaN'],
    ['k', new Map([[1, new Set([2])]])],
  ]),
  'a Set': new Set<unknown>([1, 'a', { b: 1 }, new Set([undefined])]),
  dates: [new Date(0), new Date(-1.5e12), new Date(8.64e15)],
  'regular expressions': [/a/, /[/\]]+\u{1f9f5}/giu, new RegExp('')],
  'boxed primitives': [Object(1), Object(-0), Object('text'), Object(true), Object(10n)],
  'an ArrayBuffer': new Uint8Array([1, 2, 3]).buffer,
  'an empty ArrayBuffer': new ArrayBuffer(0),
  'a SharedArrayBuffer': new SharedArrayBuffer(16),
  'a Buffer': Buffer.from('buffer'),
  'a large Buffer': Buffer.alloc(10_000, 'b'),
  'a DataView': new DataView(new Uint8Array([0, 1, 2, 3]).buffer, 1, 2),
  'typed arrays': [
    new Uint8Array([1, 255]),
    new Uint8ClampedArray([300, -1]),
    new Int8Array([-128]),
    new Uint16Array([65535]),
    new Int16Array([-1]),
    new Uint32Array([2 ** 32 - 1]),
    new Int32Array([-1]),
    new Float32Array([0.5, NaN]),
    new Float64Array([-0, 1 / 3]),
    new BigInt64Array([-1n]),
    new BigUint64Array([2n ** 64n - 1n]),
    new Float64Array(0),
  ],
  'large typed arrays': [
    new Float64Array(1000).fill(0.1),
    new Uint8Array(5001).fill(7),
    new BigInt64Array(600).fill(-5n),
  ],
}

for (const [name, value] of Object.entries(VALUES)) {
  test(`a value comes back as it was: ${name}`, () => {
    assert.deepStrictEqual(roundTrip(value), value)
  })
}

test('an invalid date comes back invalid', () => {
  const back = roundTrip(new Date(NaN))
  assert.ok(back instanceof Date && Number.isNaN(back.getTime()))
})

test('the odd primitives come back alone, too', () => {
  assert.ok(Object.is(roundTrip(-0), -0))
  assert.ok(Object.is(roundTrip(NaN), NaN))
  assert.equal(roundTrip('\ud800'), '\ud800')
})

test('holes stay holes, and undefined stays undefined', () => {
  const back = roundTrip(withHoles)
  assert.deepEqual(Object.keys(back), ['0', '2', '4'])
  assert.equal(back.length, 5)
})

test('the order of keys, entries and items is kept', () => {
  assert.deepEqual(Object.keys(roundTrip({ b: 1, a: 2, 1: 3 })), ['1', 'b', 'a'])
  assert.deepEqual([...roundTrip(new Map([['b', 1], ['a', 2]])).keys()], ['b', 'a']) // prettier-ignore
})

test('a Float16Array travels where the language has it', (context) => {
  const { Float16Array } = globalThis as { readonly Float16Array?: new (items: number[]) => ArrayBufferView }
  if (Float16Array === undefined) return context.skip('this version of Node has none')
  const value = new Float16Array([0.5, -2])
  assert.deepStrictEqual(roundTrip(value), value)
})

test('cycles come back as cycles', () => {
  interface Loop {
    self?: Loop
    list?: unknown[]
    map?: Map<unknown, unknown>
  }
  const loop: Loop = {}
  loop.self = loop
  loop.list = [loop, [loop]]
  loop.map = new Map<unknown, unknown>([[loop, loop]])
  const back = roundTrip(loop)
  assert.equal(back.self, back)
  assert.equal(back.list?.[0], back)
  assert.equal(back.map?.get(back), back)
  const bare = Object.create(null) as { self?: unknown }
  bare.self = bare
  const bareBack = roundTrip(bare)
  assert.equal(bareBack.self, bareBack)
})

test('the same object twice comes back as the same object twice, among few objects and among many', () => {
  for (const count of [2, 1000]) {
    const shared = { n: 1 }
    const date = new Date(5)
    const fillers = Array.from({ length: count }, () => ({}))
    const back = roundTrip({ a: shared, date, fillers, b: [shared], map: new Map([[shared, date]]), same: fillers[1] })
    assert.equal(back.a, back.b[0])
    assert.equal(back.map.get(back.a), back.date)
    assert.equal(back.same, back.fillers[1])
    assert.notEqual(back.fillers[0], back.fillers[1])
  }
})

test('getters are read, and properties that are hidden or named by symbols stay behind', () => {
  const value = { get answer() { return 42 }, [Symbol('private')]: 1 } // prettier-ignore
  Object.defineProperty(value, 'hidden', { value: 1, enumerable: false })
  assert.deepStrictEqual(roundTrip(value), { answer: 42 })
})

test('a getter that changes what is being written does no harm', () => {
  const map = new Map<string, unknown>()
  const grow = (): number => map.set(`more ${map.size}`, 0).size
  map.set('first', { get size() { return grow() } }) // prettier-ignore
  assert.deepStrictEqual(roundTrip(map), new Map([['first', { size: 2 }]]))
})

test('a getter may encode a value of its own', () => {
  const value = { get inner() { return encodeValue('inner', { path }) }, after: 'x' } // prettier-ignore
  const back = roundTrip(value)
  assert.equal(decodeValue(back.inner), 'inner')
  assert.equal(back.after, 'x')
})

test('values of another context of the language travel like our own', () => {
  const value: unknown = runInContext(
    '({ list: [1, , 2], map: new Map([[1, new Date(5)]]), bytes: new Uint16Array([1, 2]), pattern: /x/g, plain: {} })',
    createContext({}),
  )
  assert.deepStrictEqual(roundTrip(value), {
    list: [1, , 2],
    map: new Map([[1, new Date(5)]]),
    bytes: new Uint16Array([1, 2]),
    pattern: /x/g,
    plain: {},
  })
})

test('a decoded own key __proto__ changes no prototype', () => {
  const back = roundTrip(ownProto) as { isAdmin?: boolean }
  assert.equal(Object.getPrototypeOf(back), Object.prototype)
  assert.equal(back.isAdmin, undefined)
  assert.equal(({} as { isAdmin?: boolean }).isAdmin, undefined)
})

test('a value may nest as deep as the limit', () => {
  let value: unknown = 'deep'
  for (let i = 0; i < MAX_VALUE_DEPTH; i++) value = i % 2 === 0 ? [value] : { value }
  assert.deepStrictEqual(roundTrip(value), value)
})

test('an encoded value is never empty, and small ones are small', () => {
  const sizes = [undefined, 42, 'abc', [], { id: 1, name: 'x', tags: ['a'] }].map(
    (value) => encodeValue(value, { path }).length,
  )
  assert.deepEqual(sizes, [1, 1, 4, 1, 20])
})

test('values packed one after another come back one by one', () => {
  const packer = new Packer()
  const values = [...Object.values(VALUES)]
  for (const value of values) encodeInto(packer, value, { path })
  const packed = packer.take()
  values.forEach((value, i) => assert.deepStrictEqual(decodeValue(entryOf(packed, i)), value))
})

test('a packed value has the bytes that it has alone', () => {
  const packer = new Packer()
  for (const value of Object.values(VALUES)) encodeInto(packer, value, { path })
  const packed = packer.take()
  Object.values(VALUES).forEach((value, i) => {
    assert.ok(Buffer.from(encodeValue(value, { path })).equals(entryOf(packed, i)))
  })
})
