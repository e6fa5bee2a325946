import assert from 'node:assert/strict'
import test from 'node:test'
import { attempt, type TaskId } from '../../protocol/ids.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

test('a client is told what is finished, and gets values only when it wants them', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 2 })
  const client = scheduler.client()
  const [x, y] = client.map(client.define(), 2)
  client.want(y!)

  worker.finish([x!, y!])

  assert.deepEqual([...client.takeValues()], [[y, [7, y! % 256]]])
  assert.deepEqual(client.take('finished').tasks, [x])
})

test('a value that is wanted after it is there comes at once', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  worker.finish([x!])
  scheduler.skip()

  client.want(x!)

  assert.deepEqual([...client.takeValues()], [[x, [7, x! % 256]]])
})

test('a large value is fetched from its holder', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  client.want(x!)

  worker.finish([x!], { sizeBytes: 1_000_000 })

  assert.deepEqual(client.take('located'), {
    type: 'located',
    task: x,
    heldAs: x,
    sizeBytes: 1_000_000,
    holders: ['ws://w1'],
    workers: [worker.id],
  })
})

test('what the inline cache has no room for is fetched from the worker', () => {
  const scheduler = new SchedulerHarness({ maxInlineCacheBytes: 5 })
  const worker = scheduler.worker({ threads: 3 })
  const client = scheduler.client()
  const [x, y, z] = client.map(client.define(), 3)
  worker.finish([x!])
  worker.finish([y!])
  worker.finish([z!])
  scheduler.skip()

  client.want(x!, z!)

  assert.equal(client.take('located').task, x)
  assert.deepEqual([...client.takeValues().keys()], [z])
  client.release(x!, y!, z!)
  scheduler.expectEmpty()
})

/** A scheduler that keeps so much of small values, of two bytes each, and a client whose tasks give them. */
function withCache(maxInlineCacheBytes: number) {
  const scheduler = new SchedulerHarness({ maxInlineCacheBytes })
  const client = scheduler.client()
  const template = client.define()
  const submit = (count: number): TaskId[] => client.map(template, count)
  return { scheduler, client, submit }
}

test('what only the inline cache has stays there', () => {
  const { scheduler, client, submit } = withCache(5)
  const [x] = submit(1) as [TaskId]
  const going = scheduler.worker()
  going.finish([x])
  going.leave()
  const [y, z, last] = submit(3) as [TaskId, TaskId, TaskId]
  const worker = scheduler.worker({ threads: 3 })
  worker.finish([y])
  worker.finish([z])
  // Together larger than what is left for them.
  worker.finish([last])
  scheduler.skip()

  client.want(x, y, z, last)
  assert.deepEqual([client.take('located').task, client.take('located').task], [y, z])
  assert.deepEqual([...client.takeValues().keys()], [x, last])
  client.release(x, y, z, last)
  scheduler.expectEmpty()
})

test('what a worker has again goes from the inline cache as anything else', () => {
  const { scheduler, client, submit } = withCache(4)
  const [x, y] = submit(2) as [TaskId, TaskId]
  const going = scheduler.worker({ threads: 2 })
  going.finish([x])
  going.finish([y])
  going.leave('connection cut')
  const back = scheduler.worker(going.join)
  back.send({ type: 'copies-held', tasks: [x, y], sizes: [2, 2] }, { type: 'attached' })
  const [z] = submit(1) as [TaskId]
  back.finish([z])
  scheduler.skip()
  client.want(x, y, z)
  assert.equal(client.take('located').task, x)
  assert.deepEqual([...client.takeValues().keys()], [y, z])
})

test('of a page of values it counts which of them no worker has', () => {
  const { scheduler, client, submit } = withCache(4)
  const [x, y] = submit(2) as [TaskId, TaskId]
  const going = scheduler.worker({ threads: 2 })
  going.finish([x, y])
  const worker = scheduler.worker()
  worker.send({ type: 'copies-held', tasks: [y], sizes: [2] })
  going.leave()
  client.release(x)
  const [z] = submit(1) as [TaskId]
  worker.finish([z])
  scheduler.skip()
  client.want(y, z)
  assert.equal(client.take('located').task, y)
  assert.deepEqual([...client.takeValues().keys()], [z])
})

