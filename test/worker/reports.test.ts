/** What a worker keeps for those who ask: the last lines of its log, and what its threads ran. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { NO_BYTES } from '../../common/packed.js'
import { NO_LOG } from '../../common/node/log.js'
import { taskId, arrayId } from '../../protocol/ids.js'
import { MAX_KEPT_LENT_RUNS, MAX_KEPT_RUNS, MAX_LOG_BYTES, MAX_LOG_LINES } from '../../protocol/limits.js'
import type { BatchTask } from '../../worker/core/instructions.js'
import { RecentIds } from '../../worker/recent-ids.js'
import { TaskHistory } from '../../worker/task-history.js'
import { keepingLog, LogRing } from '../../worker/log-ring.js'
import { RunHistory } from '../../worker/run-history.js'

function taskOf(index: number, name: string, outputs = 0): BatchTask {
  const template = { name, outputs } as BatchTask['template']
  return { task: taskId(arrayId(1), index), attempt: 1, template, key: undefined } as unknown as BatchTask
}

function outcomesOf(places: readonly number[], durationsUs: readonly number[], threw: readonly number[] = []) {
  return {
    places,
    threw: new Map(threw.map((place) => [place, 'may-retry' as const])),
    durationsUs,
    sizes: durationsUs,
    values: NO_BYTES,
  }
}

test('short tasks in a row are one run, a long one is one by itself, and times follow from how long they took', () => {
  let nowMs = 1_000
  const history = new RunHistory(() => nowMs)
  const tasks = [
    taskOf(0, 'tiny'),
    taskOf(1, 'tiny'),
    taskOf(2, 'tiny'),
    taskOf(3, 'slow'),
    taskOf(4, 'tiny'),
    taskOf(5, 'other'),
  ]
  history.begin(1, tasks)
  history.add(1, outcomesOf([0, 1], [10, 20]))
  nowMs = 2_000
  history.add(1, outcomesOf([2, 3, 4, 5], [30, 5_000, 40, 50], [2]))
  const runs = history.entries
  assert.deepEqual(
    runs.map(({ name, count, failed, thread }) => [name, count, failed, thread]),
    [
      ['tiny', 2, 0, 1],
      ['tiny', 1, 0, 1],
      ['slow', 1, 0, 1],
      ['tiny', 1, 1, 1],
      ['other', 1, 0, 1],
    ],
  )
  assert.deepEqual(
    runs.map(({ atMs, durationMs }) => [Math.round((atMs - 1_000) * 1_000), Math.round(durationMs * 1_000)]),
    [
      [0, 30],
      [30, 30],
      [60, 5_000],
      [5_060, 40],
      [5_100, 50],
    ],
  )
})

test('a task with outputs is one run, and the oldest runs go first', () => {
  const history = new RunHistory(() => 0)
  history.begin(0, [taskOf(0, 'split', 3)])
  history.add(0, outcomesOf([0, 0, 0], [10, 10, 10]))
  assert.deepEqual(
    history.entries.map(({ count, durationMs }) => [count, durationMs]),
    [[1, 0.01]],
  )
  for (let i = 0; i < MAX_KEPT_RUNS + 5; i++) {
    history.begin(0, [taskOf(i, `f${i}`)])
    history.add(0, outcomesOf([0], [10]))
  }
  const names = history.entries.map(({ name }) => name)
  assert.deepEqual([names.length, names[0], names.at(-1)], [MAX_KEPT_RUNS, 'f5', `f${MAX_KEPT_RUNS + 4}`])
})

test('the last lines are kept, with their task and what else they say, and no more than may be', () => {
  const ring = new LogRing()
  const log = keepingLog(NO_LOG, ring, () => 7)
  log.debug({}, 'for developers')
  log.info({ task: 'f-1' }, 'printed')
  log.error({ err: new RangeError('off'), pid: 3 }, 'a thread failed')
  assert.deepEqual(ring.lines, [
    { atMs: 7, level: 'info', text: 'printed', task: 'f-1' },
    { atMs: 7, level: 'error', text: 'a thread failed (pid=3 RangeError: off)' },
  ])
  for (let i = 0; i < 3 * MAX_LOG_LINES; i++) log.info({}, `line ${i}`)
  assert.equal(ring.lines.length, MAX_LOG_LINES)
  assert.equal(ring.lines.at(-1)?.text, `line ${3 * MAX_LOG_LINES - 1}`)
  for (let i = 0; i < 100; i++) log.info({}, 'x'.repeat(8_000))
  assert.ok(ring.lines.length <= MAX_LOG_BYTES / 8_000)
})

test('when something last happened to a task is known as far back as the bound allows', () => {
  const recent = new RecentIds(4)
  const [a, b, c] = [0, 1, 2].map((index) => taskId(arrayId(1), index))
  recent.note([a!, b!], 10)
  recent.note([a!], 20)
  assert.deepEqual([recent.lastOf(a!, 30), recent.lastOf(a!, 15), recent.lastOf(b!, 30)], [20, 10, 10])
  recent.note([c!, c!], 30)
  assert.deepEqual([recent.lastOf(b!, 40), recent.lastOf(a!, 40)], [undefined, 20])
  for (let n = 0; n < 100; n++) recent.note([b!], 40 + n)
  assert.deepEqual([recent.lastOf(b!, 200), recent.lastOf(c!, 200)], [139, undefined])
  recent.note([a!, a!, a!, a!, a!], 300)
  assert.equal(recent.lastOf(a!, 300), undefined, 'more at once than may be kept')
})

test('a worker tells of one task when it came, how long its inputs took, how it ran, and what it printed', () => {
  let nowMs = 1_000
  const clock = (): number => nowMs
  const runs = new RunHistory(clock)
  const ring = new LogRing()
  const history = new TaskHistory(runs, ring, clock)
  const slow = taskOf(3, 'slow')
  const input = taskId(arrayId(9), 0)
  const question = { type: 'tell-of-task', question: 1, task: slow.task, key: 'slow-3', inputs: [input] } as const
  history.received([slow.task])
  nowMs = 1_010
  history.asked([input])
  nowMs = 1_050
  history.fetched([input])
  nowMs = 1_060
  runs.begin(0, [slow])
  nowMs = 1_070
  const about = { thread: 0, receivedAtMs: 1_000, startedAtMs: 1_060, queueMs: 20, fetchMs: 40 }
  const unmeasured = { decodeMs: undefined, runMs: undefined, encodeMs: undefined }
  assert.deepEqual(history.of(question).runs, [
    { ...about, ...unmeasured, durationMs: 10, hasEnded: false, hasFailed: false },
  ])
  const parts = new Map([[0, { decodeUs: 3_000, encodeUs: 2_000 }]])
  runs.add(0, { ...outcomesOf([0], [20_000], [0]), parts })
  runs.end(0)
  ring.add({ atMs: 1_065, level: 'warn', text: 'hm', task: 'slow-3' })
  ring.add({ atMs: 1_066, level: 'info', text: 'of another', task: 'slow-4' })
  assert.deepEqual(history.of(question), {
    runs: [{ ...about, durationMs: 20, decodeMs: 3, runMs: 15, encodeMs: 2, hasEnded: true, hasFailed: true }],
    lines: [{ atMs: 1_065, level: 'warn', text: 'hm' }],
  })
})

test('the run of a task that waits for others lasts from its start to its end, and is no part of what its thread does then', () => {
  let nowMs = 1_000
  const clock = (): number => nowMs
  const runs = new RunHistory(clock)
  const history = new TaskHistory(runs, new LogRing(), clock)
  const [parent, child] = [taskOf(0, 'parent'), taskOf(1, 'child')]
  const timesOf = ({ task }: BatchTask): unknown[] =>
    history
      .of({ type: 'tell-of-task', question: 1, task, key: 'none', inputs: [] })
      .runs.map((run) => [run.startedAtMs, run.durationMs, run.runMs, run.hasEnded, run.hasFailed])
  runs.begin(0, [parent])
  nowMs = 1_010
  runs.lend(0, 0)
  runs.end(0)
  runs.begin(0, [child])
  nowMs = 1_030
  assert.deepEqual(timesOf(parent), [[1_000, 30, undefined, false, false]])
  assert.deepEqual(timesOf(child), [[1_010, 20, undefined, false, false]])
  runs.add(0, outcomesOf([0], [20_000]))
  runs.end(0)
  nowMs = 1_050
  const parts = new Map([[0, { decodeUs: 1_000, encodeUs: 2_000 }]])
  runs.endLent(parent.task, parent.attempt, { ...outcomesOf([0], [30_000]), parts })
  assert.deepEqual(timesOf(parent), [[1_000, 50, 47, true, false]])
  assert.deepEqual(timesOf(child), [[1_010, 20, undefined, true, false]])

  // One that is lost with its thread leaves none, and of many the last are kept.
  runs.begin(0, [parent])
  runs.lend(0, 0)
  runs.loseLent(parent.task, parent.attempt)
  assert.equal(timesOf(parent).length, 1)
  for (let i = 0; i < MAX_KEPT_LENT_RUNS; i++) {
    runs.begin(0, [child])
    runs.lend(0, 0)
    runs.endLent(child.task, child.attempt, outcomesOf([0], [1_000], [0]))
  }
  assert.deepEqual(timesOf(parent), [])
  assert.equal(runs.of(child.task).filter(({ failed }) => failed === 1).length, MAX_KEPT_LENT_RUNS)
})
