/** What a worker whose memory is full is given: one task at a time, and nothing of others. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

test('a paused worker that has a task is given no other: the rest goes to those that are not paused', () => {
  const scheduler = new SchedulerHarness()
  const [full, free] = [scheduler.worker({ threads: 4 }), scheduler.worker({ threads: 2 })]
  full.pulse({ pausedBy: 'values' })
  const client = scheduler.client()

  const tasks = client.map(client.define(), 10)

  const [ofFull, ofFree] = [full.takeTasks(), free.takeTasks()]
  assert.deepEqual([ofFull.length, ofFree.length], [1, 2])
  full.finish(ofFull)
  assert.equal(full.takeTasks().length, 1)
  full.pulse({ pausedBy: '' })
  assert.equal(full.takeTasks().length, 3)
  assert.equal(scheduler.tasks.ready, tasks.length - 7)
})

test('what is queued while all workers are paused waits, and goes to one that joins', () => {
  const scheduler = new SchedulerHarness()
  const workers = [scheduler.worker({ threads: 4 }), scheduler.worker({ threads: 4 })]
  for (const worker of workers) worker.pulse({ pausedBy: 'process' })
  const client = scheduler.client()
  const tasks = client.map(client.define(), 6)
  const sent = workers.flatMap((worker) => worker.takeTasks())
  assert.deepEqual([sent.length, scheduler.tasks.ready], [2, 4])

  const joined = scheduler.worker({ threads: 4 })

  assert.deepEqual(
    joined.takeTasks(),
    tasks.filter((task) => !sent.includes(task)),
  )
})

test('a paused worker that has a task is given nothing of what waits at others, until its pause ends', () => {
  const scheduler = new SchedulerHarness()
  const busy = scheduler.worker({ name: 'busy' })
  const client = scheduler.client()
  const f = client.define()
  const [known] = client.map(f, 1)
  busy.finish([known!], { template: f, us: 50_000 })
  const [, ahead] = client.map(f, 2)
  const full = scheduler.worker({ name: 'full', threads: 2, address: 'ws://full' })
  busy.take('recall')
  busy.send({ type: 'tasks-kept', tasks: [ahead!] })
  scheduler.skip()
  full.pulse({ pausedBy: 'values' })
  client.map(client.define('own', { needs: { ...NO_NEEDS, workers: ['full'] } }), 1)
  assert.equal(full.takeTasks().length, 1)
  const [late] = client.map(client.define('late', { needs: { ...NO_NEEDS, workers: ['busy', 'full'] } }), 1)
  scheduler.skipAllBut('run-tasks')

  full.pulse({ pausedBy: 'values' })
  assert.deepEqual([busy.takeTasks(), full.takeTasks()], [[], []])
  full.pulse({ pausedBy: '' })

  assert.deepEqual(full.takeTasks(), [late])
})
