/** What a client must not lose, and how much of that it keeps before it says no more. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { Unacknowledged } from '../../client/unacknowledged.js'
import { codeHash } from '../../protocol/ids.js'
import { MAX_SOURCE_MAP_BYTES, MAX_UNACKNOWLEDGED_BYTES } from '../../protocol/limits.js'
import type { DefineCode } from '../../protocol/messages/common.js'

test('all of a source map counts, and nothing of what was acknowledged', () => {
  const text = 'x'.repeat(MAX_SOURCE_MAP_BYTES / 2 - 2)
  const define: DefineCode = {
    type: 'define-code',
    code: codeHash('h'),
    kind: 'function',
    source: new Uint8Array(0),
    sourceMap: { sources: [text], names: [text], mappings: '' },
  }
  const kept = new Unacknowledged()
  const count = Math.ceil(MAX_UNACKNOWLEDGED_BYTES / MAX_SOURCE_MAP_BYTES)
  for (let i = 0; i < count; i++) {
    assert.equal(kept.isFull, false)
    kept.add(define)
  }
  assert.equal(kept.isFull, true)
  kept.acknowledge(1)
  assert.equal(kept.isFull, false)
  kept.acknowledge(count)
  assert.equal(kept.isEmpty, true)
})
