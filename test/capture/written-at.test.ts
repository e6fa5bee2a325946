/** Where functions were written is found by the inspector, or not at all where there is none. */
import assert from 'node:assert/strict'
import inspector from 'node:inspector'
import test from 'node:test'
import vm from 'node:vm'
import { captureFunction } from '../../client/capture/function.js'
import { findWrittenAt } from '../../client/capture/written-at.js'
import { MAX_PROGRAMS } from '../../protocol/limits.js'

/** A session lasts for the turn of its first question. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('where there is no inspector a function travels without a map', async (t) => {
  await nextTurn()
  const asked = t.mock.method(process, 'getBuiltinModule', () => undefined)
  assert.equal(captureFunction(() => 'no inspector').sourceMap, undefined)
  assert.equal(asked.mock.callCount(), 1)
})

test('so it does where nobody may use the inspector', async (t) => {
  await nextTurn()
  t.mock.method(inspector.Session.prototype, 'connect', () => {
    throw new Error('Access to this API has been restricted')
  })
  assert.equal(captureFunction(() => 'no right').sourceMap, undefined)
})

test('so it does where how stacks are made can’t be changed, though nothing says so', async (t) => {
  await nextTurn()
  const usual = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace')
  const ignored: unknown[] = []
  Object.defineProperty(Error, 'prepareStackTrace', {
    get: () => undefined,
    set: (value) => void ignored.push(value),
    configurable: true,
  })
  t.after(() => {
    Reflect.deleteProperty(Error, 'prepareStackTrace')
    if (usual !== undefined) Object.defineProperty(Error, 'prepareStackTrace', usual)
  })
  captureFunction(() => 'a stack that stays a text')
  assert.ok(ignored.length > 0)
})

test('an error of ours is not taken for that', async (t) => {
  await nextTurn()
  t.mock.method(process, 'getBuiltinModule', () => {
    throw new RangeError('a bug')
  })
  assert.throws(() => captureFunction(() => 'a bug'), /a bug/)
})

test('where a program has more files than are kept in mind, each function is placed all the same', () => {
  const text = 'x => x'
  const files = Array.from({ length: MAX_PROGRAMS + 10 }, (_, i) => {
    const url = `file:///of-many/${i}.js`
    return { url, fn: vm.runInThisContext(text, { filename: url }) as object }
  })
  const some = [...files.slice(0, 3), ...files.slice(MAX_PROGRAMS / 2, MAX_PROGRAMS / 2 + 3), ...files.slice(-3)]
  for (const { url, fn } of some) {
    const found = findWrittenAt(fn, text, { text, headLength: 0 })
    assert.deepEqual(found, { program: { url, sourceMapUrl: '' }, line: 0, column: 0 })
  }
})
