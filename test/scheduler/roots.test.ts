/** Roots don't run ahead of their consumers: how much is held at once when many large values are loaded and reduced. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { TaskId } from '../../protocol/ids.js'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import { AWAITED_SHARE } from '../../scheduler/core/placing/roots.js'
import { SchedulerHarness, type TestClient, type TestWorker } from '../support/scheduler-harness.js'

const MB = 1_000_000
const VALUE_BYTES = 10 * MB
const LOADS = 500

/** Of all values that the scheduler believes somewhere. */
function heldBytes({ state }: SchedulerHarness): number {
  let bytes = 0
  for (const { tasks } of state.arrays.values()) {
    for (const task of tasks) if (task?.state.type === 'in-memory') bytes += task.state.sizeBytes
  }
  return bytes
}

/** Lets each worker end its oldest task in turn, until none has any. Returns the most that was held. */
function work(scheduler: SchedulerHarness, workers: readonly TestWorker[], mayEnd = (_: TaskId) => true): number {
  const queues = workers.map((): TaskId[] => [])
  let peakBytes = 0
  for (let isIdle = false; !isIdle;) {
    isIdle = true
    for (const [i, worker] of workers.entries()) {
      const queue = queues[i]!
      queue.push(...worker.takeTasks())
      const place = queue.findIndex(mayEnd)
      if (place < 0) continue
      isIdle = false
      worker.finish(queue.splice(place, 1), { sizeBytes: VALUE_BYTES })
      scheduler.skipAllBut('run-tasks')
      peakBytes = Math.max(peakBytes, heldBytes(scheduler))
    }
  }
  return peakBytes
}

/** Reduces the values by twos, the ones that `distance` says; only the last value is held. */
function reduce(client: TestClient, loads: readonly TaskId[], distance: (count: number) => number): TaskId {
  const template = client.define('merge')
  let values = loads
  while (values.length > 1) {
    const step = distance(values.length)
    const pairs: TaskId[][] = []
    for (let i = 0; i < values.length; i++) {
      if (i % (2 * step) < step) pairs.push(i + step < values.length ? [values[i]!, values[i + step]!] : [values[i]!])
    }
    const merged = client.submit(
      template,
      pairs.map((inputs) => ({ inputs })),
    )
    client.release(...values)
    values = merged
  }
  return values[0]!
}

function begin() {
  const scheduler = new SchedulerHarness()
  const options = { threads: 2, memoryLimitBytes: 500 * MB }
  return { scheduler, client: scheduler.client(), start: () => [scheduler.worker(options), scheduler.worker(options)] }
}

function peakOf(distance: (count: number) => number): number {
  const { scheduler, client, start } = begin()
  const last = reduce(client, client.map(client.define('load'), LOADS), distance)
  const peakBytes = work(scheduler, start())
  client.want(last)
  client.take('located')
  return peakBytes
}

test('a pairwise reduction of 500 loads holds as many values as its tree is deep, and not 500', () => {
  const { scheduler, client, start } = begin()
  const loads = client.map(client.define('load'), LOADS)
  const workers = start()
  const breadthFirstBytes = work(scheduler, workers)
  const last = reduce(client, loads, () => 1)
  work(scheduler, workers)
  client.want(last)
  client.take('located')
  assert.equal(breadthFirstBytes, LOADS * VALUE_BYTES, 'without consumers every load is held')

  const threads = 4
  const depth = Math.ceil(Math.log2(LOADS))
  const boundBytes = (2 * threads + 2 * depth) * VALUE_BYTES
  const peakBytes = peakOf(() => 1)
  assert(peakBytes <= boundBytes, `${peakBytes / MB} MB were held at once`)
})

test('where each load is paired with one far behind it, the root that a consumer misses comes first', () => {
  const peakBytes = peakOf((count) => (count === LOADS ? LOADS / 2 : 1))
  assert(peakBytes < (LOADS * VALUE_BYTES) / 20, `${peakBytes / MB} MB were held at once`)
})

test('roots are held back while consumers are slow and values take a good part of memory', () => {
  const { scheduler, client, start } = begin()
  const workers = start()
  const special = scheduler.worker({ memoryLimitBytes: 500 * MB, resources: [{ name: 'gpu', thousandths: 1_000 }] })
  const loads = client.map(client.define('load'), LOADS)
  const needs = { ...NO_NEEDS, others: [{ name: 'gpu', thousandths: 1_000 }] }
  const consumers = new Set(
    client.submit(
      client.define('use', { needs }),
      loads.map((load) => ({ inputs: [load] })),
    ),
  )
  client.release(...loads)

  const heldBack = work(scheduler, [...workers, special], (task) => !consumers.has(task))

  const bound = AWAITED_SHARE * scheduler.state.memoryLimitBytes
  assert(heldBack > bound && heldBack <= bound + 6 * VALUE_BYTES, `${heldBack / MB} MB`)
})

test('roots go on when no consumer can run, whatever is held', () => {
  const { scheduler, client, start } = begin()
  const loads = client.map(client.define('load'), LOADS)
  const needs = { ...NO_NEEDS, others: [{ name: 'gpu', thousandths: 1_000 }] }
  client.submit(client.define('use', { needs }), [{ inputs: loads }])
  client.release(...loads)

  assert.equal(work(scheduler, start()), LOADS * VALUE_BYTES)
})
