/** Tasks behind a slow one are taken over by an idle thread. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { task, tasks, WorkerHarness } from '../support/worker-harness.js'

/** Two threads; the first has a batch of four tasks, estimated at 2 ms, and the second has nothing to do. */
function oneBusyOneIdle(): WorkerHarness {
  const worker = new WorkerHarness(2)
  worker.teach({ durationUs: 500 })
  worker.run(tasks(8))
  assert.equal(worker.takeBatch().tasks.length, 4)
  assert.equal(worker.takeBatch().tasks.length, 4)
  worker.finish(1, 4, { durationUs: 500 })
  worker.takeMessage('tasks-finished')
  worker.expectSilence()
  return worker
}

test('an idle thread takes over the unstarted tasks of an overdue batch', () => {
  const worker = oneBusyOneIdle()
  worker.wakeUp()
  assert.equal(worker.nowMs, 5)
  assert.equal(worker.takeInstruction('take-back').thread, 0)

  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
  assert.deepEqual(worker.takeBatch(), { thread: 1, tasks: [task(1), task(2)] })
  worker.expectSilence()
})

test('an idle thread does not wait for long tasks that another has at hand until those are late', () => {
  const worker = new WorkerHarness(2)
  worker.teach({ durationUs: 8_000 })
  worker.run(tasks(5))
  assert.deepEqual(worker.takeBatch().tasks, tasks(3))
  assert.deepEqual(worker.takeBatch().tasks, [task(3), task(4)])
  worker.finish(1, 2, { durationUs: 1_000 })
  worker.takeMessage('tasks-finished')
  worker.expectSilence()

  worker.wakeUp()
  assert.equal(worker.nowMs, 5)
  assert.equal(worker.takeInstruction('take-back').thread, 0)
  worker.expectSilence()
})

test('a batch is left alone before it is overdue', () => {
  const worker = oneBusyOneIdle()
  worker.nowMs = 4
  worker.endTurn()
  worker.expectSilence()
})

test('a batch is left alone while every thread has work', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 500 })
  worker.run(tasks(4))
  worker.takeBatch()
  assert.equal(worker.deadlineMs, undefined)
  worker.nowMs = 1_000
  worker.endTurn()
  worker.expectSilence()
})

test('a batch is taken back only once', () => {
  const worker = oneBusyOneIdle()
  worker.wakeUp()
  worker.takeInstruction('take-back')
  worker.nowMs = 100
  worker.endTurn()
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 4 })
  worker.endTurn()
  worker.nowMs = 200
  worker.endTurn()
  assert.equal(worker.deadlineMs, undefined)
  worker.expectSilence()
})

test('an answer that comes after its batch ended says nothing about the next one', () => {
  const worker = oneBusyOneIdle()
  worker.wakeUp()
  worker.takeInstruction('take-back')
  worker.finish(0, 4)
  worker.takeMessage('tasks-finished')
  worker.run([task(20)])
  worker.takeBatch()
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 0 })
  worker.endTurn()
  worker.finish(0)
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(20)])
  worker.expectSilence()
})

test('the batch that began first is taken back first', () => {
  const worker = new WorkerHarness(3)
  worker.teach({ durationUs: 500 })
  worker.run(tasks(12))
  for (let thread = 0; thread < 3; thread++) assert.equal(worker.takeBatch().tasks.length, 4)

  // Given thread 1 began its batch of two at 1 ms and thread 0 at 2 ms, and both are slow.
  const more = Array.from({ length: 6 }, (_, n) => task(20 + n))
  const begin = (thread: number, nowMs: number): readonly unknown[] => {
    worker.nowMs = nowMs
    worker.finish(thread, 4, { durationUs: 500 })
    const { tasks: given } = worker.takeBatch()
    worker.takeMessage('tasks-finished')
    return given
  }
  worker.queue(more)
  assert.equal(begin(1, 1).length, 2)
  assert.equal(begin(0, 2).length, 2)

  // When thread 2 has run the rest and is idle.
  worker.tell({ type: 'recall', tasks: more.slice(4) })
  worker.nowMs = 30
  worker.finish(2, 4)

  assert.equal(worker.takeInstruction('take-back').thread, 1)
  worker.takeMessage('tasks-finished')
  assert.deepEqual(worker.takeMessage('tasks-returned').tasks, more.slice(4))
  worker.expectSilence()
})

test('tasks of a batch that nobody wants are taken out of it, and it goes on', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 1 })
  worker.run(tasks(3))
  worker.takeBatch()
  worker.tell({ type: 'free-tasks', tasks: [task(1), task(2)] })
  worker.endTurn()
  worker.takeInstruction('take-back')
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  worker.finish(0, 1)
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(0)])
  worker.expectSilence()
})
