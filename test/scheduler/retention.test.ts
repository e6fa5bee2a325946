import assert from 'node:assert/strict'
import test from 'node:test'
import { ARRAY_CAPACITY } from '../../protocol/ids.js'
import { handleEvent } from '../../scheduler/core/machine.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

test('a released result is freed on its worker', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  worker.finish([x!])
  scheduler.skip()

  client.release(x!)

  assert.deepEqual(worker.take('free-tasks').tasks, [x])
  scheduler.expectSilence()
  scheduler.expectEmpty()
})

test('a released task that has not started never runs', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const [x, y] = client.map(client.define(), 2)
  client.release(x!)

  const worker = scheduler.worker({ threads: 2 })

  assert.deepEqual(worker.takeTasks(), [y])
})

test('a running task that nobody wants any more is freed, and its slot is free at once', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [x, y] = client.map(client.define(), 2)
  assert.deepEqual(worker.takeTasks(), [x])

  client.release(x!)

  assert.deepEqual(worker.take('free-tasks').tasks, [x])
  assert.deepEqual(worker.takeTasks(), [y])
})

test('an input stays while a dependant needs it, whatever its client does', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  const [y] = client.submit(f, [{ inputs: [x!] }])
  client.release(x!)
  worker.finish([x!])
  assert.deepEqual(scheduler.tasks['in-memory'], 1)
  scheduler.skip()

  worker.finish([y!])

  assert.deepEqual(worker.take('free-tasks').tasks, [x])
  assert.equal(scheduler.tasks.released, 1, 'its description stays, for y may have to run again')
})

test('the description of an input goes with its last dependant', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  const [y] = client.submit(f, [{ inputs: [x!] }])
  client.release(x!)
  worker.finish([x!])
  worker.finish([y!])

  client.release(y!)

  scheduler.expectEmpty()
})

test('letting go of the end of a chain lets go of the whole chain', () => {
  const scheduler = new SchedulerHarness()
  scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const chain = [client.map(f, 1)[0]!]
  for (let i = 0; i < 200; i++) chain.push(client.submit(f, [{ inputs: [chain.at(-1)!] }])[0]!)
  client.release(...chain.slice(0, -1))
  assert.equal(scheduler.tasks.waiting, 200)

  client.release(chain.at(-1)!)

  scheduler.expectEmpty()
})

test('a waiting dependant that is released leaves its input alone', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  const dependants = client.submit(f, [{ inputs: [x!] }, { inputs: [x!] }, { inputs: [x!] }])
  client.release(dependants[0]!, dependants[2]!)
  worker.takeTasks()

  worker.finish([x!])

  assert.deepEqual(worker.takeTasks(), [dependants[1]])
})

test('what only a failed task needed is let go: what runs of it is freed, what is queued never runs', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 2 })
  const client = scheduler.client()
  const f = client.define()
  const [bad, running, queued, wanted] = client.map(f, 4)
  const [sum] = client.submit(f, [{ inputs: [bad!, running!, queued!, wanted!] }])
  client.release(bad!, running!, queued!)
  assert.deepEqual(worker.takeTasks(), [bad, running])

  worker.fail(bad!)

  assert.deepEqual(client.take('failed').tasks, [sum])
  assert.deepEqual(worker.take('free-tasks').tasks, [running])
  assert.deepEqual(worker.takeTasks(), [wanted])
})

test('dependants that come and go while their input runs leave nothing behind', () => {
  const scheduler = new SchedulerHarness()
  scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  for (let i = 0; i < 300; i++) client.release(...client.submit(f, [{ inputs: [x!] }]))

  const [array] = scheduler.state.arrays.values()
  assert(array!.tasks[0]!.waiters.length <= 2)
  assert.equal(scheduler.state.arrays.size, 1)
})

test('a failed task and all that failed with it are forgotten once they are released', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  const [y] = client.submit(f, [{ inputs: [x!] }])
  const [z] = client.submit(f, [{ inputs: [y!] }])
  worker.fail(x!)
  client.release(x!, y!)
  assert.ok(scheduler.tasks.failed > 0, 'the last of them is still held')

  client.release(z!)

  assert.equal(scheduler.tasks.failed, 0)
  scheduler.expectEmpty()
})

test('what one client lets go of in the queue is counted no more, and the tasks of another run', () => {
  const scheduler = new SchedulerHarness()
  const [one, two] = [scheduler.client(), scheduler.client()]
  const ofOne = one.map(one.define(), 1_500)
  const ofTwo = two.map(two.define(), 3)
  assert.equal(scheduler.tasks.ready, 1_503)

  one.release(...ofOne.slice(1))
  assert.equal(scheduler.tasks.ready, 4)
  const worker = scheduler.worker({ threads: 8 })

  assert.deepEqual(new Set(worker.takeTasks()), new Set([ofOne[0], ...ofTwo]))
  assert.equal(scheduler.tasks.ready, 0)
})

test('when a client leaves, all that only it held goes', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [x, ...rest] = client.map(f, 2_000)
  client.submit(f, [{ inputs: [rest[7]!] }])
  worker.finish([x!], { template: 1 })

  client.leave()

  scheduler.expectEmpty()
  assert.equal(scheduler.state.codes.size, 0)
  assert(worker.unread.includes('forget-templates'))
  for (const worker of scheduler.state.workers.values()) assert.equal(worker.templates.size, 0)
})

test('tasks submitted and dropped without a worker do not pile up in the queue', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const f = client.define()
  for (let i = 0; i < 5_000; i++) client.release(...client.map(f, 1))

  scheduler.expectEmpty()
  assert.equal(scheduler.state.ready.next(), undefined)
})

test('a value is wanted after its future was released: the client is told so', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  client.release(x!)

  client.want(x!)

  assert.equal(client.take('failed').code, 'ERR_HEDDLE_RELEASED')
})

for (const { gone, kept } of [
  // An eighth of 250,000, and a quarter of 500,000.
  { gone: 249_000, kept: 30 },
  { gone: 499_000, kept: 122 },
]) {
  test(`when few are left of ${gone} tasks and some, their memory is collected, once`, () => {
    const scheduler = new SchedulerHarness()
    const client = scheduler.client()
    const f = client.define()
    client.map(f, 10 * ARRAY_CAPACITY) // They have no records: collecting does not look at them one by one.
    // One with a key has a record from the beginning.
    const keyed = (array: number) =>
      Array.from({ length: ARRAY_CAPACITY }, (_, place) => ({ key: `${array}-${place}` }))
    const arrays = Array.from({ length: kept + 2 }, (_, array) => {
      const { message, ids } = client.submission(f, keyed(array))
      // Looking through all of them behind each message would take minutes.
      handleEvent(scheduler.state, { type: 'client-message', client: client.id, message, nowMs: scheduler.nowMs })
      return ids
    })
    scheduler.state.records.gone = gone
    client.release(...arrays.pop()!)
    assert.throws(() => scheduler.takeOrder('collect'), 'too many are left')

    client.release(...arrays.pop()!)

    scheduler.takeOrder('collect')
    client.release(...arrays.pop()!)
    scheduler.expectSilence()
  })
}