test('an error reaches the task’s client and fails its dependants, in one message that names the culprit', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define('parse')
  const [x] = client.map(f, 1)
  const [y] = client.submit(f, [{ inputs: [x!] }])
  const [z] = client.submit(f, [{ inputs: [y!] }])

  worker.fail(x!)

  const failed = client.take('failed')
  assert.deepEqual(new Set(failed.tasks), new Set([x, y, z]))
  assert.deepEqual([...failed.error], [66])
  assert.match(failed.culpritKey, /^parse-/)
  assert.deepEqual([failed.worker, failed.attempt], ['w1', 1])
  assert.equal(scheduler.tasks.failed, 3)
})

test('a task that ended its thread fails with the reason', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)

  worker.send({
    type: 'task-exited',
    task: x!,
    attempt: attempt(1),
    exitCode: 3,
    reason: 'process.exit(3)',
    isOutOfMemory: false,
  })

  const failed = client.take('failed')
  assert.deepEqual([failed.code, failed.reason], ['ERR_HEDDLE_TASK_EXITED', 'process.exit(3)'])
})

test('a task that filled the heap of its thread fails for want of memory, and the reason says what to do', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define('greedy'), 1)

  const reason = 'the heap of 1 GiB that its thread has was full; give it more'
  worker.send({ type: 'task-exited', task: x!, attempt: attempt(1), exitCode: 1, reason, isOutOfMemory: true })

  const failed = client.take('failed')
  assert.equal(failed.code, 'ERR_HEDDLE_OUT_OF_MEMORY')
  assert.match(failed.reason, /^Task greedy-\S+ ran out of memory on w1: the heap of 1 GiB .* give it more\.$/)
})

test('a report of an older attempt changes nothing', () => {
  const scheduler = new SchedulerHarness()
  const [a] = [scheduler.worker()]
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  a.send({ type: 'tasks-returned', tasks: [x!], attempts: [1], begun: [] })
  assert.equal(scheduler.tasks.processing, 1)
  scheduler.skip()

  a.finish([x!], { attempts: [1] })

  assert.equal(scheduler.tasks.processing, 1)
  scheduler.expectSilence()
  a.finish([x!], { attempts: [2] })
  assert.equal(scheduler.tasks['in-memory'], 1)
})

test('a result that nobody asked for any more is freed where it lies', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  client.release(x!)
  scheduler.skip()

  worker.finish([x!])

  assert.deepEqual(worker.take('free-tasks').tasks, [x])
  scheduler.expectEmpty()
})

test('a million outcomes of one turn are one message a client', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 100 })
  const client = scheduler.client()
  const tasks = client.map(client.define(), 100)
  scheduler.skip()

  scheduler.turn(
    ...tasks.map((task) => ({ type: 'worker-message', worker: worker.id, message: worker.finished([task]) }) as const),
  )

  assert.deepEqual(client.unread, ['finished'])
})

test('that further tasks finished is told a little later, and many at once', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 4 })
  const client = scheduler.client()
  const [first, second, third, fourth] = client.map(client.define(), 4)
  scheduler.skip()
  worker.finish([first!])
  assert.deepEqual(client.take('finished').tasks, [first])

  worker.finish([second!])
  worker.finish([third!])
  assert.deepEqual(client.unread, [])
  scheduler.wakeUp()
  assert.deepEqual(client.take('finished').tasks, [second, third])

  assert.equal(scheduler.deadlineMs, undefined)
  worker.finish([fourth!])
  client.leave()
  assert.equal(scheduler.deadlineMs, undefined)
})

test('news that waits leaves with whatever else the client is told', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 3 })
  const client = scheduler.client()
  const [first, second, third] = client.map(client.define(), 3)
  worker.finish([first!])
  worker.finish([second!])
  client.want(third!)
  scheduler.skip()

  worker.finish([third!])

  assert.deepEqual(client.unread, ['values', 'finished'])
  assert.equal(scheduler.deadlineMs, undefined)
})

test('thousands of values for one client are several messages of a good size', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 10_000 })
  const client = scheduler.client()
  const tasks = client.map(client.define(), 10_000)
  worker.finish(tasks)
  scheduler.skip()

  client.want(...tasks)
  assert.deepEqual(client.unread, ['values', 'values'])
  assert.deepEqual([client.takeValues().size, client.takeValues().size], [8_192, 1_808])

  client.release(...tasks)
  assert.deepEqual(worker.unread, ['free-tasks', 'free-tasks'])
})

test('malformed news from a worker is no reason to stop', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  scheduler.skip()

  worker.finish([(x! + 512) as never])
  worker.fail((x! + 4096) as never)
  worker.send({ type: 'inputs-missing', task: x!, attempt: attempt(9), inputs: [x!], holder: 77 as never })

  assert.equal(scheduler.tasks.processing, 1)
})
