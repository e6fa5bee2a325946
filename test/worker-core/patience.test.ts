/** Tasks that can wait: in batches of their own, as long as they may take in a row, and behind all others of their priority. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { templateId } from '../../protocol/ids.js'
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

test('behind 64 others comes one that can wait, however many more there are', () => {
  const worker = new WorkerHarness()
  const patient = templateId(2)
  worker.define(patient)
  worker.teach({ durationUs: 30_000 })
  worker.teach({ durationUs: 30_000 }, patient)
  worker.run([task(500)])
  assert.deepEqual(worker.takeBatch().tasks, [task(500)])
  worker.queue([task(900), task(901)], { template: patient, ...PATIENCE })
  worker.run(tasks(200))
  const order = []
  for (let i = 0; i < 140; i++) {
    worker.finish(0, 1, { durationUs: 30_000 })
    const { tasks: begun } = worker.takeBatch()
    worker.takeMessage('tasks-finished')
    assert.equal(begun.length, 1)
    order.push(begun[0]!)
  }
  assert.deepEqual([order.indexOf(task(900)), order.indexOf(task(901))], [64, 129])
})
