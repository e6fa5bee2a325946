/** Tasks that take too long, or take workers along. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { SchedulerHarness } from '../support/scheduler-harness.js'

test('the worker hears of a time-out, and a task that it stopped has failed with all that needs it', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const template = client.define('slow', { rules: { timeoutMs: 250 } })
  const [task] = client.submit(template, [{}])
  const [dependant] = client.submit(template, [{ inputs: [task!] }])
  assert.equal(worker.take('define-template').timeoutMs, 250)
  worker.takeTasks()
  worker.send({ type: 'tasks-timed-out', tasks: [task!], attempts: [], goOn: [] })
  const { tasks, code, error, reason, worker: where, attempt } = client.take('failed')
  assert.deepEqual(tasks, [task, dependant])
  assert.deepEqual([code, error.length, where, attempt], ['ERR_HEDDLE_TASK_TIMEOUT', 0, worker.join.name, 1])
  assert.match(reason, /^Task slow-\S+ ran longer than its timeoutMs of 250 on /)
  assert.equal(scheduler.tasks.processing, 0)
})

test('a time-out of an older attempt changes nothing', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const [task] = client.submit(client.define(), [{}])
  worker.takeTasks()
  worker.send({ type: 'tasks-returned', tasks: [task!], attempts: [1], begun: [] })
  assert.deepEqual(worker.takeTasks(), [task])
  worker.send({ type: 'tasks-timed-out', tasks: [task!], attempts: [1], goOn: [] })
  assert.equal(scheduler.tasks.processing, 1)
  assert.deepEqual(client.unread, [])
})

test('a task fails with the death of a worker that its allowedFailures name', () => {
  for (const allowedFailures of [1, 2]) {
    const scheduler = new SchedulerHarness()
    const client = scheduler.client()
    const [task] = client.submit(client.define('fatal', { rules: { allowedFailures } }), [{}])
    for (let death = 1; death <= allowedFailures; death++) {
      assert.deepEqual(client.unread, [])
      const worker = scheduler.worker()
      assert.deepEqual(worker.takeTasks(), [task])
      worker.leave()
    }
    const { code, reason } = client.take('failed')
    assert.equal(code, 'ERR_HEDDLE_WORKER_LOST')
    assert.match(reason, allowedFailures === 1 ? /while a worker died/ : /while 2 workers died/)
  }
})
