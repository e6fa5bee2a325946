import assert from 'node:assert/strict'
import test from 'node:test'
import { ProtocolError } from '../../protocol/errors.js'
import { commonVersion } from '../../protocol/version.js'
import { MAX_SOURCE_MAP_BYTES } from '../../protocol/limits.js'
import { arrayId, arrayOf, codeHash, generatedKey, indexOf, taskId, type TaskId } from '../../protocol/ids.js'
import { clientToScheduler, schedulerToClient } from '../../protocol/messages/client.js'
import { defineCode, sizeOfMap, type SourceMap } from '../../protocol/messages/common.js'
import { fromHolder } from '../../protocol/messages/peer.js'
import { schedulerToWorker, workerToScheduler, type RunTasks } from '../../protocol/messages/worker.js'
import { integer, list, message, oneOf, record, taskIds, text, union, type Field } from '../../protocol/schema.js'

const runTasks: RunTasks = {
  type: 'run-tasks',
  tasks: [5, 6, 7, 9_000_000_000_000, 3] as unknown as TaskId[],
  attempts: [1, 1, 2, 1, 1],
  runs: [1, 5],
  priority: 2 ** 31,
  patienceUs: 60_000,
  args: { ends: [1, 1, 3, 3, 3], bytes: Uint8Array.of(1, 2, 3) },
  inputCounts: [],
  inputs: [],
  remoteInputs: [],
  remoteHolders: [],
  pendingInputs: [],
  pendingHolders: [],
  pendingAfter: [],
  remoteSizes: [],
  keys: [{ place: 0, key: 'k' }],
  unstarted: [],
  failedInputs: [3 as TaskId],
  failedBy: [0],
  failures: [
    { error: Uint8Array.of(4), code: '', reason: '', worker: 'a', attempt: 1, culpritKey: 'k', death: undefined },
  ],
}

test('a message comes back from the wire as it went', () => {
  assert.deepEqual(schedulerToWorker.parse(schedulerToWorker.toWire(runTasks), 'message'), runTasks)
})

test('ids that follow each other travel as ones', () => {
  assert.deepEqual(taskIds.toWire([1_000_000, 1_000_001, 1_000_002] as TaskId[]), [1_000_000, 1, 1])
})

/** Every place in a wire form is replaced by things that do not belong there. */
function* corruptions(wire: unknown): Generator<unknown> {
  for (const wrong of [undefined, -1, 1.5, 'x', {}, [], Number.NaN, 2 ** 60]) yield wrong
  if (!Array.isArray(wire)) return
  for (let i = 0; i < wire.length; i++) {
    for (const changed of corruptions(wire[i])) {
      const copy: unknown[] = [...(wire as unknown[])]
      copy[i] = changed
      yield copy
    }
  }
}

const messages: readonly (readonly [Field<unknown>, { readonly type: string; readonly tasks?: unknown }])[] = [
  [schedulerToWorker, runTasks],
  [clientToScheduler, { type: 'want', tasks: [1, 2] }],
  [fromHolder, { type: 'gone', request: 1, tasks: [4] } as { readonly type: string }],
  [workerToScheduler, { type: 'leaving' }],
  [schedulerToClient, { type: 'finished', tasks: [1] }],
]
for (const [schema, sample] of messages) {
  test(`a corrupted ${sample.type} is refused as the peer’s fault, or is another valid message`, () => {
    let refused = 0
    for (const wire of corruptions(schema.toWire(sample))) {
      try {
        schema.parse(wire, 'message')
      } catch (error) {
        assert(error instanceof ProtocolError && error.fault === 'theirs', String(error))
        refused++
      }
    }
    assert(refused > 8)
  })
}

test('code whose source map is longer than it may be is refused, however the map is long', () => {
  const long = 'x'.repeat(MAX_SOURCE_MAP_BYTES)
  const empty = { sources: [], names: [], mappings: '' }
  const wireOf = (sourceMap: SourceMap): unknown =>
    defineCode.toWire({
      type: 'define-code',
      code: codeHash('h'),
      kind: 'function',
      source: Uint8Array.of(1),
      sourceMap,
    })
  assert.equal(defineCode.parse(wireOf({ ...empty, mappings: long }), 'message').sourceMap?.mappings, long)
  const name = 'aé織🧵'
  assert.equal(sizeOfMap({ ...empty, names: [name] }), 1 + Buffer.byteLength(name))
  const maps: SourceMap[] = [
    { ...empty, mappings: `${long}x` },
    { ...empty, sources: [long] },
    { ...empty, names: new Array<string>(MAX_SOURCE_MAP_BYTES + 1).fill('') },
    ...['é', '織', '🧵'].map((letter) => ({
      ...empty,
      names: [letter.repeat(Math.ceil(MAX_SOURCE_MAP_BYTES / Buffer.byteLength(letter)))],
    })),
  ]
  for (const map of maps)
    assert.throws(
      () => defineCode.parse(wireOf(map), 'message'),
      /sourceMap must be a source map of 65536 bytes or less/,
    )
})

test('an error of a message names the field', () => {
  const point = union([message('point', { x: integer, tags: list(record({ name: text, kind: oneOf('a', 'b') })) })])

  assert.throws(() => point.parse([0, [1, [['n', 'c']]]], 'message'), /point\.tags\[0\]\.kind must be one of a, b/)
})

test('a message of another link is our own fault', () => {
  const link = union([message('point', { x: integer })])

  assert.throws(() => link.toWire({ type: 'circle' } as never), { fault: 'ours' })
})

test('a task’s id says where it is kept', () => {
  const id = taskId(arrayId(2 ** 40), 1023)

  assert.equal(arrayOf(id), 2 ** 40)
  assert.equal(indexOf(id), 1023)
  assert(Number.isSafeInteger(id))
  assert.match(generatedKey('load', id), /^load-[0-9a-z]+$/)
})

test('two processes talk in the highest version that both know', () => {
  assert.equal(commonVersion({ lowest: 1, highest: 3 }, { lowest: 2, highest: 5 }), 3)
  assert.equal(commonVersion({ lowest: 1, highest: 1 }, { lowest: 2, highest: 5 }), undefined)
})
