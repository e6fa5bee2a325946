/** What the time of a run went into, and when that is measured: reading the clock costs tiny tasks too much. */
import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { LaneReader, LaneWriter, VALUE } from '../../worker/thread/lane.js'
import { RunClock } from '../../worker/thread/run-clock.js'

/** A clock that is set by hand, and counts how often it is read. */
function fakeClock({ mock }: TestContext): { nowMs: number; reads: number } {
  const clock = { nowMs: 0, reads: 0 }
  mock.method(performance, 'now', () => {
    clock.reads += 1
    return clock.nowMs
  })
  return clock
}

/** A run whose arguments, function and result take so long. */
function run(time: { nowMs: number }, clock: RunClock, decodeMs: number, runMs: number, encodeMs: number): number {
  time.nowMs += decodeMs
  clock.called()
  time.nowMs += runMs
  clock.settled()
  time.nowMs += encodeMs
  return clock.ended()
}

test('a long run says what its time went into, if it is the first of its batch or comes behind a long one', (context) => {
  const time = fakeClock(context)
  const clock = new RunClock()
  assert.equal(run(time, clock, 1, 20, 4), 25_000)
  assert.deepEqual(clock.parts, { decodeUs: 1_000, encodeUs: 4_000 })
  assert.equal(run(time, clock, 0, 0.5, 0), 500)
  assert.equal(clock.parts, undefined, 'a short one')
  assert.equal(run(time, clock, 1, 20, 4), 25_000)
  assert.equal(clock.parts, undefined, 'a long one that nobody expected')
  run(time, clock, 3, 2, 1)
  assert.deepEqual(clock.parts, { decodeUs: 3_000, encodeUs: 1_000 })
})

test('short runs behind each other cost one reading of the clock each', (context) => {
  const time = fakeClock(context)
  const clock = new RunClock()
  run(time, clock, 0, 0.1, 0)
  time.reads = 0
  for (let i = 0; i < 10; i++) run(time, clock, 0, 0.1, 0)
  assert.equal(time.reads, 10)
})

test('a run that never began is all decoding, and one that fails to be encoded was run before', (context) => {
  const time = fakeClock(context)
  const clock = new RunClock()
  time.nowMs += 2
  clock.settled()
  time.nowMs += 1
  assert.equal(clock.ended(), 3_000)
  assert.deepEqual(clock.parts, { decodeUs: 2_000, encodeUs: 1_000 })
  clock.called()
  time.nowMs += 5
  clock.settled()
  time.nowMs += 3
  clock.settled()
  clock.ended()
  assert.deepEqual(clock.parts, { decodeUs: 0, encodeUs: 3_000 })
})

test('what a run went into comes through the lane with its outcome, and costs the others nothing there', () => {
  const reader = new LaneReader()
  const writer = new LaneWriter(reader.memory)
  writer.tryWrite(0, VALUE, 5, Uint8Array.of(1))
  assert.equal(reader.drain()?.parts, undefined)
  const parts = { decodeUs: 3_000_000_000, encodeUs: 7 }
  writer.tryWrite(1, VALUE, 3_000_000_100, Uint8Array.of(2, 3), parts)
  writer.tryWriteOutputs(2, 9_000, [Uint8Array.of(4), Uint8Array.of(5)], { decodeUs: 1, encodeUs: 2 })
  const news = reader.drain()!
  assert.deepEqual(
    [news.places, news.sizes],
    [
      [1, 2, 2],
      [2, 1, 1],
    ],
  )
  assert.deepEqual([...news.values.bytes], [2, 3, 4, 5])
  assert.deepEqual(
    [...news.parts!],
    [
      [1, parts],
      [2, { decodeUs: 1, encodeUs: 2 }],
    ],
  )
})
