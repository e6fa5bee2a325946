/** Copies that clients ask for: as many as wanted, as a tree, and with few of one holder at once. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { TaskId } from '../../protocol/ids.js'
import { MAX_COPIES_AT_ONCE, MAX_REPLICATED_VALUES } from '../../protocol/limits.js'
import { SchedulerHarness, type TestClient, type TestWorker } from '../support/scheduler-harness.js'

const LARGE_BYTES = 50_000_000

function clusterWith(count: number): { scheduler: SchedulerHarness; workers: TestWorker[]; client: TestClient } {
  const scheduler = new SchedulerHarness()
  const workers = Array.from({ length: count }, () => scheduler.worker())
  const client = scheduler.client()
  return { scheduler, workers, client }
}

/** A large value that the first worker to be sent the task made. */
function makeValue(client: TestClient, workers: readonly TestWorker[]): TaskId {
  const [x] = client.map(client.define(), 1)
  const maker = workers.find((worker) => worker.takeTasks().length > 0)!
  maker.finish([x!], { sizeBytes: LARGE_BYTES })
  return x!
}

/** Orders that workers got and did not answer. */
function takeOrders(workers: readonly TestWorker[]): { worker: TestWorker; holder: number }[] {
  return workers.flatMap((worker) =>
    worker.unread.includes('fetch-copies') ? [{ worker, holder: worker.take('fetch-copies').holders[0]! }] : [],
  )
}

test('a value spreads to every worker as a tree', () => {
  const { scheduler, workers, client } = clusterWith(64)
  const x = makeValue(client, workers)
  scheduler.skip()
  client.send({ type: 'replicate', request: 3, tasks: [x], copies: 1_000 })
  let rounds = 0
  for (let orders = takeOrders(workers); orders.length > 0; orders = takeOrders(workers)) {
    rounds++
    for (const { holder } of orders) {
      assert.ok(orders.filter((order) => order.holder === holder).length <= MAX_COPIES_AT_ONCE)
    }
    const report = { type: 'copies-held', tasks: [x], sizes: [LARGE_BYTES] } as const
    scheduler.turn(
      ...orders.map(({ worker }) => ({ type: 'worker-message', worker: worker.id, message: report }) as const),
    )
  }
  assert.equal(rounds, 3)
  assert.deepEqual(client.take('replicated'), { type: 'replicated', request: 3, missing: 0 })
  client.release(x)
  for (const worker of workers) assert.deepEqual(worker.take('free-tasks').tasks, [x])
  scheduler.expectEmpty()
})

test('only as many copies are made as are wanted, and none that are there', () => {
  const { scheduler, workers, client } = clusterWith(5)
  const x = makeValue(client, workers)
  scheduler.skip()
  client.send({ type: 'replicate', request: 1, tasks: [x], copies: 2 })
  const orders = takeOrders(workers)
  assert.equal(orders.length, 1)
  orders[0]!.worker.send({ type: 'copies-held', tasks: [x], sizes: [LARGE_BYTES] })
  client.take('replicated')
  client.send({ type: 'replicate', request: 2, tasks: [x], copies: 2 })
  assert.equal(client.take('replicated').request, 2)
  assert.deepEqual(takeOrders(workers), [])
})

test('many small values go to a worker in one message', () => {
  const { scheduler, workers, client } = clusterWith(2)
  const [first, second] = workers
  const values = client.map(client.define(), 100)
  for (let done = 0; done < 100;) {
    for (const worker of workers) {
      const sent = worker.takeTasks()
      done += sent.length
      if (sent.length > 0) worker.finish(sent, { template: 1 })
    }
  }
  scheduler.skip()
  client.send({ type: 'replicate', request: 1, tasks: values, copies: 2 })
  const counts = [first!.take('fetch-copies'), second!.take('fetch-copies')].map(({ tasks }) => tasks.length)
  assert.equal(counts[0]! + counts[1]!, 100)
})

test('a copy that could not be had is ordered elsewhere', () => {
  const { scheduler, workers, client } = clusterWith(3)
  const x = makeValue(client, workers)
  scheduler.skip()
  client.send({ type: 'replicate', request: 1, tasks: [x], copies: 2 })
  const [first] = takeOrders(workers)
  first!.worker.send({ type: 'copies-missing', tasks: [x] })
  const [second] = takeOrders(workers)
  assert.notEqual(second!.worker, first!.worker)
  second!.worker.send({ type: 'copies-held', tasks: [x], sizes: [LARGE_BYTES] })
  assert.equal(client.take('replicated').missing, 0)
})

