/** What the status page shows of the cluster, out of what the core keeps anyway. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { watchedCluster } from '../../scheduler/core/views/watch.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

test('workers and functions are told by name, with what each worker runs and since when', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker({ name: 'alice', threads: 2 })
  const [task] = client.submit(client.define('f'), [{ key: 'mine' }])
  const [other] = client.map(client.define('g'), 1)
  scheduler.nowMs = 5_000
  worker.pulse({ running: [task!, other!], runningForMs: [1_200, 300], storedBytes: 7 })
  // Whatever it says later tells nothing of these.
  scheduler.nowMs = 6_500
  worker.finish([other!])

  const { workers, functions, moreFunctions } = watchedCluster(scheduler.state)
  assert.deepEqual(Object.keys(workers), ['alice'])
  assert.deepEqual(workers['alice']!.running, [{ key: 'mine', function: 'f', sinceMs: 3_800 }])
  assert.equal(workers['alice']!.storedBytes, 7)
  assert.equal(workers['alice']!.heardAtMs, 6_000, 'in steps, so that it is not news all the time')
  assert.deepEqual(Object.keys(functions), ['f', 'g'])
  assert.equal(functions['g']!.finished, 1)
  assert.equal(moreFunctions, 0)
})

test('what was sent and not told of yet most likely runs, as far as there are threads', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  client.map(client.define('f'), 5)
  scheduler.worker({ name: 'alice', threads: 2 })
  const { running } = watchedCluster(scheduler.state).workers['alice']!
  assert.deepEqual(
    running.map(({ sinceMs }) => sinceMs),
    [0, 0],
  )
})

test('names that mean something in JavaScript are names like others', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  client.map(client.define('__proto__'), 3)
  scheduler.worker({ name: 'constructor' })
  const { workers, functions } = watchedCluster(scheduler.state)
  assert.deepEqual(Object.keys(workers), ['constructor'])
  assert.deepEqual(Object.keys(functions), ['__proto__'])
})

test('only the latest functions are shown, and how many more there are', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  for (let n = 0; n < 510; n++) client.map(client.define(`f${n}`), 1)
  const { functions, moreFunctions } = watchedCluster(scheduler.state)
  assert.equal(Object.keys(functions).length, 500)
  assert.ok('f509' in functions && !('f0' in functions))
  assert.equal(moreFunctions, 10)
})
