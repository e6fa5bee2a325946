/** Errors keep what people read in them, whatever was thrown and wherever it sits. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { types } from 'node:util'
import {
  HeddleError,
  NotSerializableError,
  ProtocolError,
  SchedulerUnreachableError,
  TaskCancelledError,
} from '../../protocol/errors.js'
import { decodeError, decodeValue } from '../../protocol/values/decode.js'
import { encodeError, encodeValue } from '../../protocol/values/encode.js'

const roundTrip = <T>(error: T): T => decodeError(encodeError(error)) as T

const BUILT_IN = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]

for (const Class of BUILT_IN) {
  test(`a ${Class.name} keeps class, message, stack and cause`, () => {
    const error = new Class('broken', { cause: new TypeError('below') })
    const back = roundTrip(error)
    assert.equal(Object.getPrototypeOf(back), Class.prototype)
    assert.ok(types.isNativeError(back))
    assert.deepStrictEqual(back, error)
    assert.equal(back.stack, error.stack)
    assert.ok(back.cause instanceof TypeError)
    assert.deepEqual(
      Object.getOwnPropertyDescriptor(back, 'message'),
      Object.getOwnPropertyDescriptor(error, 'message'),
    )
    assert.deepEqual(Object.keys(back), [])
  })
}

test('an error without message, stack or cause comes back without them', () => {
  const error = new Error()
  delete error.stack
  const back = roundTrip(error)
  assert.deepEqual(Object.getOwnPropertyNames(back), [])
  assert.equal('cause' in back, false)
  assert.equal('cause' in roundTrip(new Error('x', { cause: undefined })), true)
})

test('an AggregateError keeps its errors', () => {
  const back = roundTrip(new AggregateError([new RangeError('one'), 'two'], 'both'))
  assert.ok(back instanceof AggregateError)
  assert.ok(back.errors[0] instanceof RangeError)
  assert.equal(back.errors[1], 'two')
  assert.deepEqual(Object.keys(back), [])
})

test("an error of Node's keeps its code and what else it says", () => {
  let thrown: unknown
  try {
    readFileSync('/does/not/exist')
  } catch (error) {
    thrown = error
  }
  const back = roundTrip(thrown) as NodeJS.ErrnoException
  assert.deepEqual({ ...back }, { ...(thrown as object) })
  assert.equal(back.code, 'ENOENT')
  assert.equal(back.stack, (thrown as Error).stack)
})

test('own properties, a name set by hand, and values inside them are kept', () => {
  const details = { retryAt: new Date(5), rows: new Map([[1, new Uint8Array([1])]]) }
  const error = Object.assign(new RangeError('limit'), { name: 'LimitError', status: 429, details })
  const back = roundTrip(error)
  assert.equal(String(back), 'LimitError: limit')
  assert.equal(back.status, 429)
  assert.deepStrictEqual(back.details, details)
})

test("a user's subclass comes back as its nearest class, under its own name", () => {
  class ValidationError extends TypeError {
    readonly field = 'age'
    override get name(): string {
      return 'ValidationError'
    }
  }
  const back = roundTrip(new ValidationError('not a number')) as ValidationError
  assert.equal(Object.getPrototypeOf(back), TypeError.prototype)
  assert.equal(back.name, 'ValidationError')
  assert.equal(back.field, 'age')
  assert.deepEqual(Object.keys(back), ['field'])
})

test('our own errors come back as their class, with code, retryable and their fields', () => {
  const errors = [
    new NotSerializableError('args[0].x', 'args[0].x is a function'),
    new ProtocolError('theirs', 'bad frame'),
    new SchedulerUnreachableError('nobody there'),
    new TaskCancelledError('no longer wanted', { cause: 'reason' }),
    new HeddleError('ERR_HEDDLE_CLOSED', 'closed'),
  ]
  for (const error of errors) {
    const back = roundTrip(error)
    assert.equal(back.constructor, error.constructor)
    assert.ok(back instanceof HeddleError)
    assert.deepStrictEqual(back, error)
    assert.equal(back.code, error.code)
    assert.equal(back.retryable, error.retryable)
    assert.equal(back.stack, error.stack)
  }
})

test('a DOMException keeps its class, name and code', () => {
  const { signal } = new AbortController()
  const back = roundTrip(AbortSignal.abort().reason as DOMException)
  assert.ok(back instanceof DOMException)
  assert.equal(back.name, 'AbortError')
  assert.equal(back.code, DOMException.ABORT_ERR)
  assert.ok(!signal.aborted)
  const error = new DOMException('nothing here', 'NotFoundError')
  assert.equal(roundTrip(error).message, 'nothing here')
  assert.equal(roundTrip(error).stack, error.stack)
})

test('errors may refer to each other in a circle', () => {
  const error = new Error('outer') as Error & { self?: unknown }
  const inner = new Error('inner', { cause: error })
  error.cause = inner
  error.self = error
  const back = roundTrip(error)
  assert.equal((back.cause as Error).cause, back)
  assert.equal(back.self, back)
})

test('errors inside other values keep all this', () => {
  const error = Object.assign(new TypeError('inside'), { code: 'E_INSIDE' })
  const value = { settled: [{ status: 'rejected', reason: error }], again: error }
  const back = decodeValue(encodeValue(value, { path: 'result' })) as typeof value
  assert.equal(back.settled[0]?.reason, back.again)
  assert.ok(back.again instanceof TypeError)
  assert.equal(back.again.code, 'E_INSIDE')
  assert.equal(back.again.stack, error.stack)
})

test('a property that cannot travel becomes a text that says so, and its neighbours stay', () => {
  const shared = { n: 1 }
  class Socket {}
  const error = Object.assign(new Error('no answer'), {
    before: shared,
    request: { shared, bytes: new Uint8Array(5000), socket: new Socket() },
    after: shared,
  })
  Object.defineProperty(error, 'broken', { enumerable: true, get: () => { throw new Error('getter') } }) // prettier-ignore
  const back = roundTrip(error) as typeof error & { broken: unknown }
  assert.match(String(back.request), /could not be sent: error\.request\.socket is an instance of Socket/)
  assert.match(String(back.broken), /could not be sent: getter/)
  assert.deepEqual(back.before, { n: 1 })
  assert.equal(back.before, back.after)
  assert.equal(back.message, 'no answer')
})

test('a chain of causes deeper than the limit is cut, not refused', () => {
  let error = new Error('root')
  for (let i = 0; i < 3000; i++) error = new Error(`level ${i}`, { cause: error })
  let back: unknown = roundTrip(error)
  let depth = 0
  for (; back instanceof Error; back = back.cause) depth++
  assert.ok(depth > 500)
  assert.match(String(back), /could not be sent/)
})

test('whatever else was thrown comes back as it is', () => {
  for (const thrown of ['text', undefined, null, 42, { code: 1 }, 10n])
    assert.deepStrictEqual(roundTrip(thrown), thrown)
})

test('a thrown thing that cannot travel becomes an error that says so', () => {
  const thrown = [() => 1, Symbol('s'), new (class Odd {})(), { get broken() { throw new Error('getter') } }] // prettier-ignore
  for (const each of thrown) {
    const back = roundTrip<unknown>(each)
    assert.ok(back instanceof HeddleError)
    assert.equal(back.code, 'ERR_HEDDLE_NOT_SERIALIZABLE')
    assert.match(back.message, /cannot be sent; throw an Error instead/)
  }
})
