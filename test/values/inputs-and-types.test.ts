/** Futures and registered classes: objects that something else travels for. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { Packer, entryOf } from '../../common/packed.js'
import { HeddleError, NotSerializableError, ProtocolError } from '../../protocol/errors.js'
import { arrayId, taskId, type TaskId } from '../../protocol/ids.js'
import { decodeError, decodeValue } from '../../protocol/values/decode.js'
import { encodeError, encodeInto, encodeValue, type FutureSink } from '../../protocol/values/encode.js'
import { registerType } from '../../protocol/values/register.js'

class FakeFuture {
  readonly id: TaskId
  constructor(index: number) {
    this.id = taskId(arrayId(1), index)
  }
}

class Sink implements FutureSink {
  readonly ids: TaskId[] = []
  idOf(object: object): TaskId | undefined {
    return object instanceof FakeFuture ? object.id : undefined
  }
}

class Point {
  readonly x: number
  readonly y: number
  constructor(x: number, y: number) {
    this.x = x
    this.y = y
  }
}
registerType(Point, { encode: ({ x, y }) => [x, y], decode: ([x, y]: number[]) => new Point(x!, y!) })
registerType(URL, { encode: (url) => url.href, decode: (href) => new URL(href) })

const roundTrip = <T>(value: T): T => decodeValue(encodeValue(value, { path: 'value' })) as T

test('futures at any depth of arrays, objects, Maps and Sets are replaced by the values of the inputs', () => {
  const [a, b, c] = [new FakeFuture(1), new FakeFuture(2), new FakeFuture(3)]
  const inputs = new Sink()
  const encoded = encodeValue([a, { deep: [b] }, new Map<unknown, unknown>([['k', c], [a, 1]]), new Set([b])], { path: 'args', inputs }) // prettier-ignore
  assert.deepEqual(inputs.ids, [a.id, b.id, c.id])
  const values = ['A', { of: 'b' }, undefined]
  const back = decodeValue(encoded, { inputs: (place) => values[place] })
  assert.deepStrictEqual(back, ['A', { deep: [values[1]] }, new Map<unknown, unknown>([['k', undefined], ['A', 1]]), new Set([values[1]])]) // prettier-ignore
})

test('a future that is the whole value is its input', () => {
  const inputs = new Sink()
  const encoded = encodeValue(new FakeFuture(7), { path: 'value', inputs })
  assert.equal(decodeValue(encoded, { inputs: () => 'seven' }), 'seven')
})

test('the ids of several values gather in one sink', () => {
  const inputs = new Sink()
  const packer = new Packer()
  for (let i = 0; i < 3; i++) encodeInto(packer, [new FakeFuture(i)], { path: 'args', inputs })
  const packed = packer.take()
  assert.equal(inputs.ids.length, 3)
  assert.deepStrictEqual(decodeValue(entryOf(packed, 2), { inputs: (place) => `input ${place}` }), ['input 2'])
})

test('a value that is refused, or written twice, leaves no ids too many', () => {
  const inputs = new Sink()
  assert.throws(() => encodeValue([new FakeFuture(1), () => 1], { path: 'args', inputs }), NotSerializableError)
  assert.deepEqual(inputs.ids, [])
  const bytes = new Uint8Array(100)
  const overlapping = [bytes.subarray(0, 10), bytes.subarray(5, 15)]
  encodeValue([new FakeFuture(1), ...overlapping, new FakeFuture(2)], { path: 'args', inputs })
  assert.deepEqual(inputs.ids, [new FakeFuture(1).id, new FakeFuture(2).id])
})

test('a future where none is expected is refused by its path', () => {
  assert.throws(
    () => encodeValue({ f: new FakeFuture(1) }, { path: 'result' }),
    /^NotSerializableError: result\.f is an instance of FakeFuture/,
  )
})

test('a future that comes without inputs is a protocol error', () => {
  const encoded = encodeValue(new FakeFuture(1), { path: 'args', inputs: new Sink() })
  assert.throws(() => decodeValue(encoded), ProtocolError)
})

test('instances of registered classes travel at any depth, also in Maps and errors', () => {
  const point = new Point(1, 2)
  const error = Object.assign(new Error('off the map', { cause: point }), { at: new URL('https://example.org/a') })
  const back = roundTrip({ point, list: [point], map: new Map([[point, new Set([point])]]), error })
  assert.deepStrictEqual(back.point, point)
  assert.equal(back.list[0], back.point)
  assert.ok(back.map.get(back.point)?.has(back.point))
  assert.equal(back.error.cause, back.point)
  assert.deepStrictEqual(back.error.at, error.at)
})

test('what encode gives may be any value, futures included', () => {
  class Box {
    readonly content: unknown
    constructor(content: unknown) {
      this.content = content
    }
  }
  registerType(Box, { encode: (box) => ({ content: box.content }), decode: ({ content }) => new Box(content) })
  const inputs = new Sink()
  const encoded = encodeValue(new Box([new FakeFuture(4), new Point(3, 4)]), { path: 'args', inputs })
  const back = decodeValue(encoded, { inputs: () => 'four' })
  assert.deepStrictEqual(back, new Box(['four', new Point(3, 4)]))
  assert.throws(() => encodeValue([new Box(() => 1)], { path: 'args' }), { path: 'args[0].encode().content' })
})

test('an instance whose encode gives itself is refused', () => {
  class Loop {
    readonly self = this
  }
  registerType(Loop, { encode: (loop) => ({ self: loop.self }), decode: () => new Loop() })
  assert.throws(() => encodeValue(new Loop(), { path: 'result' }), /result\.encode\(\)\.self is part of itself/)
})

test('a subclass of a registered class is a class of its own', () => {
  class Point3 extends Point {}
  assert.throws(() => encodeValue(new Point3(1, 2), { path: 'x' }), /instance of Point3/)
})

test('a class that is not registered on the other side is named', () => {
  class Rare {}
  registerType(Rare, { name: 'lib/Rare', encode: () => 1, decode: () => new Rare() })
  const encoded = Buffer.from(encodeValue(new Rare(), { path: 'x' }))
  encoded.write('lib/None', encoded.indexOf('lib/Rare'))
  assert.throws(
    () => decodeValue(encoded),
    (error) =>
      error instanceof HeddleError &&
      error.code === 'ERR_HEDDLE_NOT_SERIALIZABLE' &&
      error.message.includes('"lib/None"'),
  )
})

test('the later of two registrations under one name decodes', () => {
  class First {}
  class Second {}
  registerType(First, { name: 'same', encode: () => 1, decode: () => new First() })
  registerType(Second, { name: 'same', encode: () => 2, decode: () => new Second() })
  assert.ok(roundTrip<object>(new First()) instanceof Second)
})

test('an error keeps its own when a future hangs on it', () => {
  const error = Object.assign(new Error('x'), { future: new FakeFuture(1) })
  const back = decodeError(encodeError(error)) as { future: unknown }
  assert.match(String(back.future), /could not be sent/)
})
