import assert from 'node:assert/strict'
import test from 'node:test'
import { ARRAY_CAPACITY, taskId, type TaskId } from '../../protocol/ids.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

test('a task goes to a worker, with its code and template ahead of it', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  scheduler.skip()

  const [x] = client.submit(client.define('load'), [{ arg: 5 }])

  assert.deepEqual(worker.unread, ['define-code', 'define-template', 'run-tasks'])
  assert.equal(worker.take('define-template').name, 'load')
  const run = worker.take('run-tasks')
  assert.deepEqual(run.tasks, [x])
  assert.deepEqual([...run.args.bytes], [1, 5])
})

test('code and templates are sent to a worker once', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  worker.finish(client.map(f, 1))
  scheduler.skip()

  client.map(f, 1)

  assert.deepEqual(worker.unread, ['run-tasks'])
})

test('without a worker, tasks wait in their array without a record', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()

  client.map(client.define(), 5_000)

  assert.equal(scheduler.tasks.ready, 5_000)
  for (const array of scheduler.state.arrays.values()) assert.equal(array.tasks.length, 0)
})

test('a worker that joins later gets what is ready', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)

  const worker = scheduler.worker()

  assert.deepEqual(worker.takeTasks(), [x])
})

test('a dependant waits for its inputs, and is sent to where they are', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  const [sum] = client.submit(f, [{ inputs: [x!] }])
  assert.equal(scheduler.tasks.waiting, 1)
  assert.deepEqual(a.takeTasks(), [x])

  a.finish([x!], { sizeBytes: 10_000_000 })

  assert.deepEqual(a.takeTasks(), [sum])
  assert.deepEqual(b.takeTasks(), [])
})

test('a task that needs another worker’s value is told who holds it, and where that worker is', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const f = client.define()
  const [x, y] = client.map(f, 2)
  a.finish([x!], { sizeBytes: 1_000 })
  b.finish([y!], { sizeBytes: 5_000 })
  scheduler.skip()

  const [sum] = client.submit(f, [{ inputs: [x!, y!] }])

  assert.deepEqual(b.take('peers'), { type: 'peers', workers: [a.id], addresses: ['ws://w1'] })
  const run = b.take('run-tasks')
  assert.deepEqual(run.tasks, [sum])
  assert.deepEqual([run.inputCounts, run.inputs], [[2], [x, y]])
  assert.deepEqual([run.remoteInputs, run.remoteHolders, run.remoteSizes], [[x], [a.id], [1_000]])
})

test('constants that are futures are inputs of every task of the template', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 4 })
  const client = scheduler.client()
  const [model] = client.map(client.define('train'), 1)
  const score = client.define('score', { constantInputs: [model!] })
  const scores = client.map(score, 3)
  scheduler.skip()

  worker.finish([model!])

  const run = worker.take('run-tasks')
  assert.deepEqual(run.tasks, scores)
  assert.deepEqual(
    [run.inputCounts, run.inputs],
    [
      [1, 1, 1],
      [model, model, model],
    ],
  )
})

test('an input that is used twice counts twice', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  const [square] = client.submit(f, [{ inputs: [x!, x!] }])
  worker.takeTasks()

  worker.finish([x!])

  assert.deepEqual(worker.takeTasks(), [square])
})

test('a dependant of a task that has failed fails at once', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  worker.fail(x!)
  client.take('failed')

  const [late] = client.submit(f, [{ inputs: [x!] }])

  const failed = client.take('failed')
  assert.deepEqual([failed.tasks, [...failed.error]], [[late], [66]])
})

test('a task whose input was released before is refused with the reason', () => {
  const scheduler = new SchedulerHarness()
  scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  client.release(x!)

  const [late] = client.submit(f, [{ inputs: [x!] }])

  const failed = client.take('failed')
  assert.deepEqual([failed.tasks, failed.code], [[late], 'ERR_HEDDLE_RELEASED'])
})

test('an explicit key submitted again is the same task', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const [one, two] = [scheduler.client(), scheduler.client()]
  const [x] = one.submit(one.define(), [{ key: 'model', arg: 1 }])
  const [y] = two.submit(two.define(), [{ key: 'model', arg: 1 }])
  assert.deepEqual(worker.takeTasks(), [x])
  two.want(y!)

  worker.finish([x!])

  assert.deepEqual([...two.takeValues()], [[y, [7, x! % 256]]])
  assert.deepEqual(one.take('finished').tasks, [x])
})

