import assert from 'node:assert/strict'
import test from 'node:test'
import { attempt } from '../../protocol/ids.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

test('what ran on a lost worker runs elsewhere, as a new attempt', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  a.takeTasks()
  const b = scheduler.worker()

  a.leave()

  const run = b.take('run-tasks')
  assert.deepEqual([run.tasks, run.attempts], [[x], [2]])
})

test('a lost value that a task needs is made again, from inputs that were long gone', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  const [y] = client.submit(f, [{ inputs: [x!] }])
  client.release(x!)
  a.finish([x!], { sizeBytes: 100_000 })
  a.finish([y!], { sizeBytes: 100_000 })
  const b = scheduler.worker()

  a.leave()

  assert.deepEqual(b.takeTasks(), [x])
  b.finish([x!], { attempts: [2], sizeBytes: 100_000 })
  assert.deepEqual(b.takeTasks(), [y])
})

test('a small result survives its worker: the scheduler has a copy', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  a.finish([x!])
  const b = scheduler.worker()
  a.leave()
  scheduler.skip()

  client.want(x!)

  assert.deepEqual([...client.takeValues().keys()], [x])
  assert.deepEqual(b.takeTasks(), [])
})

test('a result that only the scheduler has a copy of is made again when a task needs it', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  a.finish([x!])
  const b = scheduler.worker()
  a.leave()

  const [y] = client.submit(f, [{ inputs: [x!] }])

  assert.deepEqual(b.takeTasks(), [x])
  b.finish([x!], { attempts: [2] })
  assert.deepEqual(b.takeTasks(), [y])
})

test('a value with another copy is not made again', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  a.finish([x!], { sizeBytes: 100_000 })
  b.send({ type: 'copies-held', tasks: [x!], sizes: [100_000] })

  a.leave()
  client.want(x!)

  assert.deepEqual(client.take('located').holders, ['ws://w2'])
})

test('a task whose value turned up while it waited, and was lost again, waits once', () => {
  // Given y waits for x, both lost with a; b has a copy of y that nobody knew of.
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const f = client.define()
  const a = scheduler.worker()
  const [x] = client.map(f, 1)
  a.finish([x!], { sizeBytes: 100_000 })
  const [y] = client.submit(f, [{ inputs: [x!] }])
  a.finish([y!], { sizeBytes: 100_000 })
  const b = scheduler.worker()
  a.leave()
  assert.deepEqual(b.takeTasks(), [x])
  b.send({ type: 'copies-held', tasks: [y!], sizes: [100_000] })

  client.send({ type: 'missing', task: y!, holder: b.join.address })
  b.finish([x!], { attempts: [2] })

  assert.deepEqual(b.takeTasks(), [y])
})

test('a copy that its own worker was told to make again is known, and freed in the end', () => {
  // Given b has a copy of x that nobody knew of when a died, so that b is to run x.
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const a = scheduler.worker()
  const [x] = client.map(client.define(), 1)
  a.finish([x!], { sizeBytes: 100_000 })
  const b = scheduler.worker()
  a.leave()
  assert.deepEqual(b.takeTasks(), [x])

  b.send({ type: 'copies-held', tasks: [x!], sizes: [100_000] })
  assert.equal(scheduler.tasks['in-memory'], 1)
  b.send({ type: 'tasks-returned', tasks: [x!], attempts: [2] })
  assert.deepEqual(b.unread.includes('free-tasks'), false)

  client.release(x!)
  assert.deepEqual(b.take('free-tasks').tasks, [x])
  scheduler.expectEmpty()
})

test('a task is blamed for the third worker that dies under it, with all the story told', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const [x] = client.map(client.define('boom'), 1)
  for (let i = 0; i < 3; i++) scheduler.worker().leave('out of memory')

  const failed = client.take('failed')

  assert.deepEqual([failed.tasks, failed.code], [[x], 'ERR_HEDDLE_WORKER_LOST'])
  assert.match(failed.reason, /boom-.* 3 workers .* w3 \(out of memory\)/)
})

test('tasks that only waited on a lost worker are not blamed', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const first = scheduler.worker()
  const [warm, ...rest] = client.map(client.define(), 50)
  first.finish([warm!], { template: 1, us: 10 })
  first.leave()
  for (let i = 0; i < 4; i++) scheduler.worker().leave()

  assert.equal(client.take('failed').tasks.length, 1)
  assert.equal(scheduler.tasks.ready, rest.length - scheduler.tasks.failed)
})

test('inputs that cannot be had are made again, and the task with them', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const f = client.define()
  const [x, y] = client.map(f, 2)
  a.finish([x!], { sizeBytes: 1_000 })
  b.finish([y!], { sizeBytes: 5_000 })
  const [sum] = client.submit(f, [{ inputs: [x!, y!] }])
  scheduler.skip()

  b.send({ type: 'inputs-missing', task: sum!, attempt: attempt(1), inputs: [x!], holder: a.id })

  assert.deepEqual(a.take('free-tasks').tasks, [x])
  const rerun = [...a.takeTasks(), ...b.takeTasks()]
  assert.deepEqual(rerun, [x])
  assert.equal(scheduler.tasks.waiting, 1)
})

test('a task whose inputs never arrive fails in the end, with what to check', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const f = client.define()
  const [x, y] = client.map(f, 2)
  a.finish([x!], { sizeBytes: 1_000 })
  b.finish([y!], { sizeBytes: 5_000_000_000 })
  const [sum] = client.submit(f, [{ inputs: [x!, y!] }])
  let sends = 1
  for (; scheduler.tasks.failed === 0 && sends < 50; sends++) {
    b.send({ type: 'inputs-missing', task: sum!, attempt: attempt(sends), inputs: [x!], holder: a.id })
    const [, index] = [...scheduler.state.arrays.values()]
    assert(index !== undefined)
    const runner = a.takeTasks().includes(x!) ? a : b
    runner.takeTasks()
    if (scheduler.tasks.failed === 0) runner.finish([x!], { attempts: [sends + 1], sizeBytes: 1_000 })
  }

  assert.equal(sends, 11)
  assert.match(client.take('failed').reason, /10 attempts/)
})

test('a copy that turns up while its value is being made again ends the work', () => {
  const scheduler = new SchedulerHarness()
  const [a, b, c] = [scheduler.worker(), scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  a.finish([x!], { sizeBytes: 100_000 })
  a.leave()
  const runner = b.takeTasks().length > 0 ? b : c
  const other = runner === b ? c : b
  scheduler.skip()

  other.send({ type: 'copies-held', tasks: [x!], sizes: [100_000] })

  assert.deepEqual(runner.take('free-tasks').tasks, [x])
  assert.equal(scheduler.tasks['in-memory'], 1)
})

test('a client that cannot get a value from its holder is answered again', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  client.want(x!)
  a.finish([x!], { sizeBytes: 100_000 })
  client.take('located')
  scheduler.skip()

  client.send({ type: 'missing', task: x!, holder: 'ws://w1' })

  assert.deepEqual(a.takeTasks(), [x], 'made again')
  a.finish([x!], { attempts: [2], sizeBytes: 100_000 })
  assert.equal(client.take('located').task, x)
})

test('a value that its client can never reach fails in the end', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  client.want(x!)
  for (let i = 1; scheduler.tasks.failed === 0 && i < 50; i++) {
    a.finish([x!], { attempts: [i], sizeBytes: 100_000 })
    client.send({ type: 'missing', task: x!, holder: 'ws://w1' })
  }

  assert.match(client.take('failed').reason, /this client can reach the workers/)
})
