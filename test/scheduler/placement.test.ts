import assert from 'node:assert/strict'
import test from 'node:test'
import { MAX_AHEAD_PER_THREAD } from '../../scheduler/core/placing/admission.js'
import { entryOf } from '../../common/packed.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

test('tasks never timed before are spread one a thread, and no further', () => {
  const scheduler = new SchedulerHarness()
  const workers = [scheduler.worker({ threads: 2 }), scheduler.worker({ threads: 3 })]
  const client = scheduler.client()

  client.map(client.define(), 100)

  assert.deepEqual(
    workers.map((worker) => worker.takeTasks().length),
    [2, 3],
  )
  assert.equal(scheduler.tasks.ready, 95)
})

test('short tasks are sent ahead by the hundred', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 10_000)
  worker.takeTasks()

  worker.finish([x!], { template: 1, us: 10 })

  const ahead = worker.takeTasks().length
  assert(ahead > 300 && ahead < MAX_AHEAD_PER_THREAD, `${ahead} tasks of 10 µs`)
})

test('long tasks are not hoarded', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 100)
  worker.takeTasks()

  worker.finish([x!], { template: 1, us: 150_000 })

  assert.equal(worker.takeTasks().length, 1)
})

test('the look-ahead follows a function that grows slower', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const tasks = client.map(client.define(), 5_000)
  worker.finish([tasks[0]!], { template: 1, us: 10 })
  scheduler.skip()

  worker.finish(tasks.slice(1, 11), { template: 1, us: 1_000_000 })

  assert.deepEqual(worker.takeTasks(), [])
})

test('higher priority goes first, whenever it came', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const [low] = client.map(client.define('low'), 1)
  const [high] = client.map(client.define('high', { priority: 5 }), 1)
  const [lower] = client.map(client.define('lower', { priority: -5 }), 1)

  const worker = scheduler.worker()
  const order: unknown[] = []
  for (let i = 0; i < 3; i++) {
    const [next] = worker.takeTasks()
    order.push(next)
    worker.finish([next!])
  }

  assert.deepEqual(order, [high, low, lower])
})

test('clients take turns', () => {
  const scheduler = new SchedulerHarness()
  const [many, few] = [scheduler.client('many'), scheduler.client('few')]
  const a = many.map(many.define(), 100)
  const b = few.map(few.define(), 2)

  const worker = scheduler.worker({ threads: 4 })

  assert.deepEqual(worker.takeTasks(), [a[0], b[0], a[1], b[1]])
})

test('what uses up results goes before what only makes new ones', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const leaves = client.map(f, 10)
  const [sum] = client.submit(f, [{ inputs: [leaves[0]!, leaves[1]!] }])
  worker.finish([leaves[0]!])
  scheduler.skip()

  worker.finish([leaves[1]!])

  assert.deepEqual(worker.takeTasks(), [sum])
})

test('a task goes to the idle worker when fetching is cheaper than waiting', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const f = client.define('f')
  const slow = client.define('slow')
  const [x] = client.map(f, 1)
  a.finish([x!], { template: 1, us: 10 })
  const [y] = client.map(slow, 1)
  a.finish([y!], { template: 2, us: 100_000 })
  client.map(slow, 1) // a is busy for a while now.
  scheduler.skip()

  const [z] = client.submit(f, [{ inputs: [x!] }])

  assert.deepEqual(b.takeTasks(), [z])
})

test('a task stays with its large input when fetching costs more than waiting', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const f = client.define('f')
  const [x] = client.map(f, 1)
  a.finish([x!], { template: 1, us: 2_000, sizeBytes: 1_000_000_000 })
  client.map(f, 1)
  scheduler.skip()

  const [z] = client.submit(f, [{ inputs: [x!] }])

  assert.deepEqual(a.takeTasks(), [z])
  assert.deepEqual(b.takeTasks(), [])
})

test('a copy that a worker keeps counts for placement, and is freed with the rest', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  a.finish([x!], { sizeBytes: 50_000_000 })
  b.send({ type: 'copies-held', tasks: [x!], sizes: [50_000_000] })
  client.map(f, 1) // Occupies the first worker.
  scheduler.skip()

  const [z] = client.submit(f, [{ inputs: [x!] }])
  const run = b.take('run-tasks')
  assert.deepEqual([run.tasks, run.remoteInputs], [[z], []])

  client.release(x!, z!)
  assert.deepEqual(a.take('free-tasks').tasks, [x])
  assert.deepEqual(new Set(b.take('free-tasks').tasks), new Set([x, z]))
})

