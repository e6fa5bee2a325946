/** Workers that go, by themselves or retired: what only they hold moves to those that stay. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { SchedulerHarness, type TestClient, type TestWorker } from '../support/scheduler-harness.js'
import type { TaskId } from '../../protocol/ids.js'
import { statusOf } from '../../scheduler/core/views/status.js'
import { recordOf } from '../../scheduler/core/tasks/task-array.js'

const LARGE_BYTES = 10_000_000

function makeValues(client: TestClient, worker: TestWorker, count: number): TaskId[] {
  const values = client.map(client.define(), count)
  for (let sent = worker.takeTasks(); sent.length > 0; sent = worker.takeTasks()) {
    worker.finish(sent, { sizeBytes: LARGE_BYTES })
  }
  return values
}

test('a retired worker gives away what only it holds before it may go, to those that hold least', () => {
  const scheduler = new SchedulerHarness()
  const old = scheduler.worker({ name: 'old' })
  const client = scheduler.client()
  const values = makeValues(client, old, 4)
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  scheduler.skip()
  client.send({ type: 'retire-workers', request: 5, workers: ['old'], deadlineMs: 0 })
  assert.equal(old.take('leave').type, 'leave')
  assert.deepEqual(old.unread, [])
  const toA = a.take('fetch-copies').tasks
  const toB = b.take('fetch-copies').tasks
  // Three at once, as of any holder.
  assert.equal(toA.length + toB.length, 3)
  a.send({ type: 'copies-held', tasks: toA, sizes: toA.map(() => LARGE_BYTES) })
  b.send({ type: 'copies-held', tasks: toB, sizes: toB.map(() => LARGE_BYTES) })
  const last = [a, b].find(({ unread }) => unread.includes('fetch-copies'))!
  const { tasks } = last.take('fetch-copies')
  assert.deepEqual([...toA, ...toB, ...tasks].toSorted(), values.toSorted())
  assert.deepEqual(old.unread, [])
  last.send({ type: 'copies-held', tasks, sizes: [LARGE_BYTES] })
  assert.equal(old.take('farewell').type, 'farewell')
  assert.deepEqual(client.unread, [])

  old.leave()
  assert.deepEqual(client.take('retired'), {
    type: 'retired',
    request: 5,
    unknown: [],
    values: 4,
    sizeBytes: 4 * LARGE_BYTES,
    cutShort: [],
  })
  assert.equal(scheduler.tasks['in-memory'], 4)
  assert.equal(scheduler.tasks.ready + scheduler.tasks.processing, 0)
})

test('what a leaving worker still runs moves away when it is done', () => {
  const scheduler = new SchedulerHarness()
  const old = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  old.takeTasks()
  const other = scheduler.worker()
  old.send({ type: 'leaving' })
  scheduler.skip()
  old.finish([x!], { sizeBytes: LARGE_BYTES })
  assert.deepEqual(other.take('fetch-copies').tasks, [x])
  assert.deepEqual(old.unread, [])
  other.send({ type: 'copies-held', tasks: [x!], sizes: [LARGE_BYTES] })
  old.take('farewell')
})

test('a value that others hold too, or that is let go, keeps nobody', () => {
  const scheduler = new SchedulerHarness()
  const old = scheduler.worker()
  const client = scheduler.client()
  const [x, y] = makeValues(client, old, 2)
  const other = scheduler.worker()
  client.send({ type: 'replicate', request: 1, tasks: [x!], copies: 2 })
  other.take('fetch-copies')
  other.send({ type: 'copies-held', tasks: [x!], sizes: [LARGE_BYTES] })
  scheduler.skip()
  old.send({ type: 'leaving' })
  assert.deepEqual(other.take('fetch-copies').tasks, [y])
  client.release(y!)
  old.take('farewell')
})

test('a value that no other worker can get keeps the worker no longer than they try', () => {
  const scheduler = new SchedulerHarness()
  const old = scheduler.worker()
  const client = scheduler.client()
  const [x] = makeValues(client, old, 1)
  const other = scheduler.worker()
  scheduler.skip()
  old.send({ type: 'leaving' })
  for (let tries = 0; tries < 3; tries++) {
    assert.deepEqual(other.take('fetch-copies').tasks, [x])
    assert.ok(!old.unread.includes('farewell'))
    other.send({ type: 'copies-missing', tasks: [x!] })
    other.pulse()
  }
  old.take('farewell')
})

test('nine of ten workers leave at once, and the tenth has all their values', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const workers = Array.from({ length: 9 }, () => scheduler.worker())
  const values = client.map(client.define(), 9)
  for (const worker of workers) worker.finish(worker.takeTasks(), { sizeBytes: LARGE_BYTES })
  const stays = scheduler.worker()
  scheduler.skip()

  client.send({ type: 'retire-workers', request: 1, workers: workers.map(({ join }) => join.name), deadlineMs: 0 })
  const moved: TaskId[] = []
  while (stays.unread.includes('fetch-copies')) {
    const { tasks } = stays.take('fetch-copies')
    moved.push(...tasks)
    stays.send({ type: 'copies-held', tasks, sizes: tasks.map(() => LARGE_BYTES) })
  }
  for (const worker of workers) {
    worker.take('farewell')
    worker.leave()
  }

  assert.deepEqual(moved.toSorted(), values.toSorted())
  assert.deepEqual(client.take('retired').unknown, [])
  assert.equal(scheduler.tasks['in-memory'], 9)
  assert.deepEqual(stays.takeTasks(), [])
})

test('the last worker may go at once if nothing is lost with it, and an unknown one keeps all', () => {
  const scheduler = new SchedulerHarness()
  const only = scheduler.worker({ name: 'only' })
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  only.finish(only.takeTasks())
  scheduler.skip()
  client.send({ type: 'retire-workers', request: 1, workers: ['only', 'absent'], deadlineMs: 0 })
  assert.deepEqual(client.take('retired').unknown, ['absent'])
  assert.deepEqual(only.unread, [])
  client.send({ type: 'retire-workers', request: 2, workers: [only.join.address], deadlineMs: 0 })
  only.take('leave')
  only.take('farewell')
  only.leave()
  assert.equal(client.take('retired').values, 0)
  client.want(x!) // The scheduler has a copy of its own.
  assert.deepEqual(client.take('values').tasks, [x])
  assert.equal(scheduler.state.retirements.size, 0)
})

test('the last worker stays with what only it holds until another one comes, and says why', () => {
  const scheduler = new SchedulerHarness()
  const only = scheduler.worker({ name: 'only' })
  const client = scheduler.client()
  const [x, y] = makeValues(client, only, 2)
  scheduler.skip()
  client.send({ type: 'retire-workers', request: 7, workers: ['only'], deadlineMs: 0 })
  only.take('leave')
  assert.deepEqual(only.unread, [])
  const { request, reason } = client.take('retirement-waits')
  assert.equal(request, 7)
  assert.match(
    reason,
    /^Worker "only" has values that would be lost with it .* when one has joined, or they are released/,
  )
  assert.equal(statusOf(scheduler.state).workers[0]!.staysBecause, reason)

  client.release(x!)
  assert.ok(!client.unread.includes('retirement-waits')) // It is for another value now, and that was said.
  assert.notEqual(statusOf(scheduler.state).workers[0]!.staysBecause, '')
  const other = scheduler.worker()
  assert.equal(statusOf(scheduler.state).workers[0]!.staysBecause, '')
  assert.deepEqual(other.take('fetch-copies').tasks, [y])
  other.send({ type: 'copies-held', tasks: [y!], sizes: [LARGE_BYTES] })
  only.take('farewell')
  only.leave()
  assert.deepEqual(client.take('retired').cutShort, [])
})

test('the last worker stays no longer than what it holds is wanted, or than its deadline', () => {
  const scheduler = new SchedulerHarness()
  const only = scheduler.worker({ name: 'only' })
  const client = scheduler.client()
  const [x] = makeValues(client, only, 1)
  scheduler.skip()
  client.send({ type: 'retire-workers', request: 1, workers: ['only'], deadlineMs: 0 })
  client.take('retirement-waits')
  client.release(x!)
  only.take('farewell')
  only.leave()
  client.take('retired')

  const late = scheduler.worker({ name: 'late' })
  makeValues(client, late, 1)
  scheduler.skip()
  client.send({ type: 'retire-workers', request: 2, workers: ['late'], deadlineMs: 1_000 })
  client.take('retirement-waits')
  assert.ok(!late.unread.includes('farewell'))
  while (!late.unread.includes('farewell')) scheduler.wakeUp()
  late.leave()
  assert.deepEqual(client.take('retired').cutShort, ['late'])
})

test('of two last workers that hold a value one stays, and one that leaves by itself does not', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker({ name: 'a' }), scheduler.worker({ name: 'b' })]
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  a.finish(a.takeTasks(), { sizeBytes: LARGE_BYTES })
  client.send({ type: 'replicate', request: 1, tasks: [x!], copies: 2 })
  b.take('fetch-copies')
  b.send({ type: 'copies-held', tasks: [x!], sizes: [LARGE_BYTES] })
  scheduler.skip()
  client.send({ type: 'retire-workers', request: 1, workers: ['a', 'b'], deadlineMs: 0 })
  a.take('farewell')
  a.leave()
  assert.deepEqual([b.take('leave').type, b.unread.length], ['leave', 0])
  client.release(x!)
  b.take('farewell')
  b.leave()

  const stopped = scheduler.worker()
  makeValues(client, stopped, 1)
  stopped.send({ type: 'leaving' })
  stopped.take('farewell')
})

test('at the deadline a worker goes whatever is left, and what it ran and held is made again, with no blame', () => {
  const scheduler = new SchedulerHarness()
  const old = scheduler.worker({ name: 'old' })
  const client = scheduler.client()
  const [x] = makeValues(client, old, 1)
  const [y] = client.map(client.define('slow'), 1)
  old.takeTasks()
  const other = scheduler.worker()
  scheduler.skip()
  client.send({ type: 'retire-workers', request: 1, workers: ['old'], deadlineMs: 1_000 })
  old.take('leave')
  other.take('fetch-copies')
  while (!old.unread.includes('farewell')) scheduler.wakeUp()
  old.take('farewell')
  assert.deepEqual(client.unread, [])
  old.leave()
  const answer = client.take('retired')
  assert.deepEqual([answer.values, answer.cutShort], [0, ['old']])
  const again = other.takeTasks()
  other.finish(again, { sizeBytes: LARGE_BYTES, attempts: again.map((id) => recordOf(scheduler.state, id)!.attempt) })
  again.push(...other.takeTasks())
  assert.deepEqual(again.toSorted(), [x, y].toSorted())
  for (const id of [x, y]) assert.equal(recordOf(scheduler.state, id!)?.deaths, 0)
})
