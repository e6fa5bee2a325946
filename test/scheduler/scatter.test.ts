import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayId, taskId, type ArrayId, type TaskId } from '../../protocol/ids.js'
import { SchedulerHarness, type TestClient } from '../support/scheduler-harness.js'

const SIZE_BYTES = 1_000_000

/** The client announces a value; its array is far from those that the harness fills by itself. */
function scatter(client: TestClient, options: { every?: boolean; workers?: string[]; array?: ArrayId } = {}): TaskId {
  const { every = false, workers = [], array = arrayId(client.firstArray + 50) } = options
  client.send({ type: 'scatter', array, sizeBytes: SIZE_BYTES, copies: every ? 'every' : 'one', workers })
  return taskId(array, 0)
}

const held = (task: TaskId) => ({ type: 'copies-held', tasks: [task], sizes: [SIZE_BYTES] }) as const

test('a scattered value goes to one worker, and is finished when that worker holds it', () => {
  const scheduler = new SchedulerHarness()
  const [a, client] = [scheduler.worker(), scheduler.client()]
  const x = scatter(client)
  assert.equal(client.take('scatter-to').address, a.join.address)
  assert.equal(scheduler.tasks.waiting, 1)

  a.send(held(x))

  assert.deepEqual(client.take('finished').tasks, [x])
  assert.deepEqual(client.take('scattered').tasks, [x])
  client.want(x)
  assert.deepEqual(client.take('located').holders, [a.join.address])
  client.release(x)
  assert.deepEqual(a.take('free-tasks').tasks, [x])
  scheduler.expectEmpty()
})

test('tasks that need a scattered value wait for it, and run where it is', () => {
  const scheduler = new SchedulerHarness()
  const [a, client] = [scheduler.worker(), scheduler.client()]
  scheduler.worker()
  const x = scatter(client)
  const [y] = client.submit(client.define(), [{ inputs: [x] }])
  client.release(x)
  a.send(held(x))
  assert.deepEqual(a.takeTasks(), [y])
})

test('values are dealt to the workers in turn', () => {
  const scheduler = new SchedulerHarness()
  const workers = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  for (const place of [0, 1]) {
    scatter(client, { array: arrayId(client.firstArray + 50 + place) })
    assert.equal(client.take('scatter-to').address, workers[place]!.join.address)
  }
})

test('a broadcast value is brought to one worker, goes on from there, and is finished when every worker holds it', () => {
  const scheduler = new SchedulerHarness()
  const workers = [scheduler.worker(), scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const x = scatter(client, { every: true })
  const first = workers.find(({ id }) => id === client.take('scatter-to').worker)!
  first.send(held(x))
  const others = workers.filter((worker) => worker !== first)
  for (const other of others) {
    assert.deepEqual(client.unread, [])
    const { tasks, holders, sizes } = other.take('fetch-copies')
    assert.deepEqual([tasks, holders, sizes], [[x], [first.id], [SIZE_BYTES]])
    other.send(held(x))
  }
  assert.deepEqual(client.take('finished').tasks, [x])
  assert.deepEqual(client.take('scattered').tasks, [x])
  client.release(x)
  for (const worker of workers) assert.deepEqual(worker.take('free-tasks').tasks, [x])
  scheduler.expectEmpty()
  assert.equal(scheduler.state.spreads.size, 0)
})

test('a broadcast to named workers is no business of others, and one that joins meanwhile is counted', () => {
  const scheduler = new SchedulerHarness()
  const [a, b, client] = [scheduler.worker({ name: 'a' }), scheduler.worker({ name: 'b' }), scheduler.client()]
  const x = scatter(client, { every: true, workers: ['a', 'c'] })
  assert.equal(client.take('scatter-to').worker, a.id)
  const c = scheduler.worker({ name: 'c' })
  a.send(held(x))
  assert.deepEqual(b.unread, ['joined'])
  c.take('fetch-copies')
  c.send(held(x))
  assert.deepEqual(client.take('finished').tasks, [x])
})

test('one worker that gets no copy does not fail a broadcast: it does without', () => {
  const scheduler = new SchedulerHarness()
  const [a, bad, c, client] = [scheduler.worker(), scheduler.worker(), scheduler.worker(), scheduler.client()]
  const x = scatter(client, { every: true })
  client.take('scatter-to')
  a.send(held(x))
  c.send(held(x))
  for (let tries = 0; tries < 3; tries++) {
    assert.deepEqual(client.unread, [])
    bad.take('fetch-copies')
    bad.send({ type: 'copies-missing', tasks: [x] })
    assert.ok(!bad.unread.includes('fetch-copies'), 'it is asked again at once')
    bad.pulse()
  }
  assert.deepEqual(client.take('finished').tasks, [x])
})

test('a broadcast whose only holder is lost is brought once more', () => {
  const scheduler = new SchedulerHarness()
  const [a, b, client] = [scheduler.worker(), scheduler.worker(), scheduler.client()]
  const x = scatter(client, { every: true })
  client.take('scatter-to')
  a.send(held(x))
  b.take('fetch-copies')
  a.send({ type: 'values-lost', tasks: [x] })
  assert.equal(client.take('scatter-to').worker, b.id)
  b.send(held(x))
  a.leave()
  assert.deepEqual(client.take('finished').tasks, [x])
})

test('a value for a named worker waits until it is there', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  scheduler.worker({ name: 'other' })
  scatter(client, { workers: ['special'] })
  assert.deepEqual(client.unread, [])
  const special = scheduler.worker({ name: 'special' })
  assert.equal(client.take('scatter-to').address, special.join.address)
})

