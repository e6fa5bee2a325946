/** What can't travel is refused with the path to it and what to do, and leaves nothing behind. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { NotSerializableError } from '../../protocol/errors.js'
import { MAX_VALUE_DEPTH } from '../../protocol/limits.js'
import { decodeValue } from '../../protocol/values/decode.js'
import { encodeValue } from '../../protocol/values/encode.js'

class Parser {
  readonly position = 0
}
class Rows extends Array<number> {}
class Table extends Map<string, number> {}
class Frame extends Uint8Array {}

const detached = new ArrayBuffer(8)
structuredClone(detached, { transfer: [detached] })

/** The arguments, the path at which they are refused, and a word of the reason. */
const REFUSED: readonly [args: unknown[], path: string, reason: RegExp][] = [
  [[() => 1], 'args[0]', /is a function/],
  [
    [0, { rows: [{ parser: new Parser() }] }],
    'args[1].rows[0].parser',
    /instance of Parser: call registerType\(Parser/,
  ],
  [[Symbol('s')], 'args[0]', /is a symbol/],
  [[Object(Symbol('s'))], 'args[0]', /instance of Symbol/],
  [[[Promise.resolve(1)]], 'args[0][0]', /is a promise: await it/],
  [[{ 'a b': { 7: new WeakMap() } }], 'args[0]["a b"]["7"]', /instance of WeakMap/],
  [[new Map([['k', Parser]])], 'args[0].get("k")', /is a function/],
  [[new Map([[{}, new WeakSet()]])], 'args[0].get(…)', /instance of WeakSet/],
  [[new Map([[new Parser(), 1]])], 'args[0].keys()[0]', /instance of Parser/],
  [[new Set([1, new Parser()])], 'args[0].values()[1]', /instance of Parser/],
  [[Object.assign([1], { parse: () => 1 })], 'args[0].parse', /is a function/],
  [[new URL('https://example.org')], 'args[0]', /instance of URL: call registerType\(URL/],
  [[new Blob([])], 'args[0]', /instance of Blob/],
  [[new Rows(3)], 'args[0]', /instance of Rows/],
  [[new Table()], 'args[0]', /instance of Table/],
  [[new Frame(3)], 'args[0]', /instance of Frame/],
  [[Object.create(Date.prototype)], 'args[0]', /instance of Date/],
  [[Object.create({ inherited: 1 })], 'args[0]', /instance of Object/],
  [[(function* () {})()], 'args[0]', /instance of/],
  [[detached], 'args[0]', /was transferred/],
]

for (const [args, path, reason] of REFUSED) {
  test(`${path} is refused: ${reason.source}`, () => {
    assert.throws(
      () => encodeValue(args, { path: 'args' }),
      (error) => {
        assert.ok(error instanceof NotSerializableError)
        assert.equal(error.path, path)
        assert.ok(error.message.startsWith(`${path} `), error.message)
        assert.match(error.message, reason)
        return true
      },
    )
  })
}

test('a value that nests too deep is refused, with a path that can be read', () => {
  let value: unknown = 'deep'
  for (let i = 0; i <= MAX_VALUE_DEPTH; i++) value = [value]
  assert.throws(
    () => encodeValue(value, { path: 'result' }),
    (error) =>
      error instanceof NotSerializableError &&
      /^result\[0\].*… is nested/.test(error.message) &&
      error.message.length < 250,
  )
})

test('what a getter throws reaches the caller as itself', () => {
  const error = new Error('from the getter')
  const value = { get broken(): unknown { throw error } } // prettier-ignore
  assert.throws(() => encodeValue(value, { path: 'args' }), error)
})

test('a refusal does not spoil the next value', () => {
  const shared = {}
  assert.throws(() => encodeValue([shared, new Uint8Array(5000), () => 1], { path: 'args' }), NotSerializableError)
  assert.deepStrictEqual(decodeValue(encodeValue([shared, 1], { path: 'args' })), [{}, 1])
})
