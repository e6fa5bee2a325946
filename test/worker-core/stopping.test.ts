/** Cancelled tasks on their worker: whatever they do, their slots become free. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { KILL_AFTER_MS, STOP_GRACE_MS } from '../../protocol/limits.js'
import type { TaskId } from '../../protocol/ids.js'
import { PEER, task, tasks, WorkerHarness } from '../support/worker-harness.js'

function stop(worker: WorkerHarness, ids: readonly TaskId[], graceMs = 500): void {
  worker.tell({ type: 'stop-tasks', tasks: ids, attempts: ids.map(() => 1), graceMs })
  worker.endTurn()
}

/** A thread with a batch of `count` tasks, of which it runs the one at place `running`. */
function running(count: number, place = 0): WorkerHarness {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 10 })
  worker.run(tasks(count))
  assert.equal(worker.takeBatch().tasks.length, count)
  if (place > 0) {
    worker.end(0, [...Array(place).keys()])
    worker.endTurn()
    worker.takeMessage('tasks-finished')
  }
  return worker
}

/** The running task, at place 0, is asked to end. */
function asked(worker: WorkerHarness, wasTold: boolean, canTerminate = true): void {
  worker.takeInstruction('take-back')
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  const { thread, place } = worker.takeInstruction('ask-to-stop')
  assert.deepEqual([thread, place], [0, 0])
  worker.send({ type: 'stop-asked', thread: 0, wasTold, canTerminate })
}

function exit(worker: WorkerHarness, firstUnstarted = 1): void {
  worker.send({
    type: 'thread-exited',
    thread: 0,
    culprit: 0,
    firstUnstarted,
    exitCode: 1,
    reason: 'terminated',
    isOutOfMemory: false,
  })
  worker.endTurn()
}

test('what waits or is ready goes at once', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)])
  worker.takeBatch()
  worker.run([task(1)])
  worker.run([task(2)], { inputs: [task(9)], remote: [[task(9), PEER]] })
  worker.takeInstruction('fetch')
  stop(worker, [task(1), task(2)])
  assert.deepEqual(worker.takeMessage('tasks-stopped'), {
    type: 'tasks-stopped',
    tasks: [task(1), task(2)],
    attempts: [],
    stoppedBy: ['queue', 'queue'],
  })
  worker.expectSilence()
})

test('a task that does not listen is terminated at once, and its neighbours run on', () => {
  const worker = running(3)
  stop(worker, [task(0)])
  asked(worker, false)
  worker.takeInstruction('terminate')
  worker.endTurn()
  exit(worker)
  assert.deepEqual(worker.takeBatch().tasks, [task(1), task(2)])
  assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['thread'])
  worker.expectSilence()
})

test('a neighbour that has not started is taken out, and nothing is terminated', () => {
  const worker = running(3)
  stop(worker, [task(1)])
  worker.takeInstruction('take-back')
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['queue'])
  worker.finish(0, 1)
  assert.deepEqual(worker.takeBatch().tasks, [task(2)])
})

test('a task that listens has its grace, and ends by itself', () => {
  const worker = running(2)
  stop(worker, [task(0)])
  asked(worker, true)
  worker.endTurn()
  worker.expectSilence()
  assert.equal(worker.deadlineMs, worker.nowMs + 500)
  worker.end(0, [0])
  worker.endTurn()
  worker.takeInstruction('drop')
  worker.expectSilence() // Its slot is not free yet.
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [task(1)])
  assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['signal'])
})

test('one that listens and goes on is terminated when its grace is over', () => {
  const worker = running(1)
  stop(worker, [task(0)], 200)
  asked(worker, true)
  worker.endTurn()
  worker.wakeUp()
  assert.equal(worker.nowMs, 200)
  worker.takeInstruction('terminate')
  exit(worker)
  assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['thread'])
  assert.equal(worker.deadlineMs, undefined)
})