test('a worker that dies before it has the value, or cannot be reached, is replaced by another', () => {
  const scheduler = new SchedulerHarness()
  const [a, b, client] = [scheduler.worker(), scheduler.worker(), scheduler.client()]
  const x = scatter(client)
  client.take('scatter-to')
  a.leave()
  assert.equal(client.take('scatter-to').address, b.join.address)
  const c = scheduler.worker()
  client.send({ type: 'not-scattered', task: x, worker: b.id })
  assert.equal(client.take('scatter-to').address, c.join.address)
})

test('a worker that could not be reached is tried again after the others, and after a sign of life', () => {
  const scheduler = new SchedulerHarness()
  const [a, b, client] = [scheduler.worker(), scheduler.worker(), scheduler.client()]
  const x = scatter(client)
  for (const worker of [a, b]) {
    assert.equal(client.take('scatter-to').worker, worker.id)
    client.send({ type: 'not-scattered', task: x, worker: worker.id })
  }
  assert.deepEqual(client.unread, [])
  b.pulse()
  assert.equal(client.take('scatter-to').worker, b.id)
  b.send(held(x))
  assert.deepEqual(client.take('finished').tasks, [x])
})

test('a client that can reach no worker is told so in the end', () => {
  const scheduler = new SchedulerHarness()
  const [a, client] = [scheduler.worker(), scheduler.client()]
  const x = scatter(client)
  for (let tries = 0; tries < 3; tries++) {
    assert.equal(client.take('scatter-to').worker, a.id)
    client.send({ type: 'not-scattered', task: x, worker: a.id })
    a.pulse()
  }
  const { code, reason } = client.take('failed')
  assert.equal(code, 'ERR_HEDDLE_WORKER_LOST')
  assert.match(reason, /last to w1/)
})

test('a scattered value that is lost fails the tasks that need it, with a reason', () => {
  const scheduler = new SchedulerHarness()
  const [a, client] = [scheduler.worker(), scheduler.client()]
  const x = scatter(client)
  a.send(held(x))
  const [y] = client.submit(client.define(), [{ inputs: [x] }])
  scheduler.skip()

  a.leave()

  const failed = client.take('failed')
  assert.deepEqual(failed.tasks.toSorted(), [x, y!].toSorted())
  assert.equal(failed.code, 'ERR_HEDDLE_WORKER_LOST')
  assert.match(failed.reason, /scattered value scatter-.* only on workers that are gone/)
})

test('what is needed only together with a lost scattered value is not made again', () => {
  const scheduler = new SchedulerHarness()
  const [a, client] = [scheduler.worker(), scheduler.client()]
  const x = scatter(client)
  a.send(held(x))
  const template = client.define()
  const [made] = client.submit(template, [{}])
  a.finish([made!], { sizeBytes: SIZE_BYTES })
  const [y] = client.submit(template, [{ inputs: [made!, x] }])
  a.finish([y!], { sizeBytes: SIZE_BYTES })
  client.release(x, made!)
  scheduler.worker()
  scheduler.skip()

  a.leave()

  assert.deepEqual(client.take('failed').tasks, [y])
  assert.deepEqual([scheduler.tasks.waiting, scheduler.tasks.ready, scheduler.tasks.processing], [0, 0, 0])
})

test('what is let go while it is being brought is freed where it arrives', () => {
  const scheduler = new SchedulerHarness()
  const [a, client] = [scheduler.worker(), scheduler.client()]
  const x = scatter(client)
  client.release(x)
  assert.deepEqual(client.take('scattered').tasks, [x])
  a.send(held(x))
  assert.deepEqual(a.take('free-tasks').tasks, [x])
  scheduler.expectEmpty()
})

test('a scatter under a foreign or used array id ends the connection', () => {
  for (const array of [arrayId(999_999_999), undefined]) {
    const scheduler = new SchedulerHarness()
    const client = scheduler.client()
    scatter(client)
    scatter(client, array === undefined ? {} : { array })
    assert.equal(scheduler.takeClosing().type, 'close-client')
  }
})

test('what is published of a value that its client never brought to a worker fails when that client goes, and says why', () => {
  const scheduler = new SchedulerHarness()
  const [client, other] = [scheduler.client(), scheduler.client()]
  const x = scatter(client)
  client.send({ type: 'publish', request: 1, name: 'table', task: x })
  scheduler.skip()

  client.leave()
  other.send({ type: 'open-dataset', array: other.firstArray, name: 'table' })

  const { code, reason } = other.take('failed')
  assert.equal(code, 'ERR_HEDDLE_WORKER_LOST')
  assert.match(reason, /still with the client that scattered it, which is gone/)
})

test('what is on its way to a worker that may close goes to another, wherever it arrives', () => {
  const scheduler = new SchedulerHarness()
  const [a, client] = [scheduler.worker(), scheduler.client()]
  const x = scatter(client)
  assert.equal(client.take('scatter-to').worker, a.id)
  client.send({ type: 'retire-workers', request: 1, workers: [a.join.name], deadlineMs: 0 })
  a.take('farewell')
  a.send(held(x))
  assert.ok(!client.unread.includes('scattered'), 'its client still has it')
  const b = scheduler.worker()
  assert.equal(client.take('scatter-to').worker, b.id)
  a.leave('it left')
  b.send(held(x))
  assert.deepEqual(client.take('finished').tasks, [x])
  assert.deepEqual(client.take('scattered').tasks, [x])
})
