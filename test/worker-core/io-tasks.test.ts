/** Tasks that take no thread: begun beside those of the threads, each in a slot of its own, and stopped as far as can be. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { templateId, type TaskId } from '../../protocol/ids.js'
import { task, tasks, WorkerHarness } from '../support/worker-harness.js'

const IO = templateId(9)

function ioWorker(ioTasks = 256, threads = 1): WorkerHarness {
  const worker = new WorkerHarness(threads, { ioTasks })
  worker.define(IO, 0, 0, true)
  return worker
}

/** The slots and tasks of the next instructions, which begin so many tasks. */
function takeBegun(worker: WorkerHarness, count: number): { slot: number; id: TaskId }[] {
  return Array.from({ length: count }, () => {
    const { slot, task: begun } = worker.takeInstruction('run-io-task')
    return { slot, id: begun.task }
  })
}

test('many begin at once beside what the threads run, up to their number; the next when one has ended', () => {
  const worker = ioWorker(3)
  worker.run([task(100)])
  assert.equal(worker.takeBatch().thread, 0)
  worker.run(tasks(5), { template: IO })
  assert.deepEqual(
    takeBegun(worker, 3).map(({ slot }) => slot),
    [1, 2, 3],
  )
  worker.expectSilence()

  worker.finish(2)
  assert.deepEqual(takeBegun(worker, 1), [{ slot: 2, id: task(3) }])
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(1)])
  assert.equal(worker.deadlineMs, undefined, 'they are never overdue')
})

test('slots are there only while they are used', () => {
  const worker = ioWorker(8)
  worker.run(tasks(4), { template: IO })
  takeBegun(worker, 4)
  for (const slot of [1, 2]) worker.finish(slot)
  assert.equal(worker.state.batches.length, 5)
  for (const slot of [4, 3]) worker.finish(slot)
  assert.equal(worker.state.batches.length, 1)
})

test('one that is cancelled and does not listen is abandoned: what comes of it is dropped, its neighbours run on', () => {
  const worker = ioWorker()
  worker.run(tasks(2), { template: IO })
  takeBegun(worker, 2)
  worker.tell({ type: 'stop-tasks', tasks: [task(0)], attempts: [1], graceMs: 500 })
  worker.endTurn()
  assert.equal(worker.takeInstruction('ask-io-to-stop').slot, 1)
  worker.send({ type: 'stop-asked', thread: 1, wasTold: false, canTerminate: false })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['abandoned'])

  worker.finish(2)
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(1)])
  worker.finish(1)
  assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [task(0)])
  worker.takeInstruction('drop')
  worker.expectSilence()
})

test('one that listens has its grace, and ends by itself or is abandoned', () => {
  const worker = ioWorker()
  worker.run(tasks(2), { template: IO })
  takeBegun(worker, 2)
  worker.tell({ type: 'stop-tasks', tasks: tasks(2), attempts: [1, 1], graceMs: 500 })
  worker.endTurn()
  for (const slot of [1, 2]) {
    assert.equal(worker.takeInstruction('ask-io-to-stop').slot, slot)
    worker.send({ type: 'stop-asked', thread: slot, wasTold: true, canTerminate: false })
  }
  worker.endTurn()
  worker.expectSilence()
  worker.finish(1, 1, { threw: true })
  const stopped = worker.takeMessage('tasks-returned').tasks
  assert.deepEqual(stopped, [task(0)])
  assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['signal'])
  worker.wakeUp()
  assert.equal(worker.nowMs, 500)
  assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['abandoned'])
})

test('the one that ends the thread they share is to blame; the others go back to be begun anew', () => {
  const worker = ioWorker()
  worker.run(tasks(2), { template: IO })
  takeBegun(worker, 2)
  const died = {
    type: 'thread-exited',
    firstUnstarted: 1,
    exitCode: 3,
    reason: 'it called process.exit()',
    isOutOfMemory: false,
  } as const
  worker.send({ ...died, thread: 1, culprit: 0 })
  worker.send({ ...died, thread: 2, culprit: undefined })
  worker.endTurn()
  assert.equal(worker.takeMessage('task-exited').task, task(0))
  assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [task(1)])
  worker.expectSilence()
})

test('one that runs for long keeps no other from beginning for want of memory', () => {
  const worker = new WorkerHarness(1, { memoryLimitBytes: 1_000 })
  worker.define(IO, 0, 400, true)
  worker.run([task(0)], { template: IO })
  takeBegun(worker, 1)
  worker.define(templateId(10), 0, 900)
  worker.run([task(1)], { template: templateId(10) })
  assert.deepEqual(worker.takeBatch().tasks, [task(1)])
})
