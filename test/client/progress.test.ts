import assert from 'node:assert/strict'
import test from 'node:test'
import { progress } from '../../client/progress.js'
import { ProgressGroup } from '../../client/progress-group.js'
import { FakeScheduler } from './fake-scheduler.js'

const double = (x: number): number => x * 2
const halve = (x: number): number => x / 2

function output(isTTY: boolean) {
  const written: string[] = []
  return { written, isTTY, columns: 80, write: (text: string) => written.push(text) }
}

test('a terminal has a bar for each function, drawn over itself, and failures do not throw', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const terminal = output(true)
  const futures = [...client.map(double, [1, 2]), ...client.map(halve, [1, 2], { name: 'halve\u001B[2J' })]
  const shown = progress(futures, { output: terminal })
  const ids = await scheduler.untilSubmitted(4)
  scheduler.send({ type: 'finished', tasks: ids.slice(0, 3) })
  scheduler.threw([ids[3]!], new Error('no'))
  assert.equal(await shown, undefined)
  const last = terminal.written.at(-1)!.split('\n')
  assert.match(last[0]!, /double {15}━+ {2}2\/2/)
  assert.match(last[1]!, /halve\?\[2J {12}━+ {2}2\/2 {2}1 failed/)
  assert.ok(last.every((line) => line.length <= 100))
  // Nothing was asked for but outcomes.
  assert.deepEqual(scheduler.wanted, [])
})

test('a bar says how fast tasks end, and how long the rest takes at that pace', () => {
  const group = new ProgressGroup('load', 1_000)
  group.total = 100
  for (let task = 0; task < 50; task++) group.end(task, 'well', 1_000 + (task + 1) * 40)
  assert.equal(group.line(), 'load: 50/100, 25/s, 2s left')
  assert.match(group.bar(80), /^load {17}(━+)─+ {2}50\/100 {2}25\/s {2}2s left$/)
  for (let task = 50; task < 100; task++) group.end(task, 'well', 5_000)
  assert.equal(group.line(), 'load: 100/100, 25/s')
})

test('elsewhere nothing is written, unless lines are asked for: one for each tenth at most', async () => {
  await using scheduler = await FakeScheduler.start()
  const futures = scheduler.client.map(
    double,
    Array.from({ length: 100 }, (_, i) => i),
  )
  const [silent, lines] = [output(false), output(false)]
  const both = [progress(futures, { output: silent }), progress(futures, { output: lines, style: 'lines' })]
  const ids = await scheduler.untilSubmitted(100)
  scheduler.send({ type: 'finished', tasks: ids })
  await Promise.all(both)
  assert.deepEqual(silent.written, [])
  assert.equal(lines.written.length, 10)
  assert.match(lines.written[4]!, /^double: 50\/100/)
  assert.match(lines.written[9]!, /^double: 100\/100/)
  await progress([], { output: lines })
})

test('wrong options are refused', async () => {
  const invalid = { code: 'ERR_HEDDLE_INVALID_OPTION' }
  // @ts-expect-error No such style.
  await assert.rejects(progress([], { style: 'pie' }), invalid)
  // @ts-expect-error No stream.
  await assert.rejects(progress([], { output: {} }), invalid)
  // @ts-expect-error No futures.
  await assert.rejects(progress([1]), invalid)
  // @ts-expect-error No such option.
  await assert.rejects(progress([], { group: 'name' }), invalid)
})
