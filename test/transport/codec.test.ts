import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { NO_BYTES, Packer } from '../../common/packed.js'
import { ARRAY_CAPACITY, arrayId, taskId, type TaskId } from '../../protocol/ids.js'
import { fromHolder, type FromHolder } from '../../protocol/messages/peer.js'
import {
  bytes,
  integer,
  integers,
  list,
  message,
  optionalText,
  real,
  taskIds,
  text,
  union,
} from '../../protocol/schema.js'
import { decode, decodeList, encode } from '../../protocol/transport/codec.js'
import {
  BATCH_HEAD_BYTES,
  largeBatchFrame,
  PAYLOAD_HEAD_BYTES,
  readPayloadSize,
  readUint32,
  writePayloadHead,
} from '../../protocol/transport/frame.js'
import { Batch } from '../../protocol/transport/batch.js'

const LARGEST_TASK = taskId(arrayId(Math.floor(Number.MAX_SAFE_INTEGER / ARRAY_CAPACITY)), ARRAY_CAPACITY - 1)

test('whole numbers up to 2^53 come back exactly, and as numbers', () => {
  const edges = [0, 1, 127, 128, 255, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 1, 2 ** 53 - 1]
  assert.deepEqual(decode(integers, encode(integers, edges, 0)), edges)
  fc.assert(
    fc.property(fc.array(fc.maxSafeNat()), (numbers) => {
      assert.deepEqual(decode(integers, encode(integers, numbers, 0)), numbers)
    }),
  )
})

test('task ids come back exactly from their differences', () => {
  const ids = [LARGEST_TASK, taskId(arrayId(0), 0), LARGEST_TASK, taskId(arrayId(2 ** 41), 7)]
  assert.deepEqual(decode(taskIds, encode(taskIds, ids, 0)), ids)
  fc.assert(
    fc.property(fc.array(fc.maxSafeNat()), (numbers) => {
      assert.deepEqual(decode(taskIds, encode(taskIds, numbers as TaskId[], 0)), numbers)
    }),
  )
})

test('numbers with a fraction, texts and absent texts come back as they were', () => {
  const schema = union([message('mixed', { real, text, absent: optionalText, given: optionalText })])
  const sent = { type: 'mixed', real: -1.5e300, text: 'Grüße 🧵', absent: undefined, given: '' } as const
  assert.deepEqual(decode(schema, encode(schema, sent, 0)), sent)
})

test('bytes in a message are a view on the frame, not a copy', () => {
  const frame = encode(bytes, new Uint8Array(1000).fill(7), 0)
  const decoded = decode(bytes, frame)
  assert.equal(decoded.buffer, frame.buffer)
  assert.equal(Object.getPrototypeOf(decoded), Uint8Array.prototype)
  frame.fill(9)
  assert.deepEqual(decoded, new Uint8Array(1000).fill(9))
})

test('bytes of shared memory and parts of larger buffers are sent as they are seen', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(8)).fill(3)
  assert.deepEqual(decode(bytes, encode(bytes, shared, 0)), new Uint8Array(8).fill(3))
  const part = Uint8Array.of(1, 2, 3, 4, 5).subarray(1, 4)
  assert.deepEqual(decode(bytes, encode(bytes, part, 0)), Uint8Array.of(2, 3, 4))
})

test('packed values come back as one piece of memory', () => {
  const packer = new Packer()
  for (let i = 0; i < 1000; i++) packer.add(Uint8Array.of(i, i >> 8))
  const sent: FromHolder = {
    type: 'peer-values',
    request: 1,
    tasks: Array.from({ length: 1000 }, (_, i) => i as TaskId),
    values: packer.take(),
  }
  assert.deepEqual(decode(fromHolder, encode(fromHolder, sent, 0)), sent)
  const empty: FromHolder = { type: 'peer-values', request: 1, tasks: [], values: NO_BYTES }
  assert.deepEqual(decode(fromHolder, encode(fromHolder, empty, 0)), empty)
})

test('an encoded message is not written over by later ones, also after a very large one', () => {
  const frames = [1, 2, 100_000, 3, 3_000_000, 4].map((size, i) => encode(bytes, new Uint8Array(size).fill(i), 3))
  frames.forEach((frame, i) => {
    assert.ok(decode(bytes, frame.subarray(3)).every((byte) => byte === i))
  })
})

test('a message that no schema knows is refused as our own fault', () => {
  const schema = union([message('known', { n: integer })])
  assert.throws(() => encode(schema, { type: 'unknown', n: 1 } as never, 0), {
    code: 'ERR_HEDDLE_PROTOCOL',
    fault: 'ours',
  })
})

test('whatever bytes come, decoding gives a value or a protocol error of theirs', () => {
  const schema = list(union([message('a', { n: integer, texts: list(text) }), message('b', { body: bytes })]))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
      try {
        decode(schema, garbage)
      } catch (error) {
        assert.equal((error as { fault?: unknown }).fault, 'theirs')
      }
    }),
    { numRuns: 2000 },
  )
})

test('a batch of any number of messages is one list of them', () => {
  const batch = new Batch()
  for (const sizes of [[5], [1, 2], Array.from({ length: 3000 }, (_, i) => i % 50), [70_000, 1, 5_000]]) {
    for (const size of sizes) batch.add(encode(bytes, new Uint8Array(size), BATCH_HEAD_BYTES))
    const expectedBytes = batch.sizeBytes
    const frame = batch.take()
    assert.equal(frame.length, expectedBytes)
    assert.deepEqual(
      decodeList(bytes, frame.subarray(1)).map(({ length }) => length),
      sizes,
    )
    assert.equal(batch.sizeBytes, 0)
  }
})

test('sizes in the heads of frames are exact to the last byte', () => {
  for (const sizeBytes of [0, 1, 255, 65_535, 2 ** 24 + 3, 2 ** 31, 2 ** 32 - 1]) {
    assert.equal(readUint32(largeBatchFrame(sizeBytes), 1), sizeBytes)
    for (const larger of [sizeBytes, sizeBytes + 2 ** 32, sizeBytes + 2 ** 40]) {
      const head = new Uint8Array(PAYLOAD_HEAD_BYTES)
      writePayloadHead(head, 3, larger)
      assert.equal(readPayloadSize(head), larger)
      assert.equal(head[1], 3)
    }
  }
})
