/** Tasks with several outputs in real threads: where their outputs go, and what is wrong with a result. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { HeddleError, NotSerializableError } from '../../protocol/errors.js'
import { MAX_OUTPUTS } from '../../protocol/limits.js'
import { decodeValue } from '../../protocol/values/decode.js'
import { LANE_BYTES, LaneReader, LaneWriter } from '../../worker/thread/lane.js'
import { errorAt, PoolHarness, valuesOf } from './pool-harness.js'

const places = (count: number): number[][] => Array.from({ length: count }, (_, place) => [place])

suite('a task with several outputs', { timeout: 180_000 }, () => {
  test('leaves each of them in the lane, as an outcome of its own', async () => {
    await using threads = await PoolHarness.start()
    const run = (n: number): unknown[] => [n, `${n}`, [n]]
    const batch = await threads.run(run, places(3), { outputs: 3 })
    assert.deepEqual(
      batch.outcomes.map(({ place }) => place),
      [0, 0, 0, 1, 1, 1, 2, 2, 2],
    )
    assert.deepEqual(valuesOf(batch), [0, '0', [0], 1, '1', [1], 2, '2', [2]])
    assert.ok(batch.end.type === 'replied' && batch.end.reply.large === undefined)
  })

  test('may promise them', async () => {
    await using threads = await PoolHarness.start()
    const batch = await threads.run((n: number) => Promise.resolve([n, n + 1]), places(2), { outputs: 2 })
    assert.deepEqual(valuesOf(batch), [0, 1, 1, 2])
  })

  test('ends the batch with one that is too large for the lane; then all come along, large ones in shared memory', async () => {
    await using threads = await PoolHarness.start()
    const run = (): unknown[] => ['small', new Uint8Array(200_000).fill(1)]
    const batch = await threads.run(run, places(4), { outputs: 2 })
    assert.equal(batch.firstUnstarted, 1)
    assert.deepEqual(valuesOf(batch), ['small', new Uint8Array(200_000).fill(1)])
    assert.ok(batch.end.type === 'replied')
    const [small, large] = batch.end.reply.large!.values
    assert.ok(!(small!.buffer instanceof SharedArrayBuffer) && large!.buffer instanceof SharedArrayBuffer)
  })

  test('ends the batch when the lane has no room for all, and leaves none there', async () => {
    await using threads = await PoolHarness.start()
    const batch = await threads.run(() => Array<string>(5).fill('x'.repeat(40_000)), places(4), { outputs: 5 })
    assert.equal(batch.firstUnstarted, 3)
    assert.equal(valuesOf(batch).length, 15)
    assert.ok(batch.end.type === 'replied' && batch.end.reply.large?.values.length === 5)
  })

  test('may have as many as there are places, or one', async () => {
    await using threads = await PoolHarness.start()
    const many = await threads.run((n: number) => Array<number>(1_023).fill(n), places(2), { outputs: MAX_OUTPUTS })
    assert.equal(valuesOf(many).length, 2 * MAX_OUTPUTS)
    const one = await threads.run((n: number) => [n], places(2), { outputs: 1 })
    assert.deepEqual(valuesOf(one), [0, 1])
  })

  test('fails when its result is no array of as many, or an entry can’t be sent; the others of its batch go on', async () => {
    await using threads = await PoolHarness.start()
    const run = (n: number): unknown => [[1], [1, 2, 3], 'ab', null, { length: 2 }, [1, () => 2], [7, 8]][n]
    const batch = await threads.run(run, places(7), { outputs: 2 })
    const messages = [
      /2 outputs must return an array of 2, and its array has 1; /,
      /its array has 3; /,
      /it returned string; /,
      /it returned null; /,
      /it returned an object; /,
    ]
    messages.forEach((message, place) => {
      const error = errorAt(batch, place)
      assert.ok(error instanceof HeddleError && error.code === 'ERR_HEDDLE_WRONG_OUTPUTS', String(error))
      assert.match(error.message, message)
    })
    const unsendable = errorAt(batch, 5)
    assert.ok(unsendable instanceof NotSerializableError)
    assert.equal(unsendable.path, 'result[1]')
    assert.deepEqual(
      batch.outcomes.slice(-2).map((each) => 'value' in each && each.value),
      [7, 8],
    )
  })
})

test('a lane has all outputs of a task or none, whenever it is read', () => {
  const reader = new LaneReader()
  const writer = new LaneWriter(reader.memory)
  assert.equal(writer.claim(2), 0)
  const small = Uint8Array.of(5)
  assert.ok(writer.tryWriteOutputs(0, 10, [small, small]))
  const { places: read, values } = reader.drain()!
  assert.deepEqual(read, [0, 0])
  assert.equal(decodeValue(values.bytes.subarray(0, 1)), 5)
  assert.equal(writer.claim(2), 1)
  const tooMany = Array.from({ length: 10 }, () => new Uint8Array(LANE_BYTES / 10))
  assert.equal(writer.tryWriteOutputs(1, 10, tooMany), false)
  assert.equal(reader.drain(), undefined)
  assert.equal(reader.running, 1)
})
