import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { changesBetween, withChanges, type Changes, type JsonObject } from '../../common/merge-patch.js'

test('only what changed is named, and what is gone is null', () => {
  const before = { tasks: { ready: 1, waiting: 2 }, workers: { a: { pid: 1 }, b: { pid: 2 } }, names: ['x'] }
  const after = { tasks: { ready: 1, waiting: 3 }, workers: { a: { pid: 1 } }, names: ['x'] }
  const changes = changesBetween(before, after)
  assert.deepEqual(changes, { tasks: { waiting: 3 }, workers: { b: null } })
  assert.deepEqual(withChanges(before, changes!), after)
  assert.equal(changesBetween(after, structuredClone(after)), undefined)
})

test('what did not change is shared, so that nobody looks at it again', () => {
  const before = { a: { x: 1 }, b: { y: 1 } }
  const after = withChanges(before, { b: { y: 2 } })
  assert.equal(after['a'], before.a)
})

test('a member may have any name', () => {
  const before = JSON.parse('{ "__proto__": { "n": 1 } }') as JsonObject
  const after = JSON.parse('{ "__proto__": { "n": 2 }, "constructor": 1 }') as JsonObject
  const sent = JSON.parse(JSON.stringify(changesBetween(before, after))) as Changes
  assert.equal(JSON.stringify(withChanges(before, sent)), JSON.stringify(after))
})

test('any state follows from any other and what changed, as it comes over the wire', () => {
  const leaf = fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.array(fc.integer(), { maxLength: 3 }))
  const names = fc.constantFrom('a', 'b', 'c', '__proto__', 'toString')
  const { state } = fc.letrec<{ state: JsonObject; value: JsonObject }>((tie) => ({
    state: fc
      .array(fc.tuple(names, fc.oneof({ maxDepth: 3 }, leaf, tie('state'))), { maxLength: 4 })
      .map((members) => Object.fromEntries(members) as JsonObject),
    value: tie('state'),
  }))
  fc.assert(
    fc.property(state, state, (before, after) => {
      const changes = changesBetween(before, after)
      const sent = changes && (JSON.parse(JSON.stringify(changes)) as Changes)
      assert.deepEqual(sent === undefined ? before : withChanges(before, sent), after)
    }),
  )
})