test('a worker that failed to get a copy is asked again after a sign of life, from another holder, and given up in the end', () => {
  const { scheduler, workers, client } = clusterWith(4)
  const x = makeValue(client, workers)
  const bad = workers.at(-1)!
  scheduler.skip()
  client.send({ type: 'replicate', request: 1, tasks: [x], copies: 4 })
  const holders: number[] = []
  for (const { worker, holder } of takeOrders(workers)) {
    if (worker === bad) holders.push(holder)
    else worker.send({ type: 'copies-held', tasks: [x], sizes: [LARGE_BYTES] })
  }
  bad.send({ type: 'copies-missing', tasks: [x] })
  for (let tries = 1; tries < 3; tries++) {
    assert.deepEqual(takeOrders(workers), [])
    bad.pulse()
    const [again] = takeOrders(workers)
    assert.equal(again!.worker, bad)
    holders.push(again!.holder)
    assert.deepEqual(client.unread, [])
    bad.send({ type: 'copies-missing', tasks: [x] })
  }
  assert.equal(new Set(holders).size, 3)
  assert.deepEqual(client.take('replicated'), { type: 'replicated', request: 1, missing: 1 })
  bad.pulse()
  assert.deepEqual(takeOrders(workers), [])
  // One that is content with fewer is not bothered by it.
  client.send({ type: 'replicate', request: 2, tasks: [x], copies: 3 })
  assert.deepEqual(client.take('replicated'), { type: 'replicated', request: 2, missing: 0 })
})

test('a holder that can give no more goes on to the next value whenever a copy has ended', () => {
  const { scheduler, workers, client } = clusterWith(1)
  const [holder] = workers
  const values = client.map(client.define(), MAX_COPIES_AT_ONCE + 2)
  for (let sent = holder!.takeTasks(); sent.length > 0; sent = holder!.takeTasks()) {
    holder!.finish(sent, { sizeBytes: LARGE_BYTES })
  }
  const receiver = scheduler.worker()
  scheduler.skip()
  client.send({ type: 'replicate', request: 1, tasks: values, copies: 2 })
  const ordered = (): readonly TaskId[] =>
    receiver.unread.includes('fetch-copies') ? receiver.take('fetch-copies').tasks : []
  let underWay = ordered()
  const copied: TaskId[] = []
  for (let [next] = underWay; next !== undefined; [next] = underWay) {
    assert.equal(underWay.length, Math.min(MAX_COPIES_AT_ONCE, values.length - copied.length))
    receiver.send({ type: 'copies-held', tasks: [next], sizes: [LARGE_BYTES] })
    copied.push(next)
    underWay = [...underWay.slice(1), ...ordered()]
  }
  assert.deepEqual(copied.toSorted(), values.toSorted())
  assert.equal(client.take('replicated').missing, 0)
})

test('a client that wants copies of more values than it may at once is cut off', () => {
  const { scheduler, workers, client } = clusterWith(1)
  const ids = client.map(client.define(), MAX_REPLICATED_VALUES + 1)
  client.send({ type: 'replicate', request: 1, tasks: ids.slice(0, -1), copies: 1 })
  assert.equal(scheduler.state.spreads.size, MAX_REPLICATED_VALUES)
  workers[0]!.finish(workers[0]!.takeTasks())
  const left = MAX_REPLICATED_VALUES - scheduler.state.spreads.size
  client.send({ type: 'replicate', request: 2, tasks: ids.slice(-left), copies: 1 })
  client.send({ type: 'replicate', request: 3, tasks: ids.slice(-1), copies: 1 })
  assert.equal(scheduler.takeClosing().type, 'close-client')
  assert.equal(scheduler.state.spreads.size, 0)
})

test('values are waited for, failed and released ones are left out, and workers that go are not counted', () => {
  const { scheduler, workers, client } = clusterWith(3)
  const template = client.define()
  const ids = client.map(template, 3)
  const busy = new Map(workers.map((worker) => [worker.takeTasks()[0]!, worker]))
  client.send({ type: 'replicate', request: 1, tasks: ids, copies: 2 })
  assert.deepEqual(takeOrders(workers), [])
  busy.get(ids[0]!)!.fail(ids[0]!)
  client.release(ids[1]!)
  busy.get(ids[2]!)!.finish([ids[2]!], { sizeBytes: LARGE_BYTES })
  const [order] = takeOrders(workers)
  order!.worker.leave()
  const [again] = takeOrders(workers.filter((worker) => worker !== order!.worker))
  again!.worker.leave()
  client.take('replicated')
  assert.equal(scheduler.state.copying.size, 0)
})

test('a client takes its wishes along', () => {
  const { scheduler, workers, client } = clusterWith(2)
  const x = makeValue(client, workers)
  client.send({ type: 'replicate', request: 1, tasks: [x], copies: 2 })
  client.leave()
  assert.equal(scheduler.state.spreads.size, 0)
})