test('a copy of something that is gone is freed', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  client.release(x!)
  scheduler.skip()

  worker.send({ type: 'copies-held', tasks: [x!], sizes: [1] })

  assert.deepEqual(worker.take('free-tasks').tasks, [x])
})

test('an idle thread is found beside busy ones, however long those are busy', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const [slow, quick] = [client.define('slow'), client.define('quick')]
  const p = scheduler.worker({ threads: 4 })
  const slowOnes = client.map(slow, 4)
  p.finish(slowOnes.slice(0, 1), { template: 1, us: 10_000_000 })
  const q = scheduler.worker({ threads: 4 })
  q.finish(client.map(quick, 1), { template: 2, us: 20_000 })
  client.map(quick, 3)
  scheduler.skip()

  client.map(quick, 2)

  assert.deepEqual([p.takeTasks().length, q.takeTasks().length], [1, 1])
})

test('tasks never timed before do not pile up where a large input is', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const [model] = client.map(client.define('train'), 1)
  a.finish([model!], { sizeBytes: 64 * 2 ** 20 })
  const score = client.define('score', { constantInputs: [model!] })

  client.map(score, 100)

  assert.deepEqual([a.takeTasks().length - 1, b.takeTasks().length], [1, 1])
})

test('large arguments are not sent ahead by the gigabyte', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  worker.finish(client.map(f, 1), { template: 1, us: 10 })
  scheduler.skip()
  const megabyte = 2 ** 20
  const { message } = client.submission(f, new Array(200).fill({}))
  const ends = Array.from({ length: 200 }, (_, i) => (i + 1) * megabyte)
  client.send({ ...message, args: { ends, bytes: new Uint8Array(200 * megabyte) } } as typeof message)

  const sizes: number[] = []
  while (worker.unread.includes('run-tasks')) sizes.push(worker.take('run-tasks').args.bytes.length / megabyte)
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    64,
  )
  assert.equal(Math.max(...sizes), 1)
})

test('a small input goes along with the task that needs it elsewhere, once, and is freed there too', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const f = client.define()
  const [x, y] = client.map(f, 2)
  a.finish([x!])
  b.finish([y!], { sizeBytes: 5_000 })
  scheduler.skip()

  const sums = client.submit(f, [{ inputs: [x!, y!] }])

  const given = b.take('give-values')
  assert.deepEqual([given.tasks, [...entryOf(given.values, 0)]], [[x], [7, x! % 256]])
  const run = b.take('run-tasks')
  assert.deepEqual([run.tasks, run.inputs, run.remoteInputs], [sums, [x, y], []])
  b.finish(sums)
  sums.push(...client.submit(f, [{ inputs: [x!, y!] }]))
  assert.deepEqual(b.unread, ['run-tasks'])

  client.release(x!, y!, ...sums)
  assert.deepEqual(a.take('free-tasks').tasks, [x])
  assert.deepEqual(new Set(b.take('free-tasks').tasks), new Set([x, y, ...sums]))
})

test('small inputs bind a task to their worker less than large ones', () => {
  for (const sizeBytes of [undefined, 2_000]) {
    const scheduler = new SchedulerHarness()
    const [a, b] = [scheduler.worker(), scheduler.worker()]
    const client = scheduler.client()
    const f = client.define()
    const [x] = client.map(f, 1)
    a.finish([x!], { template: 1, us: 200, ...(sizeBytes !== undefined && { sizeBytes }) })
    client.submit(f, [{ inputs: [x!] }])
    scheduler.skip()

    const [second] = client.submit(f, [{ inputs: [x!] }])

    assert.deepEqual(sizeBytes === undefined ? b.takeTasks() : a.takeTasks(), [second])
  }
})

test('a worker that was given a value holds it when the one that made it is lost', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const f = client.define()
  const [x, y] = client.map(f, 2)
  a.finish([x!])
  b.finish([y!], { sizeBytes: 5_000 })
  const [sum] = client.submit(f, [{ inputs: [x!, y!] }])
  scheduler.skip()

  a.leave()

  b.finish([sum!])
  client.submit(f, [{ inputs: [x!, sum!] }])
  assert.deepEqual(b.unread, ['run-tasks'])
})

test('inputs that the scheduler has no copy of are fetched, whatever their size', () => {
  const scheduler = new SchedulerHarness({ maxInlineCacheBytes: 0 })
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const f = client.define()
  const [x, y] = client.map(f, 2)
  a.finish([x!])
  b.finish([y!], { sizeBytes: 5_000 })
  scheduler.skip()

  client.submit(f, [{ inputs: [x!, y!] }])

  assert.deepEqual(b.take('run-tasks').remoteInputs, [x])
})
