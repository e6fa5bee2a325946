/** Tasks that nobody wants any more, that the scheduler wants back, or that it sent again. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { PEER, task, tasks, WorkerHarness } from '../support/worker-harness.js'

const x = task(100)

test('a freed value is dropped', () => {
  const worker = new WorkerHarness()
  worker.hold(x)
  worker.tell({ type: 'free-tasks', tasks: [x] })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('drop').tasks, [x])
  assert.equal(worker.state.held.sizeBytes, 0)
  worker.expectSilence()
})

test('a freed task that has not started is forgotten', () => {
  const worker = new WorkerHarness()
  worker.queue([task(0)])
  worker.queue([task(1)], { inputs: [x], remote: [[x, PEER]] })
  worker.tell({ type: 'free-tasks', tasks: [task(0), task(1)] })
  worker.endTurn()
  assert.equal(worker.state.tasks.size, 0)
  worker.expectSilence()
})

test('the outcome of a task freed while it runs is dropped without a word', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)])
  worker.takeBatch()
  worker.tell({ type: 'free-tasks', tasks: [task(0)] })
  worker.finish(0)
  assert.deepEqual(worker.takeInstruction('drop').tasks, [task(0)])
  worker.expectSilence()
})

test('freeing what was never here is no news', () => {
  const worker = new WorkerHarness()
  worker.tell({ type: 'free-tasks', tasks: tasks(3) })
  worker.tell({ type: 'recall', tasks: tasks(3) })
  worker.endTurn()
  worker.expectSilence()
})

test('recalled tasks come back if they have not started', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)])
  worker.takeBatch()
  worker.run([task(1)], { attempt: 2 })
  worker.run([task(2)], { inputs: [x], remote: [[x, PEER]] })
  worker.takeInstruction('fetch')
  worker.tell({ type: 'recall', tasks: [task(1), task(2)] })
  worker.endTurn()
  const message = worker.takeMessage('tasks-returned')
  assert.deepEqual(message, { type: 'tasks-returned', tasks: [task(1), task(2)], attempts: [2, 1], begun: [] })
  worker.expectSilence()
})

test('a recalled task in a batch comes back once its thread has let go of it', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 1 })
  worker.run(tasks(4))
  worker.takeBatch()
  worker.tell({ type: 'recall', tasks: [task(0), task(2), task(3)] })
  worker.endTurn()
  assert.equal(worker.takeInstruction('take-back').thread, 0)

  // The thread has started the first two.
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 2 })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [task(2), task(3)])
  assert.deepEqual(worker.takeMessage('tasks-kept').tasks, [task(0)])
  worker.tell({ type: 'recall', tasks: [task(1)] })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-kept').tasks, [task(1)])
  worker.finish(0, 2)
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(0), task(1)])
  worker.expectSilence()
})

test('neighbours of a recalled task stay', () => {
  const worker = new WorkerHarness(2)
  worker.teach({ durationUs: 1 })
  worker.queue(tasks(6))
  worker.endTurn()
  worker.takeBatch()
  worker.takeBatch()
  worker.tell({ type: 'recall', tasks: [task(1)] })
  worker.endTurn()
  worker.takeInstruction('take-back')
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  worker.finish(1, 3)

  // The free thread takes over what the other one had not started.
  assert.deepEqual(worker.takeBatch(), { thread: 1, tasks: [task(2)] })
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(3), task(4), task(5)])
  assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [task(1)])
  worker.expectSilence()
})

test('an older or equal attempt of a known task is ignored', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)], { attempt: 2 })
  worker.takeBatch()
  worker.run([task(0)], { attempt: 1 })
  worker.run([task(0)], { attempt: 2 })
  worker.finish(0)
  assert.deepEqual(worker.takeMessage('tasks-finished').attempts, [2])
  worker.expectSilence()
})

test('a newer attempt runs, and the outcome of the older one changes nothing', () => {
  const worker = new WorkerHarness(2)
  worker.run([task(0)])
  worker.takeBatch()
  worker.run([task(0)], { attempt: 2 })
  assert.equal(worker.takeBatch().thread, 1)
  worker.takeInstruction('take-back') // The older one is to end.

  worker.finish(0)
  assert.deepEqual(worker.takeInstruction('drop').tasks, [task(0)])
  worker.finish(1)
  assert.deepEqual(worker.takeMessage('tasks-finished').attempts, [2])
  worker.expectSilence()
})

test('the value of an older attempt is not dropped from under a newer one', () => {
  const worker = new WorkerHarness(2)
  worker.run([task(0)])
  worker.takeBatch()
  worker.run([task(0)], { attempt: 2 })
  worker.takeBatch()
  worker.takeInstruction('take-back')

  // When both end in one turn, the store has one value for both.
  worker.end(0, [0])
  worker.finish(1)
  assert.deepEqual(worker.takeMessage('tasks-finished').attempts, [2])
  worker.expectSilence()
  assert.ok(worker.state.held.has(task(0)))
})

test('an abandoned task whose error comes late leaves nothing behind', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)])
  worker.takeBatch()
  worker.tell({ type: 'free-tasks', tasks: [task(0)] })
  worker.finish(0, 1, { threw: true })
  worker.expectSilence()
})

test('a task whose value is held already runs again when asked', () => {
  const worker = new WorkerHarness()
  worker.hold(x)
  worker.run([x], { attempt: 2 })
  assert.deepEqual(worker.takeBatch().tasks, [x])
  worker.finish(0, 1, { sizeBytes: 9 })
  assert.deepEqual(worker.takeMessage('tasks-finished').sizes, [9])
  assert.equal(worker.state.held.sizeBytes, 9)
  worker.expectSilence()
})

test('forgetting a template leaves its tasks alone', () => {
  const worker = new WorkerHarness()
  worker.run(tasks(2))
  worker.takeBatch()
  worker.tell({ type: 'forget-templates', templates: [1] })
  worker.finish(0)
  assert.deepEqual(worker.takeBatch().tasks, [task(1)])
  worker.takeMessage('tasks-finished')
  worker.expectSilence()
})
