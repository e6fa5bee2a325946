/** Published work: it outlives its client, and any client gets a future of it. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayOf, type TaskId } from '../../protocol/ids.js'
import { MAX_DATASETS } from '../../protocol/limits.js'
import { SchedulerHarness, type TestClient } from '../support/scheduler-harness.js'

/** A future of what is published. */
function open(client: TestClient, name: string): TaskId {
  const [future] = client.submission(0, [{}]).ids // The place in an array of its own.
  client.send({ type: 'open-dataset', array: arrayOf(future!), name })
  return future!
}

test('what is published stays when its client goes, and another one gets its value', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const first = scheduler.client()
  const [x] = first.map(first.define(), 1)
  first.send({ type: 'publish', request: 7, name: 'rates', task: x! })
  assert.deepEqual(first.take('published'), { type: 'published', request: 7, outcome: 'done' })
  first.leave()
  worker.finish(worker.takeTasks())

  const second = scheduler.client()
  const future = open(second, 'rates')
  second.want(future)
  assert.deepEqual(second.takeValues(), new Map([[future, [7, x! % 256]]]))
  second.release(future)
  assert.equal(scheduler.tasks['in-memory'], 1)

  second.send({ type: 'unpublish', request: 8, name: 'rates' })
  assert.equal(second.take('unpublished').wasThere, true)
  assert.deepEqual(worker.take('free-tasks').tasks, [x])
  scheduler.expectEmpty()
})

test('work goes on that is published before it is done, also when nobody else wants it', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  const [y] = client.submit(f, [{ inputs: [x!] }])
  client.send({ type: 'publish', request: 1, name: 'sum', task: y! })
  client.release(x!, y!)
  client.leave()
  const worker = scheduler.worker()
  worker.finish(worker.takeTasks())
  assert.deepEqual(worker.takeTasks(), [y])
  worker.finish([y!])
  assert.equal(scheduler.tasks['in-memory'], 1)
})

test('a name is taken once, a dataset may have several, and futures of it may be inputs', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [x, y] = client.map(f, 2)
  const publish = (request: number, name: string, task: TaskId): string => {
    client.send({ type: 'publish', request, name, task })
    return client.take('published').outcome
  }
  assert.equal(publish(1, 'a', x!), 'done')
  assert.equal(publish(2, 'a', y!), 'taken')
  assert.equal(publish(3, 'b', x!), 'done')
  client.release(y!)
  assert.equal(publish(4, 'c', y!), 'gone')
  client.send({ type: 'list-datasets', request: 5 })
  assert.deepEqual(client.take('datasets').names, ['a', 'b'])

  client.release(x!)
  const future = open(client, 'b')
  const [z] = client.submit(f, [{ inputs: [future] }])
  for (const name of ['a', 'b']) client.send({ type: 'unpublish', request: 6, name })
  client.release(future)
  worker.finish([x!])
  assert.deepEqual(worker.takeTasks().includes(z!), true)
  worker.finish([z!])
  client.release(z!)
  scheduler.expectEmpty()
})

test('a future of nothing fails, with all that needs it', () => {
  const scheduler = new SchedulerHarness()
  scheduler.worker()
  const client = scheduler.client()
  const future = open(client, 'absent')
  assert.equal(client.take('failed').code, 'ERR_HEDDLE_NO_DATASET')
  const [y] = client.submit(client.define(), [{ inputs: [future] }])
  assert.deepEqual(client.take('failed').tasks, [y])
  client.release(future, y!)
  scheduler.expectEmpty()
  client.send({ type: 'unpublish', request: 1, name: 'absent' })
  assert.equal(client.take('unpublished').wasThere, false)
})

test('no more is published than may be, and a dataset needs an array of its own', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  const calls = Array.from(
    { length: MAX_DATASETS + 1 },
    (_, i) => ({ type: 'publish', request: i, name: `name ${i}`, task: x! }) as const,
  )
  scheduler.turn(
    ...calls.slice(0, 1).map((message) => ({ type: 'client-message', client: client.id, message }) as const),
  )
  const [task] = scheduler.state.datasets.values()
  for (const { name } of calls.slice(1, MAX_DATASETS)) {
    scheduler.state.datasets.set(name, task!)
    task!.publications++
  }
  scheduler.skip()
  client.send(calls[MAX_DATASETS]!)
  assert.equal(client.take('published').outcome, 'full')
  client.send({ type: 'open-dataset', array: arrayOf(x!), name: 'a' })
  assert.match((scheduler.takeClosing() as { reason: string }).reason, /its array is in use/)
})

test('a client that cancels what is published lets go of it, and it goes on', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  worker.takeTasks()
  client.send({ type: 'publish', request: 1, name: 'a', task: x! })
  client.send({ type: 'cancel', request: 2, tasks: [x!], graceMs: 0, error: Uint8Array.of(1) })
  assert.deepEqual(client.take('cancelled').stoppedBy, ['none'])
  client.release(x!)
  worker.finish([x!])
  assert.equal(scheduler.tasks['in-memory'], 1)
})