test('when native code holds the thread the process goes, and blames nobody', () => {
  const worker = running(2)
  stop(worker, [task(0)], 0)
  asked(worker, false)
  worker.takeInstruction('terminate')
  worker.endTurn()
  assert.equal(worker.deadlineMs, KILL_AFTER_MS)
  worker.wakeUp()
  assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [task(1)])
  worker.takeInstruction('abort')
  worker.expectSilence()
})

test('where nothing can be terminated the task is abandoned, and its outcome dropped', () => {
  const worker = running(1)
  stop(worker, [task(0)])
  asked(worker, false, false)
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['abandoned'])
  worker.finish(0, 1)
  assert.deepEqual(worker.takeInstruction('drop').tasks, [task(0)])
  worker.expectSilence()
})

test('a task that ended before the order came is not stopped', () => {
  const worker = running(2, 1)
  stop(worker, [task(0)])
  assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['none'])
  stop(worker, [task(1)])
  worker.takeInstruction('take-back')
  worker.end(0, [1])
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 2 })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['none'])
  assert.deepEqual(worker.takeInstruction('drop').tasks, [task(1)])
})

test('a task that had ended when it was asked to is not taken for the one that runs behind it', () => {
  const worker = running(3)
  stop(worker, [task(0)])
  worker.takeInstruction('take-back')
  // Its outcome, and the start of the next task, are not known yet.
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 2 })
  worker.takeInstruction('ask-to-stop')
  worker.end(0, [0])
  worker.send({ type: 'stop-asked', thread: 0, wasTold: false, canTerminate: true })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['none'])
  worker.takeInstruction('drop')
  worker.expectSilence()
  worker.end(0, [1])
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(1)])
})

test('a task that runs and that nobody wants any more is stopped, but has its grace even if it can not be told', () => {
  const worker = running(2)
  worker.tell({ type: 'free-tasks', tasks: [task(0)] })
  worker.endTurn()
  asked(worker, false)
  worker.endTurn()
  worker.expectSilence()
  assert.equal(worker.deadlineMs, STOP_GRACE_MS)
  worker.wakeUp()
  worker.takeInstruction('terminate')
  exit(worker)
  assert.deepEqual(worker.takeBatch().tasks, [task(1)])
  worker.expectSilence() // Nobody asked.
})

test('one that nobody wants any more, and that ends in its grace, leaves its thread alone', () => {
  const worker = running(1)
  worker.tell({ type: 'free-tasks', tasks: [task(0)] })
  worker.endTurn()
  asked(worker, false)
  worker.end(0, [0])
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('drop').tasks, [task(0)])
  worker.expectSilence()
  assert.equal(worker.deadlineMs, undefined)
})

test('a task that was let go before, and has its grace, is stopped at once when it is cancelled', () => {
  const worker = running(1)
  worker.tell({ type: 'free-tasks', tasks: [task(0)] })
  worker.endTurn()
  asked(worker, false)
  worker.endTurn()
  stop(worker, [task(0)])
  worker.takeInstruction('terminate')
  exit(worker)
  assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['thread'])
})

test('an order about another attempt stops nothing', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)], { attempt: 2 })
  worker.takeBatch()
  stop(worker, [task(0)])
  assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['none'])
  worker.finish(0)
  worker.takeMessage('tasks-finished')
})

test('two tasks of one batch are stopped one after another', () => {
  const worker = running(2)
  stop(worker, [task(0), task(1)])
  asked(worker, false)
  worker.takeInstruction('terminate')
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-stopped'), {
    type: 'tasks-stopped',
    tasks: [task(1)],
    attempts: [],
    stoppedBy: ['queue'],
  })
  exit(worker)
  assert.deepEqual(worker.takeMessage('tasks-stopped').tasks, [task(0)])
})

test('a scheduler that is lost hears nothing of what it wanted stopped', () => {
  const worker = running(1)
  stop(worker, [task(0)])
  worker.takeInstruction('take-back')
  worker.send({ type: 'scheduler-lost' })
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  worker.takeInstruction('ask-to-stop')
  worker.send({ type: 'stop-asked', thread: 0, wasTold: false, canTerminate: true })
  worker.wakeUp()
  worker.takeInstruction('terminate')
  exit(worker)
  worker.expectSilence()
})
