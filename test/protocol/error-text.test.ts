import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { textOf, withoutText, withText } from '../../protocol/error-text.js'
import { MAX_ERROR_TEXT_BYTES } from '../../protocol/limits.js'
import { decodeError } from '../../protocol/values/decode.js'
import { encodeError } from '../../protocol/values/encode.js'

const utf8 = new TextEncoder()

test('the text and the encoded error come back as they were', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.string({ unit: 'binary' }), (encoded, text) => {
      const bytes = withText(encoded, utf8.encode(text))
      assert.equal(textOf(bytes), new TextDecoder('utf-8', { ignoreBOM: true }).decode(utf8.encode(text)))
      assert.deepEqual(withoutText(bytes), encoded)
    }),
  )
})

test('whatever bytes arrive, there is a text and a rest', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.equal(typeof textOf(bytes), 'string')
      assert.ok(withoutText(bytes).length <= bytes.length)
    }),
  )
})

test('the text of an error is its stack with its cause, and is cut where it is long', () => {
  const cause = new TypeError('first')
  const error = new Error('then \u{1f9f5}', { cause })
  const text = textOf(encodeError(error))
  assert.ok(text.startsWith('Error: then \u{1f9f5}\n    at '))
  assert.ok(text.includes('\ncaused by TypeError: first\n'))
  assert.deepEqual(decodeError(encodeError(error)), error)
  const long = textOf(encodeError(new Error('\u20ac'.repeat(MAX_ERROR_TEXT_BYTES))))
  assert.ok(utf8.encode(long).length <= MAX_ERROR_TEXT_BYTES)
  assert.ok(!long.includes('\ufffd'), 'it ends with a whole character')
  assert.equal(textOf(encodeError('just a text')), 'just a text')
  const hostile = Object.defineProperty(new Error('x'), 'stack', {
    get: () => {
      throw new Error('no')
    },
  })
  assert.equal(textOf(encodeError(hostile)), 'The task threw something that cannot be shown.')
})
