/** What a task reports of itself is told while it runs, and not afterwards. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { attempt } from '../../protocol/ids.js'
import { task, WorkerHarness } from '../support/worker-harness.js'

test('a report goes to the scheduler as long as the task runs here and is wanted', () => {
  const worker = new WorkerHarness(2)
  const report = (place: number, number = 1): void =>
    worker.send({ type: 'task-reported', task: task(place), attempt: attempt(number), fraction: 0.5, note: 'half' })
  worker.run([task(0)])
  worker.takeBatch()
  worker.run([task(1)])
  worker.takeBatch()
  report(0)
  assert.deepEqual(worker.takeMessage('task-progressed'), {
    type: 'task-progressed',
    task: task(0),
    attempt: 1,
    fraction: 0.5,
    note: 'half',
  })
  report(0, 2)
  worker.finish(0)
  worker.takeMessage('tasks-finished')
  report(0)
  worker.tell({ type: 'free-tasks', tasks: [task(1)] })
  report(1)
  worker.expectSilence()
})
