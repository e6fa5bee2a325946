/** A worker loses a scheduler that keeps its state: what runs goes on, and the next one hears of it. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayId, attempt } from '../../protocol/ids.js'
import { OURSELVES, PLAIN, task, tasks, WorkerHarness } from '../support/worker-harness.js'

function workerOfOneThatKeeps(threads = 1): WorkerHarness {
  const worker = new WorkerHarness(threads)
  worker.send({ type: 'scheduler-lost' })
  worker.join(true)
  worker.takeMessage('attached')
  worker.define(PLAIN)
  worker.expectSilence()
  return worker
}

for (const { what, end } of [
  {
    what: 'fails',
    end: (worker: WorkerHarness) => {
      worker.end(0, [0], { threw: true })
      worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
    },
  },
  {
    what: 'comes to wait for tasks of its own',
    end: (worker: WorkerHarness) => {
      worker.send({ type: 'task-lent', thread: 0, place: 0, ranMs: undefined, canTerminate: true })
      worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
      worker.endTurn()
      worker.loseLent(task(0), true)
    },
  },
])
  test(`a task that was to follow one in its batch is forgotten when that ${what} while no scheduler is there`, () => {
    const worker = workerOfOneThatKeeps()
    worker.teach({ durationUs: 100 })
    worker.queue([task(0)])
    worker.queue([task(1)], { inputs: [task(0)], pending: [[task(0), OURSELVES]] })
    worker.endTurn()
    assert.deepEqual(worker.takeBatch().tasks, tasks(2))
    worker.send({ type: 'scheduler-lost' })
    end(worker)
    worker.endTurn()
    assert.equal(worker.state.tasks.size, 0)
    worker.expectSilence()
  })

test('what runs goes on, what has not started is forgotten, and values stay', () => {
  const worker = workerOfOneThatKeeps()
  worker.hold(task(100))
  worker.run([task(0)])
  worker.takeBatch()
  worker.run([task(1)])
  worker.send({ type: 'scheduler-lost' })
  worker.endTurn()
  worker.expectSilence()
  assert.deepEqual([...worker.state.tasks.keys()], [task(0)])

  worker.join(true)
  const held = worker.takeMessage('tasks-held')
  assert.deepEqual([held.tasks, held.attempts], [[task(0)], []])
  assert.deepEqual(worker.takeMessage('copies-held').tasks, [task(100)])
  worker.takeMessage('attached')
  worker.finish(0)
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(0)])
  worker.expectSilence()
})

test('outcomes of the time without a scheduler are told to the next one, behind whose they are', () => {
  const worker = workerOfOneThatKeeps(2)
  worker.run([task(0)])
  worker.run([task(1)])
  worker.takeBatch()
  worker.takeBatch()
  worker.send({ type: 'scheduler-lost' })
  worker.endTurn()
  worker.finish(0)
  worker.send({
    type: 'thread-exited',
    thread: 1,
    culprit: 0,
    firstUnstarted: 1,
    exitCode: 3,
    reason: 'it ended',
    isOutOfMemory: false,
  })
  worker.endTurn()
  worker.expectSilence()

  worker.join(true)
  assert.deepEqual(worker.takeMessage('tasks-held').tasks, [task(1), task(0)])
  assert.equal(worker.takeMessage('task-exited').task, task(1))
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(0)])
  assert.deepEqual(worker.takeMessage('copies-held').tasks, [task(0)])
  worker.takeMessage('attached')
  worker.expectSilence()
})

test('what waits for its children is told as running, and as waiting', () => {
  const worker = workerOfOneThatKeeps()
  worker.run(tasks(1))
  worker.takeBatch()
  worker.send({ type: 'task-lent', thread: 0, place: 0, ranMs: undefined, canTerminate: true })
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
  worker.takeMessage('tasks-suspended')
  worker.send({ type: 'scheduler-lost' })
  worker.endTurn()
  worker.join(true)
  assert.deepEqual(worker.takeMessage('tasks-held').tasks, tasks(1))
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-suspended').tasks, tasks(1))
  worker.takeMessage('attached')
  worker.expectSilence()
})

test('what lost its children with the scheduler is for the next one to run again', () => {
  const worker = workerOfOneThatKeeps()
  worker.run(tasks(1))
  worker.takeBatch()
  worker.send({ type: 'scheduler-lost' })
  worker.send({ type: 'task-lent', thread: 0, place: 0, ranMs: undefined, canTerminate: true })
  worker.send({ type: 'lent-orphaned', task: task(0), attempt: attempt(1) })
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.takeInstruction('ask-lent-to-stop')
  worker.endTurn()
  worker.expectSilence()
  worker.join(true)
  worker.takeMessage('attached')
  worker.define(PLAIN)
  worker.queue(tasks(1))
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-returned').tasks, tasks(1), 'the same number still runs here')
  worker.expectSilence()
})

test('a scheduler that knows nothing of it has it freed', () => {
  const worker = workerOfOneThatKeeps()
  worker.run(tasks(1))
  worker.takeBatch()
  worker.send({ type: 'scheduler-lost' })
  worker.tell({
    type: 'joined',
    worker: OURSELVES,
    peerSecret: 'secret',
    keepsState: false,
    firstArray: arrayId(1),
    arrayCount: 1,
  })
  assert.deepEqual(worker.takeMessage('tasks-held').tasks, tasks(1))
  worker.tell({ type: 'free-tasks', tasks: tasks(1) })
  worker.finish(0)
  assert.deepEqual(worker.takeInstruction('drop').tasks, tasks(1))
})

test('a scheduler that dies before it says a word changes nothing', () => {
  const worker = workerOfOneThatKeeps()
  worker.hold(task(100))
  worker.send({ type: 'scheduler-lost' })
  worker.send({ type: 'scheduler-lost' })
  worker.endTurn()
  worker.expectSilence()
  worker.join(true)
  assert.deepEqual(worker.takeMessage('copies-held').tasks, [task(100)])
})

test('a worker that is retired stays with what it has when the scheduler is lost, and one that was stopped goes', () => {
  const worker = workerOfOneThatKeeps()
  worker.hold(task(100))
  worker.tell({ type: 'leave' })
  worker.takeMessage('leaving')
  worker.send({ type: 'scheduler-lost' })
  worker.expectSilence()
  worker.join(true)
  assert.deepEqual(worker.takeMessage('copies-held').tasks, [task(100)])
  worker.takeMessage('attached')

  worker.tell({ type: 'leave' })
  worker.takeMessage('leaving')
  worker.send({ type: 'leave' })
  worker.send({ type: 'scheduler-lost' })
  assert.equal(worker.takeInstruction('close').reason, undefined)
})
