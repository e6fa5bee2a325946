import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayId, taskId, type ArrayId, type TaskId } from '../../protocol/ids.js'
import { SchedulerHarness, type TestClient } from '../support/scheduler-harness.js'

const SIZE_BYTES = 1_000_000

/** The client announces a value; its array is far from those that the harness fills by itself. */
function scatter(client: TestClient, options: { every?: boolean; workers?: string[]; array?: ArrayId } = {}): TaskId {
  const { every = false, workers = [], array = arrayId(50) } = options
  client.send({ type: 'scatter', array, sizeBytes: SIZE_BYTES, copies: every ? 'every' : 'one', workers })
  return taskId(array, 0)
}

const held = (task: TaskId) => ({ type: 'copies-held', tasks: [task], sizes: [SIZE_BYTES] }) as const

test('a scattered value goes to one worker, and is finished when that worker holds it', () => {
  const scheduler = new SchedulerHarness()
  const [a, client] = [scheduler.worker(), scheduler.client()]
  const x = scatter(client)
  assert.deepEqual(client.take('scatter-to').addresses, [a.join.address])
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
    scatter(client, { array: arrayId(50 + place) })
    assert.deepEqual(client.take('scatter-to').addresses, [workers[place]!.join.address])
  }
})

test('a broadcast value is finished when every worker holds it', () => {
  const scheduler = new SchedulerHarness()
  const [a, b, client] = [scheduler.worker(), scheduler.worker(), scheduler.client()]
  const x = scatter(client, { every: true })
  assert.deepEqual(client.take('scatter-to').addresses, [a.join.address, b.join.address])
  a.send(held(x))
  assert.deepEqual(client.unread, [])
  b.send(held(x))
  assert.deepEqual(client.take('finished').tasks, [x])
})

test('a value for a named worker waits until it is there', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  scheduler.worker({ name: 'other' })
  scatter(client, { workers: ['special'] })
  assert.deepEqual(client.unread, [])
  const special = scheduler.worker({ name: 'special' })
  assert.deepEqual(client.take('scatter-to').addresses, [special.join.address])
})

test('a worker that dies before it has the value, or cannot be reached, is replaced by another', () => {
  const scheduler = new SchedulerHarness()
  const [a, b, client] = [scheduler.worker(), scheduler.worker(), scheduler.client()]
  const x = scatter(client)
  client.take('scatter-to')
  a.leave()
  assert.deepEqual(client.take('scatter-to').addresses, [b.join.address])
  const c = scheduler.worker()
  client.send({ type: 'not-scattered', task: x, worker: b.id })
  assert.deepEqual(client.take('scatter-to').addresses, [c.join.address])
})

test('a client that can reach no worker is told so in the end', () => {
  const scheduler = new SchedulerHarness()
  const [a, client] = [scheduler.worker(), scheduler.client()]
  const x = scatter(client)
  while (client.unread.includes('scatter-to')) {
    client.take('scatter-to')
    client.send({ type: 'not-scattered', task: x, worker: a.id })
  }
  assert.equal(client.take('failed').code, 'ERR_HEDDLE_WORKER_LOST')
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
  for (const array of [arrayId(999_999_999), arrayId(50)]) {
    const scheduler = new SchedulerHarness()
    const client = scheduler.client()
    scatter(client)
    scatter(client, { array })
    assert.equal(scheduler.takeClosing().type, 'close-client')
  }
})
