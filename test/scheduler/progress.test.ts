/** What tasks report of themselves: the latest is kept while they run, and told to whoever holds them. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayId, attempt, taskId, type TaskId } from '../../protocol/ids.js'
import { NO_RETRIES } from '../../protocol/messages/rules.js'
import { recordOf } from '../../scheduler/core/tasks/task-array.js'
import { keyOf } from '../../scheduler/core/tasks/task.js'
import { explain } from '../../scheduler/core/views/explain.js'
import { SchedulerHarness, type TestWorker } from '../support/scheduler-harness.js'

function report(worker: TestWorker, task: TaskId, fraction: number, note = '', number = 1): void {
  worker.send({ type: 'task-progressed', task, attempt: attempt(number), fraction, note })
}

function oneTask(retries = 0) {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const template = client.define('f', { rules: { retries: { ...NO_RETRIES, count: retries } } })
  const [task] = client.submit(template, [{ key: 'k' }])
  assert.deepEqual(worker.takeTasks(), [task])
  return { scheduler, worker, client, template, task: task! }
}

test('a report is told to everybody who holds the task, and explains where it is', () => {
  const { scheduler, worker, client, template, task } = oneTask()
  const other = scheduler.client('other')
  const [same] = other.submit(other.define('f'), [{ key: 'k' }])
  report(worker, task, 0.4, 'row 40')
  assert.deepEqual(client.take('progressed'), {
    type: 'progressed',
    tasks: [task],
    attempt: 1,
    fraction: 0.4,
    note: 'row 40',
  })
  assert.deepEqual(other.take('progressed').tasks, [same])
  assert.ok(template > 0)
  assert.ok(explain(scheduler.state, task, '').details.includes('It reported that 40 % is done: row 40'))
  worker.finish([task])
  assert.equal(scheduler.state.progress.size, 0)
  report(worker, task, 1)
  assert.ok(!client.unread.includes('progressed'))
})

test('whoever comes later hears the latest at once', () => {
  const { scheduler, worker, client, task } = oneTask()
  report(worker, task, 0.1)
  report(worker, task, 0.2)
  const other = scheduler.client('other')
  const array = arrayId(other.submission(1, []).message.array + 5_000)
  other.send({ type: 'attach', array, key: 'k' })
  assert.equal(other.take('progressed').fraction, 0.2)
  client.release(task)
})

test('outputs hear of the task that makes them', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const { producer, outputs } = client.split(client.define('f', { outputs: 2 }), 2)
  report(worker, producer, 0.5)
  assert.deepEqual(client.take('progressed').tasks, outputs)
  client.release(...outputs)
  assert.equal(scheduler.state.progress.size, 0)
})

test('an output that was cancelled hears no more of the task that makes the others', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const { producer, outputs } = client.split(client.define('f', { outputs: 2 }), 2)
  const array = arrayId(client.firstArray + 5_000)
  client.send({ type: 'attach', array, key: keyOf(recordOf(scheduler.state, outputs[0]!)!) })
  client.want(taskId(array, 0))
  client.send({ type: 'cancel', request: 1, tasks: [outputs[0]!], graceMs: 0, error: Uint8Array.of(1) })
  assert.deepEqual(client.take('failed').tasks, [taskId(array, 0)])
  report(worker, producer, 0.5)
  assert.deepEqual(client.take('progressed').tasks, [outputs[1]])
  client.release(outputs[1]!, taskId(array, 0))
  scheduler.expectEmpty()
})

test('a run that is over is forgotten: the next begins again, and reports of an old one are for nobody', () => {
  const { scheduler, worker, client, task } = oneTask(1)
  report(worker, task, 0.9)
  assert.equal(client.take('progressed').attempt, 1)
  worker.fail(task)
  assert.equal(scheduler.state.progress.size, 0)
  report(worker, task, 0.95)
  assert.ok(!client.unread.includes('progressed'))
  report(worker, task, 0.1, '', 2)
  assert.equal(client.take('progressed').attempt, 2)
  scheduler.worker()
  worker.leave()
  assert.equal(scheduler.state.progress.size, 0)
})