test('who asks for a key whose task has failed gets its error, and the task does not run again', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const [one, two] = [scheduler.client(), scheduler.client()]
  const [x] = one.submit(one.define(), [{ key: 'model', arg: 1 }])
  assert.deepEqual(worker.takeTasks(), [x])
  worker.fail(x!)

  const [y] = two.submit(two.define(), [{ key: 'model', arg: 1 }])

  const failed = two.take('failed')
  assert.deepEqual([failed.tasks, [...failed.error]], [[y], [66]])
  assert.deepEqual(worker.takeTasks(), [])
  one.release(x!)
  two.release(y!)
  scheduler.expectEmpty()
})

test('a queued task that is let go and asked for again at once runs once', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [busy] = client.map(f, 1)
  const again: TaskId[] = []
  for (let i = 0; i < 3; i++) {
    client.release(...again.splice(0))
    again.push(...client.submit(f, [{ key: 'model', arg: 1 }]))
  }
  assert.deepEqual(worker.takeTasks(), [busy])

  worker.finish([busy!])

  assert.deepEqual(worker.takeTasks(), again)
  worker.finish(again)
  client.release(busy!, ...again)
  scheduler.expectEmpty()
})

test('a task under an explicit key lives until the last of its futures is released', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const [one, two] = [scheduler.client(), scheduler.client()]
  const [x] = one.submit(one.define(), [{ key: 'model', arg: 1 }])
  const [y] = two.submit(two.define(), [{ key: 'model', arg: 1 }])
  worker.finish([x!])
  scheduler.skip()

  one.release(x!)
  scheduler.expectSilence()
  two.release(y!)

  assert.deepEqual(worker.take('free-tasks').tasks, [x])
  scheduler.expectEmpty()
})

test('an explicit key with other code is refused', () => {
  const scheduler = new SchedulerHarness()
  scheduler.worker()
  const [one, two] = [scheduler.client(), scheduler.client()]
  one.submit(one.define('load'), [{ key: 'model', arg: 1 }])

  const [other] = two.submit(two.define('store'), [{ key: 'model', arg: 1 }])

  const failed = two.take('failed')
  assert.deepEqual([failed.tasks, failed.code], [[other], 'ERR_HEDDLE_KEY_CONFLICT'])
})

test('an explicit key with other arguments is refused', () => {
  const scheduler = new SchedulerHarness()
  scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  client.submit(f, [{ key: 'model', arg: 1 }])

  const [other] = client.submit(f, [{ key: 'model', arg: 2 }])

  const failed = client.take('failed')
  assert.deepEqual([failed.tasks, failed.code], [[other], 'ERR_HEDDLE_KEY_CONFLICT'])
  assert.match(failed.reason, /"model"/)
})

test('a key is free again once its task is released', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 2 })
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.submit(f, [{ key: 'model', arg: 1 }])
  client.release(x!)
  worker.takeTasks()

  const [y] = client.submit(f, [{ key: 'model', arg: 2 }])

  assert.deepEqual(worker.takeTasks(), [y])
})

test('an array may be filled by several messages', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 10 })
  const client = scheduler.client()
  const f = client.define()
  const { message, ids } = client.submission(f, [{}, {}])
  assert(message.type === 'submit')

  client.send(message, { ...message, firstIndex: 2 })

  assert.deepEqual(worker.takeTasks(), [...ids, taskId(message.array, 2), taskId(message.array, 3)])
})

for (const [what, change] of [
  ['places that do not follow', { firstIndex: 7 }],
  ['more tasks than an array holds', { firstIndex: ARRAY_CAPACITY }],
  ['an unknown template', { runs: [99, 1] }],
  ['other counts', { runs: [1, 3] }],
  ['an array id of somebody else', { array: (10 ** 12) as never }],
] as const) {
  test(`a submission with ${what} closes that client’s connection and nobody else’s`, () => {
    const scheduler = new SchedulerHarness()
    const worker = scheduler.worker()
    const [bad, good] = [scheduler.client('bad'), scheduler.client('good')]
    const f = good.define()
    const [x] = good.map(f, 1)
    const { message } = bad.submission(bad.define(), [{}])

    bad.send({ ...message, ...change } as typeof message)

    const closing = scheduler.takeClosing()
    assert(closing.type === 'close-client')
    assert.deepEqual([closing.client, closing.code], [bad.id, 'ERR_HEDDLE_PROTOCOL'])
    assert.deepEqual(worker.takeTasks(), [x])
    assert.equal(scheduler.tasks.processing, 1)
  })
}
