import assert from 'node:assert/strict'
import test from 'node:test'
import { SchedulerHarness } from '../support/scheduler-harness.js'

test('a second worker under a used name is refused, and the first goes on', () => {
  const scheduler = new SchedulerHarness()
  const first = scheduler.worker({ name: 'big' })
  scheduler.skip()

  scheduler.worker({ name: 'big' })

  const closing = scheduler.takeClosing()
  assert(closing.type === 'close-worker')
  assert.equal(closing.code, 'ERR_HEDDLE_NAME_IN_USE')
  assert.match(closing.reason, /"big".*--name/)
  assert.deepEqual([...scheduler.state.workers.keys()], [first.id])
})

test('a restart of the same worker takes its name over, and its work runs again', () => {
  const scheduler = new SchedulerHarness()
  const first = scheduler.worker({ name: 'big', incarnation: 'same' })
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  assert.deepEqual(first.takeTasks(), [x])

  const again = scheduler.worker({ name: 'big', incarnation: 'same' })

  const closing = scheduler.takeClosing()
  assert(closing.type === 'close-worker' && closing.worker === first.id)
  assert.deepEqual(again.takeTasks(), [x])
})

test('a name is free again when its worker has left', () => {
  const scheduler = new SchedulerHarness()
  scheduler.worker({ name: 'big' }).leave()

  const second = scheduler.worker({ name: 'big', incarnation: 'another' })

  assert.deepEqual([...scheduler.state.workers.keys()], [second.id])
})

test('only workers that were sent a template hear that it is gone', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const f = client.define()
  const gone = scheduler.worker()
  const busy = scheduler.worker()
  const tasks = client.map(f, 2)
  gone.leave()
  const [first] = busy.takeTasks()
  busy.finish([first!])
  const [second] = busy.takeTasks()
  busy.finish([second!])
  const idle = scheduler.worker()
  scheduler.skip()

  client.release(...tasks)
  client.send({ type: 'forget-templates', templates: [f] })

  assert(!idle.unread.includes('forget-templates'))
  assert(busy.unread.includes('forget-templates'))
})

test('a leaving worker gets nothing more, and may go when nothing of it is awaited', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 2 })
  const client = scheduler.client()
  const [x, y] = client.map(client.define(), 5)
  worker.takeTasks()
  worker.send({ type: 'leaving' })
  assert(!worker.unread.includes('farewell'))

  worker.send({ type: 'tasks-returned', tasks: [y!], attempts: [1], begun: [] })
  worker.finish([x!])

  assert.equal(worker.take('farewell').type, 'farewell')
  assert.deepEqual(worker.takeTasks(), [])
  assert.equal(scheduler.tasks.ready, 4)
})

test('a leaving worker may go when what it runs is let go', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  worker.takeTasks()
  worker.send({ type: 'leaving' })

  client.release(x!)

  assert.equal(worker.take('farewell').type, 'farewell')
})

test('an idle worker that wants to leave may go at once', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()

  worker.send({ type: 'leaving' })

  assert.equal(worker.take('farewell').type, 'farewell')
})

test('who waits for workers is answered when there are enough', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  scheduler.worker()
  client.send({ type: 'await-workers', request: 5, count: 2 })
  assert.deepEqual(client.unread, [])

  scheduler.worker()

  assert.deepEqual(client.take('workers-present'), { type: 'workers-present', request: 5, count: 2 })
})

test('the status counts each task once and names workers and functions', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define('load')
  const [x, y] = client.map(f, 3)
  client.submit(f, [{ inputs: [x!] }])
  client.submit(f, [{ inputs: [y!] }])
  worker.finish([x!], { template: 1, us: 16_000 })
  scheduler.skip()

  client.send({ type: 'ask-status', request: 1 })

  const { status } = client.take('status')
  assert.deepEqual(status.tasks, {
    waiting: 1,
    ready: 1,
    processing: 2,
    'in-memory': 1,
    failed: 0,
    released: 0,
    delayed: 0,
  })
  const none = { failed: 0, retried: 0, cancelled: 0, movedBytes: 0, repaired: 0 }
  assert.deepEqual(status.totals, { ...none, submitted: 5, finished: 1, resultBytes: 2 })
  assert.deepEqual(
    status.functions.map(({ name, meanMs }) => [name, meanMs]),
    [['load', 16]],
  )
  assert.deepEqual(
    status.workers.map(({ name, processing }) => [name, processing]),
    [['w1', 2]],
  )
})

test('the finish rate fades when nothing happens', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 10 })
  const client = scheduler.client()
  worker.finish(client.map(client.define(), 10))
  scheduler.nowMs += 1_000
  client.send({ type: 'ask-status', request: 1 })
  assert.equal(client.take('status').status.tasksPerSecond, 10)

  scheduler.nowMs += 60_000
  client.send({ type: 'ask-status', request: 2 })

  assert.equal(client.take('status').status.tasksPerSecond, 0)
})

test('a client may ask for leases again and again, and none is given twice', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const other = scheduler.client()
  scheduler.skip()

  client.send({ type: 'ask-lease' }, { type: 'ask-lease' })
  other.send({ type: 'ask-lease' })

  const firsts = [client.take('lease').first, client.take('lease').first, other.take('lease').first]
  assert.equal(new Set(firsts).size, 3)
})

test('a worker without threads is refused with what to do', () => {
  const scheduler = new SchedulerHarness()

  scheduler.worker({ threads: 0 })

  assert.match(scheduler.takeClosing().reason, /--threads 1/)
})
