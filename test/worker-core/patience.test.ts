/** Tasks that can wait: in batches of their own, as long as they may take in a row, and behind all others of their priority. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { templateId, type TaskId } from '../../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import { task, tasks, WorkerHarness } from '../support/worker-harness.js'

const PATIENCE = { patienceUs: 120_000 }

test('a batch of tasks that can wait takes as long as they may in a row', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 50_000 })
  worker.run(tasks(5), PATIENCE)
  const batch = worker.takeInstruction('run-batch')
  assert.deepEqual(
    batch.tasks.map((each) => each.task),
    tasks(2),
  )
  assert.equal(batch.isPatient, true)
  worker.expectSilence()
})

test('no other stands in such a batch, nor one of them in another', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 1_000 })
  worker.queue([task(0), task(1)])
  worker.run([task(2), task(3)], PATIENCE)
  const usual = worker.takeInstruction('run-batch')
  assert.deepEqual([usual.tasks.length, usual.isPatient], [2, false])

  worker.finish(0, 2, { durationUs: 1_000 })
  assert.deepEqual(worker.takeBatch().tasks, [task(2), task(3)])
  worker.takeMessage('tasks-finished')
  worker.expectSilence()
})

test('tasks with large values are batches of their own, whether they can wait or not', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 1_000, sizeBytes: MAX_INLINE_RESULT_BYTES + 1 })
  worker.run(tasks(3), PATIENCE)
  assert.deepEqual(worker.takeBatch().tasks, [task(0)])
  worker.expectSilence()
})

test('what can not wait goes first, and has a thread at once that is at tasks that can', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 20_000 })
  worker.run(tasks(9), PATIENCE)
  assert.deepEqual(worker.takeBatch().tasks, tasks(6))

  worker.run([task(20)])
  assert.equal(worker.takeInstruction('take-back').thread, 0)
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  worker.end(0, [0], { durationUs: 20_000 })
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [task(20)])
  worker.takeMessage('tasks-finished')

  worker.finish(0, 1, { durationUs: 20_000 })
  assert.deepEqual(worker.takeBatch().tasks, tasks(7).slice(1))
  worker.takeMessage('tasks-finished')
  worker.expectSilence()
})

test('those of a lower priority stay behind them', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 20_000 })
  worker.queue([task(0)], { priority: 0 })
  worker.queue([task(1)], { priority: 1, ...PATIENCE })
  worker.run([task(2)], { priority: 1 })
  assert.deepEqual(worker.takeBatch().tasks, [task(2)])
  worker.finish(0, 1, { durationUs: 20_000 })
  assert.deepEqual(worker.takeBatch().tasks, [task(1)])
})

test('a row is as long as the task of it that can wait least', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 10_000 })
  worker.queue(tasks(2), PATIENCE)
  worker.run([task(2), task(3), task(4)], { patienceUs: 30_000 })
  assert.deepEqual(worker.takeBatch().tasks, tasks(3))
  worker.expectSilence()
})

/** Finishes one task after another; returns them in the order in which they began. */
function runAll(worker: WorkerHarness): TaskId[] {
  const order: TaskId[] = []
  while (worker.state.batches[0] !== undefined) {
    const count = worker.state.batches[0].tasks.length
    worker.finish(0, count, { durationUs: 30_000 })
    if (worker.state.batches[0] !== undefined) order.push(...worker.takeBatch().tasks)
    worker.takeMessage('tasks-finished')
  }
  return order
}

test('behind 120 ms of others comes one that can wait, however many more there are, and each runs once', () => {
  const worker = new WorkerHarness()
  const patient = templateId(2)
  worker.define(patient)
  worker.teach({ durationUs: 30_000 })
  worker.teach({ durationUs: 30_000 }, patient)
  worker.run([task(500)])
  assert.deepEqual(worker.takeBatch().tasks, [task(500)])
  worker.queue([task(900), task(901)], { template: patient, patienceUs: 30_000 })
  worker.run(tasks(20))

  const order = runAll(worker)
  assert.deepEqual([order.indexOf(task(900)), order.indexOf(task(901))], [4, 9])
  assert.deepEqual(new Set(order), new Set([...tasks(20), task(900), task(901)]))
  assert.equal(order.length, 22)
})

test('one of a lower priority does not come before those that can wait', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 30_000 })
  worker.queue(tasks(8), { priority: 1, patienceUs: 30_000 })
  worker.queue([task(50)])
  worker.endTurn()
  const [first] = worker.takeBatch().tasks
  const order = [first, ...runAll(worker)]
  assert.deepEqual(order.at(-1), task(50))
})
