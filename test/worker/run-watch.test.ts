/** What a worker tells of its threads, and only while somebody looks. */
import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { NO_BYTES } from '../../common/packed.js'
import { arrayId, generatedKey, taskId } from '../../protocol/ids.js'
import { MAX_RUNS_TOLD, RUNS_INTERVAL_MS } from '../../protocol/limits.js'
import type { Runs } from '../../protocol/messages/runs.js'
import type { BatchTask } from '../../worker/core/instructions.js'
import { RunHistory } from '../../worker/run-history.js'
import { RunWatch } from '../../worker/run-watch.js'

const idOf = (index: number) => taskId(arrayId(1), index)

function taskOf(index: number): BatchTask {
  return { task: idOf(index), template: { name: 'f', outputs: 0 }, key: undefined } as unknown as BatchTask
}

function start(context: TestContext) {
  context.mock.timers.enable({ apis: ['setInterval'] })
  const clock = { nowMs: 10_000 }
  const history = new RunHistory(() => clock.nowMs)
  const sent: Runs[] = []
  const watch = new RunWatch({ history, send: (message) => sent.push(message), nowMs: () => clock.nowMs })
  const pass = (): void => {
    clock.nowMs += RUNS_INTERVAL_MS
    context.mock.timers.tick(RUNS_INTERVAL_MS)
  }
  /** The thread is given tasks, of which the first ones end, each after so long. */
  const run = (count: number, durationsUs: readonly number[]): void => {
    history.begin(
      0,
      Array.from({ length: count }, (_, index) => taskOf(index)),
    )
    const places = durationsUs.map((_, place) => place)
    history.add(0, { places, threw: new Map(), durationsUs, sizes: durationsUs, values: NO_BYTES })
  }
  return { history, sent, watch, pass, run }
}

test('what ended and what runs is told with how long ago it began, and nothing while nobody looks', (context) => {
  const { history, sent, watch, pass, run } = start(context)
  run(1, [5_000])
  pass()
  assert.equal(sent.length, 0)
  watch.start()
  run(3, [20_000, 30_000])
  pass()
  const [message] = sent
  assert.deepEqual(
    message?.runs.map(({ key, agoUs, durationUs }) => [key, agoUs, durationUs]),
    [
      [generatedKey('f', idOf(0)), 250_000, 20_000],
      [generatedKey('f', idOf(1)), 230_000, 30_000],
    ],
  )
  assert.deepEqual(message?.running, [{ function: 'f', key: generatedKey('f', idOf(2)), thread: 0, agoUs: 200_000 }])
  history.end(0)
  pass()
  assert.deepEqual(sent[1], { type: 'runs', runs: [], running: [], moves: [], leftOut: 0 }, 'nothing runs any more')
  pass()
  assert.equal(sent.length, 2)
  watch.stop()
  run(1, [1_000])
  pass()
  assert.equal(sent.length, 2)
})

test('what was added to a batch is told of like the rest of it', (context) => {
  const { history, sent, watch, pass, run } = start(context)
  watch.start()
  run(2, [20_000])
  history.extend(0, [taskOf(2), taskOf(3)])
  const durationsUs = [30_000, 40_000]
  history.add(0, { places: [1, 2], threw: new Map(), durationsUs, sizes: durationsUs, values: NO_BYTES })
  pass()
  assert.deepEqual(
    sent[0]?.runs.map(({ key, durationUs }) => [key, durationUs]),
    [20_000, 30_000, 40_000].map((durationUs, index) => [generatedKey('f', idOf(index)), durationUs]),
  )
  assert.deepEqual(sent[0]?.running, [{ function: 'f', key: generatedKey('f', idOf(3)), thread: 0, agoUs: 160_000 }])
})

test('of too many runs the latest are told, and how many were left out', (context) => {
  const { sent, watch, pass, run } = start(context)
  watch.start()
  run(
    MAX_RUNS_TOLD + 10,
    Array.from({ length: MAX_RUNS_TOLD + 10 }, () => 2_000),
  )
  pass()
  assert.deepEqual([sent[0]?.runs.length, sent[0]?.leftOut], [MAX_RUNS_TOLD, 10])
  assert.equal(sent[0]?.runs.at(-1)?.key, generatedKey('f', idOf(MAX_RUNS_TOLD + 9)))
})

test('values that move are told together, by kind', (context) => {
  const { sent, watch, pass } = start(context)
  watch.noteMove('fetched', 1, 1)
  watch.start()
  watch.noteMove('fetched', 2, 100)
  watch.noteMove('fetched', 1, 10)
  watch.noteMove('spilled', 1, 7)
  pass()
  assert.deepEqual(sent[0]?.moves, [
    { kind: 'fetched', agoUs: 0, count: 3, bytes: 110 },
    { kind: 'spilled', agoUs: 0, count: 1, bytes: 7 },
  ])
})

test('short tasks in a row are told as one, however often the history heard of them; failures are not hidden in them', (context) => {
  const { history, sent, watch, pass } = start(context)
  watch.start()
  const count = 100
  history.begin(
    0,
    Array.from({ length: count }, (_, index) => taskOf(index)),
  )
  for (let place = 0; place < count; place++) {
    const threw = new Map(place === 60 ? [[0, 'may-retry' as const]] : [])
    history.add(0, { places: [place], threw, durationsUs: [50], sizes: [1], values: NO_BYTES })
  }
  pass()
  assert.deepEqual(
    sent[0]?.runs.map((run) => [run.count, run.failed, run.durationUs]),
    [
      [60, 0, 3_000],
      [1, 1, 50],
      [39, 0, 1_950],
    ],
  )
})
