/** What the status page shows of the cluster, out of what the core keeps anyway. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { taskGraphOf } from '../../scheduler/core/views/task-graph.js'
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
  worker.send({ type: 'copies-held', tasks: [other!], sizes: [900] })

  const { workers, functions, moreFunctions } = watchedCluster(scheduler.state)
  assert.deepEqual(Object.keys(workers), ['alice'])
  assert.deepEqual(workers['alice']!.running, [{ key: 'mine', function: 'f', sinceMs: 3_800 }])
  assert.deepEqual([workers['alice']!.storedBytes, workers['alice']!.receivedBytes], [7, 900])
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

test('what functions take values of is counted as tasks come and go', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const inputsOf = (name: string) => watchedCluster(scheduler.state).functions[name]!.inputs
  const loaded = client.map(client.define('load'), 3)
  const clean = client.define('clean')
  const cleaned = client.submit(
    clean,
    loaded.map((input) => ({ inputs: [input] })),
  )
  const [sum] = client.submit(client.define('sum'), [{ inputs: [...cleaned, loaded[0]!] }])
  assert.deepEqual([inputsOf('load'), inputsOf('clean')], [{}, { load: 3 }])
  assert.deepEqual(inputsOf('sum'), { clean: 3, load: 1 })
  client.release(sum!)
  assert.deepEqual(inputsOf('sum'), {})
  client.release(cleaned[0]!)
  assert.deepEqual(inputsOf('clean'), { load: 2 })
  const { outputs } = client.split(client.define('split', { outputs: 3 }), 3, [loaded[1]!])
  assert.deepEqual(inputsOf('split'), { load: 1 }, 'what is an output is no step of its own')
  client.submit(clean, [{ inputs: [outputs[1]!] }])
  assert.deepEqual(inputsOf('clean'), { load: 2, split: 1 })
})

test('few tasks are told one by one, with their states and inputs; many are only counted', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const f = client.define('f')
  const [input, idle] = client.map(f, 2)
  client.submit(client.define('g'), [{ inputs: [input!, input!], key: 'mine' }])
  const { count, tasks } = taskGraphOf(scheduler.state)
  assert.equal(count, 3)
  const told = tasks!.map(({ function: name, state, inputs }) => [name, state, inputs])
  assert.deepEqual(told, [
    ['f', 'ready', []],
    ['f', 'ready', []],
    ['g', 'waiting', [0]],
  ])
  assert.equal(tasks![2]!.key, 'mine')
  client.release(idle!)
  assert.equal(taskGraphOf(scheduler.state).count, 2)
  client.map(f, 299)
  assert.deepEqual(taskGraphOf(scheduler.state), { count: 301, tasks: null })
})
