/** The task stream, without a canvas: what is kept, what is drawn of it, what is under the pointer, what span is shown. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { barAt, MOVES, OTHER_COLOUR, piecesOf, Timeline } from '../../dashboard/model/timeline.js'
import { boundsOf, LIVE, moved, zoomed } from '../../dashboard/model/view-window.js'
import type { RunsView } from '../../protocol/messages/watch.js'

type Run = RunsView['runs'][number]

const RUN: Run = { function: 'f', key: 'f-1', thread: 0, agoUs: 0, durationUs: 0, count: 1, failed: 0 }

function told(given: Partial<RunsView>): RunsView {
  return { worker: 'alice', nowMs: 1_000, runs: [], running: [], moves: [], leftOut: 0, ...given }
}

/** A run from one time to another, in milliseconds, as it is told at 1,000. */
function run(fromMs: number, toMs: number, more: Partial<Run> = {}): Run {
  return { ...RUN, agoUs: (1_000 - fromMs) * 1_000, durationUs: (toMs - fromMs) * 1_000, ...more }
}

test('each thread is a lane, in the order of workers and threads, and what moved comes last', () => {
  const timeline = new Timeline()
  timeline.add([told({ worker: 'w10', runs: [run(0, 1)] })], 0)
  const moves = [{ kind: 'fetched', agoUs: 0, count: 2, bytes: 10 }] as const
  timeline.add([told({ worker: 'w2', runs: [run(0, 1, { thread: 1 }), run(0, 1, { thread: 0 })], moves })], 3)
  assert.deepEqual(
    timeline.lanes.map(({ worker, thread }) => [worker, thread]),
    [
      ['w2', 0],
      ['w2', 1],
      ['w2', MOVES],
      ['w10', 0],
    ],
  )
  assert.deepEqual(timeline.lanes[2]!.moves, [{ kind: 'fetched', count: 2, bytes: 10, atMs: 1_000 }])
  assert.equal(timeline.leftOut, 3)
})

test('times are those of the scheduler, and bars of one thread never overlap', () => {
  const timeline = new Timeline()
  timeline.add([told({ runs: [run(100, 200), run(199.5, 300)] })], 0)
  const { bars } = timeline.lanes[0]!
  assert.deepEqual(
    bars.map(({ fromMs, toMs }) => [fromMs, toMs]),
    [
      [100, 200],
      [200, 300],
    ],
  )
})

test('what runs is drawn up to now, until it has ended or its worker is gone', () => {
  const timeline = new Timeline()
  const running = [{ function: 'f', key: 'f-2', thread: 0, agoUs: 400_000 }]
  timeline.add([told({ running })], 0)
  const [lane] = timeline.lanes
  assert.deepEqual(
    piecesOf(lane!, 0, 1_000, 100).map(({ from, to }) => [from, to]),
    [[60, 100]],
  )
  timeline.add([told({ runs: [run(600, 990, { key: 'f-2' })] })], 0)
  assert.equal(lane!.running, undefined)
  timeline.add([told({ running })], 0)
  timeline.keepOnly({})
  assert.equal(lane!.running, undefined)
})

test('no more is drawn than there are pixels, and an error is never hidden by what is beside it', () => {
  const timeline = new Timeline()
  const runs = Array.from({ length: 10_000 }, (_, n) => run(n / 10, (n + 1) / 10, { failed: n === 5_003 ? 1 : 0 }))
  timeline.add([told({ runs })], 0)
  const pieces = piecesOf(timeline.lanes[0]!, 0, 1_000, 200)
  assert.equal(pieces.length, 200)
  assert.deepEqual(
    pieces.filter(({ bar }) => bar.failed > 0).map(({ from, to }) => [from, to]),
    [[100, 101]],
  )
  for (const [place, { from }] of pieces.entries()) assert.equal(from, place)
})

test('so many bars are kept, and the oldest go', () => {
  const timeline = new Timeline(1_000)
  for (let n = 0; n < 3_000; n += 100) {
    timeline.add([told({ runs: Array.from({ length: 100 }, (_, i) => run((n + i) / 10, (n + i + 1) / 10)) })], 0)
    assert.ok(timeline.size <= 1_000)
  }
  const { bars } = timeline.lanes[0]!
  assert.equal(bars.length, timeline.size)
  assert.equal(bars.at(-1)!.toMs, 300)
})

test('the first functions have colours of their own, and the others share one', () => {
  const timeline = new Timeline()
  for (let n = 0; n < 8; n++) timeline.add([told({ runs: [run(n, n + 1, { function: `f${n}` })] })], 0)
  assert.deepEqual([...timeline.colours.values()], [0, 1, 2, 3, 4, 5, OTHER_COLOUR, OTHER_COLOUR])
})

test('the bar under the pointer is found, and the nearest where it is too narrow to be met', () => {
  const timeline = new Timeline()
  timeline.add([told({ runs: [run(100, 200, { key: 'a' }), run(300, 300.1, { key: 'b' })] })], 0)
  const [lane] = timeline.lanes
  const keyAt = (atMs: number): string | undefined => barAt(lane!, atMs, 5)?.key
  assert.deepEqual([50, 97, 150, 203, 250, 296, 304].map(keyAt), [undefined, 'a', 'a', 'a', undefined, 'b', 'b'])
})

test('the shown span is live until it is moved, and live again when it is moved past now', () => {
  const nowMs = 100_000
  assert.deepEqual(boundsOf(LIVE, nowMs), { fromMs: 70_000, toMs: 100_000 })
  const closer = zoomed(LIVE, 0.5, 1, nowMs)
  assert.deepEqual(closer, { spanMs: 15_000, endMs: undefined })
  const back = moved(closer, -1, nowMs)
  assert.deepEqual(back, { spanMs: 15_000, endMs: 85_000 })
  assert.deepEqual(moved(back, 2, nowMs), { spanMs: 15_000, endMs: undefined })
  const around = zoomed(back, 0.2, 0.5, nowMs)
  assert.deepEqual(boundsOf(around, nowMs), { fromMs: 76_000, toMs: 79_000 })
  assert.equal(zoomed(back, 1e-9, 0.5, nowMs).spanMs, 0.5)
  assert.equal(zoomed(back, 1e9, 0.5, nowMs).spanMs, 3_600_000)
})
