/** Tasks with a time-out on their worker: what has had its time is stopped, and nothing else is. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { templateId } from '../../protocol/ids.js'
import { KILL_AFTER_MS, STOP_GRACE_MS } from '../../protocol/limits.js'
import { task, tasks, WorkerHarness } from '../support/worker-harness.js'

const TIMED = templateId(2)

/** A thread with a batch of `count` tasks that may run for 100 ms each. */
function running(count: number, attempt = 1): WorkerHarness {
  const worker = new WorkerHarness()
  worker.define(TIMED, 0, 0, false, 100)
  worker.teach({ durationUs: 10 }, TIMED)
  worker.run(tasks(count), { template: TIMED, attempt })
  assert.equal(worker.takeBatch().tasks.length, count)
  return worker
}

/** The shell says how long the task has run that it is asked about. */
function lookedAt(worker: WorkerHarness, place: number, ranMs: number | undefined): void {
  assert.deepEqual(worker.takeInstruction('look-at-run'), { type: 'look-at-run', thread: 0, place })
  worker.send({ type: 'run-looked-at', thread: 0, ranMs })
  worker.endTurn()
}

/** The task at `place`, the first of its batch, is out of time, and is asked to end. */
function outOfTime(worker: WorkerHarness, { wasTold = false, canTerminate = true } = {}): void {
  worker.wakeUp()
  lookedAt(worker, 0, 100)
  worker.takeInstruction('take-back')
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  assert.equal(worker.takeInstruction('ask-to-stop').cause, 'timed-out')
  worker.send({ type: 'stop-asked', thread: 0, wasTold, canTerminate })
}

function exit(worker: WorkerHarness): void {
  worker.send({
    type: 'thread-exited',
    thread: 0,
    culprit: 0,
    firstUnstarted: 1,
    exitCode: 1,
    reason: 'terminated',
    isOutOfMemory: false,
  })
  worker.endTurn()
}

test('a task without a time-out is never looked at', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)])
  worker.takeBatch()
  assert.equal(worker.deadlineMs, undefined)
})

test('a task that has had its time is stopped, and its neighbours run on', () => {
  const worker = running(3)
  assert.equal(worker.deadlineMs, 100)
  outOfTime(worker)
  worker.takeInstruction('terminate')
  worker.endTurn()
  worker.expectSilence() // Its slot is not free yet.
  exit(worker)
  assert.deepEqual(worker.takeBatch().tasks, [task(1), task(2)])
  assert.deepEqual(worker.takeMessage('tasks-timed-out'), {
    type: 'tasks-timed-out',
    tasks: [task(0)],
    attempts: [],
    goOn: [],
  })
  worker.expectSilence()
})

test('one that began later, or has not begun, is looked at again', () => {
  const worker = running(1)
  assert.equal(worker.deadlineMs, 100)
  worker.wakeUp()
  lookedAt(worker, 0, undefined)
  assert.equal(worker.deadlineMs, 200)
  worker.wakeUp()
  lookedAt(worker, 0, 30)
  assert.equal(worker.deadlineMs, 270)
  worker.wakeUp()
  worker.takeInstruction('look-at-run')
  // It ends just when it is looked at.
  worker.end(0, [0])
  worker.send({ type: 'run-looked-at', thread: 0, ranMs: 100 })
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(0)])
  worker.expectSilence()
  assert.equal(worker.deadlineMs, undefined)
})

test('each task of a batch has a time of its own', () => {
  const worker = running(2)
  worker.nowMs = 80
  worker.end(0, [0])
  worker.endTurn()
  worker.takeMessage('tasks-finished')
  assert.equal(worker.deadlineMs, 180)
})

test('what it gives in its grace comes too late', () => {
  const worker = running(1, 2)
  outOfTime(worker, { wasTold: true })
  worker.endTurn()
  worker.expectSilence()
  assert.equal(worker.deadlineMs, 100 + STOP_GRACE_MS)
  worker.end(0, [0])
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-timed-out').attempts, [2])
  assert.deepEqual(worker.takeInstruction('drop').tasks, [task(0)])
  worker.expectSilence()
})

test('one that ends between the look and the order has failed all the same', () => {
  const worker = running(1)
  worker.wakeUp()
  lookedAt(worker, 0, 100)
  worker.takeInstruction('take-back')
  worker.end(0, [0], { threw: true })
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-timed-out').tasks, [task(0)])
  worker.expectSilence()
})

test('where nothing can be terminated it is abandoned, and has failed', () => {
  const worker = running(1)
  outOfTime(worker, { canTerminate: false })
  worker.endTurn()
  const { tasks: timedOut, goOn } = worker.takeMessage('tasks-timed-out')
  assert.deepEqual([timedOut, goOn], [[task(0)], [0]])
  worker.finish(0)
  assert.deepEqual(worker.takeInstruction('drop').tasks, [task(0)])
  worker.expectSilence()
})

test('when native code holds it, it has failed, and then the process goes', () => {
  const worker = running(1)
  outOfTime(worker)
  worker.takeInstruction('terminate')
  worker.endTurn()
  assert.equal(worker.deadlineMs, 100 + KILL_AFTER_MS)
  worker.wakeUp()
  assert.deepEqual(worker.takeMessage('tasks-timed-out').tasks, [task(0)])
  worker.takeInstruction('abort')
  worker.expectSilence()
})

test('one that is cancelled while it is stopped is told as cancelled', () => {
  const worker = running(1)
  outOfTime(worker)
  worker.takeInstruction('terminate')
  worker.tell({ type: 'stop-tasks', tasks: [task(0)], attempts: [1], graceMs: 500 })
  worker.endTurn()
  exit(worker)
  assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['thread'])
  worker.expectSilence()
})

test('a task whose resources are counted is told once: that it failed', () => {
  const worker = new WorkerHarness()
  worker.define(TIMED, 0, 1_000, false, 100)
  worker.run([task(0)], { template: TIMED })
  worker.takeBatch()
  outOfTime(worker)
  worker.takeInstruction('terminate')
  exit(worker)
  worker.takeMessage('tasks-timed-out')
  worker.expectSilence()
})

test('with its scheduler goes whoever would hear of it', () => {
  const worker = running(1)
  outOfTime(worker)
  worker.takeInstruction('terminate')
  worker.send({ type: 'scheduler-lost' })
  exit(worker)
  worker.expectSilence()
})
