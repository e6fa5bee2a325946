/** The worker says what it has. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { task, tasks, WorkerHarness } from '../support/worker-harness.js'

test('a worker that is asked names what it has to do and holds, behind all that the turn has to tell', () => {
  const worker = new WorkerHarness(1)
  worker.run(tasks(2))
  worker.takeBatch()
  worker.tell({ type: 'ask-view' })
  worker.end(0, [0])
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(0)])
  assert.deepEqual(worker.takeMessage('view'), { type: 'view', tasks: [task(1)], attempts: [], values: [task(0)] })
  worker.endTurn()
  worker.expectSilence()
})
