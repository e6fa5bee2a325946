/** Tasks that name workers: only those run them, or those before others. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { NO_NEEDS, type Needs } from '../../protocol/messages/needs.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

const only = (...workers: string[]): Needs => ({ ...NO_NEEDS, workers })
const rather = (...workers: string[]): Needs => ({ ...NO_NEEDS, workers, allowsOthers: true })

test('a task runs on a worker that it names: by name, by address or by a tag', () => {
  const scheduler = new SchedulerHarness()
  const [byName, byAddress, byTag, other] = [
    scheduler.worker({ name: 'anna' }),
    scheduler.worker({ address: 'ws://10.0.0.2:1' }),
    scheduler.worker({ tags: ['zone=a', 'disk=fast'] }),
    scheduler.worker({ tags: ['zone=b'] }),
  ]
  const client = scheduler.client()
  for (const [worker, name] of [
    [byName, 'anna'],
    [byAddress, 'ws://10.0.0.2:1'],
    [byTag, 'disk=fast'],
  ] as const) {
    const task = client.map(client.define(name, { needs: only(name) }), 1)
    assert.deepEqual(worker.takeTasks(), task, name)
  }
  assert.deepEqual(other.takeTasks(), [])
})

test('a task that names a worker which is not there waits for it, says so, and is in nobody’s way', () => {
  const scheduler = new SchedulerHarness()
  const here = scheduler.worker()
  const client = scheduler.client()
  const [bound] = client.map(client.define('bound', { needs: only('zone=a', 'anna') }), 1)
  assert.equal(client.take('blocked').reason, 'may run only on zone=a or anna, which none of 1 workers is')
  const [free] = client.map(client.define('free'), 1)
  assert.deepEqual(here.takeTasks(), [free])

  const there = scheduler.worker({ tags: ['zone=a'] })
  assert.deepEqual(there.takeTasks(), [bound])
})

test('a task whose only worker has left waits, and runs when one of that name is there again', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const first = scheduler.worker({ name: 'anna' })
  const other = scheduler.worker({ threads: 4 })
  const [bound] = client.map(client.define('bound', { needs: only('anna') }), 1)
  assert.deepEqual(first.takeTasks(), [bound])

  first.leave()
  assert.deepEqual([other.takeTasks(), scheduler.tasks.ready], [[], 1])
  const second = scheduler.worker({ name: 'anna' })

  assert.deepEqual(second.takeTasks(), [bound])
})

test('where others are allowed, they run a task only while none of the named has room', () => {
  const scheduler = new SchedulerHarness()
  const other = scheduler.worker({ threads: 2 })
  const named = scheduler.worker({ name: 'anna', threads: 2 })
  const client = scheduler.client()
  const template = client.define('f', { needs: rather('anna') })
  const tasks = client.map(template, 3)
  assert.deepEqual(named.takeTasks(), tasks.slice(0, 2))
  assert.deepEqual(other.takeTasks(), [tasks[2]])
  named.leave()
  assert.equal(other.takeTasks().length, 1)
  assert.deepEqual(client.map(client.define('g', { needs: rather('nobody') }), 1).length, 1)
  assert.ok(!client.unread.includes('blocked'))
})

test('a wish weighs more than where the inputs are, and a rule more than a wish', () => {
  const scheduler = new SchedulerHarness()
  const holder = scheduler.worker()
  const client = scheduler.client()
  const [input] = client.map(client.define('make'), 1)
  holder.takeTasks()
  holder.finish([input!], { sizeBytes: 10_000_000 })
  const named = scheduler.worker({ name: 'anna' })
  const wished = client.submit(client.define('wish', { needs: rather('anna') }), [{ inputs: [input!] }])
  assert.deepEqual(named.takeTasks(), wished)
})
