/** Tasks that wait for tasks which they submitted: their slots are lent, and taken again. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { attempt, templateId, type TaskId } from '../../protocol/ids.js'
import { KILL_AFTER_MS } from '../../protocol/limits.js'
import type { Outcomes } from '../../worker/core/events.js'
import { task, tasks, WorkerHarness } from '../support/worker-harness.js'

const FIRST = attempt(1)
const TIMED = templateId(2)

const ONE_VALUE: Outcomes = {
  places: [0],
  threw: new Map(),
  durationsUs: [100],
  sizes: [4],
  values: { bytes: Uint8Array.of(1, 2, 3, 4), ends: [4] },
}

/** The one thread has a batch of three, and the first of them waits. */
function lent(): WorkerHarness {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 10 })
  worker.run(tasks(3))
  assert.deepEqual(worker.takeBatch().tasks, tasks(3))
  worker.send({ type: 'task-lent', thread: 0, place: 0, ranMs: undefined, canTerminate: true })
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
  return worker
}

/** As `lent`, when the others have ended. */
function alone(): WorkerHarness {
  const worker = lent()
  worker.takeBatch()
  worker.takeMessage('tasks-suspended')
  worker.finish(0, 2)
  worker.takeMessage('tasks-finished')
  return worker
}

function awaits(worker: WorkerHarness, isAwaiting: boolean, id: TaskId = task(0)): void {
  worker.send({ type: 'lent-awaits', task: id, attempt: FIRST, isAwaiting })
  worker.endTurn()
}

function stop(worker: WorkerHarness, graceMs = 100): void {
  worker.tell({ type: 'stop-tasks', tasks: [task(0)], attempts: [1], graceMs })
  worker.endTurn()
  worker.takeInstruction('ask-lent-to-stop')
}

suite('a task that waits for others', () => {
  test('leaves its thread to the rest of its batch, and to what is more urgent first', () => {
    const worker = new WorkerHarness()
    worker.teach({ durationUs: 10 })
    worker.run(tasks(2))
    worker.takeBatch()
    worker.queue([task(5)], { priority: 1 })
    worker.send({ type: 'task-lent', thread: 0, place: 0, ranMs: undefined, canTerminate: true })
    worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
    worker.endTurn()
    assert.deepEqual(worker.takeBatch().tasks, [task(5), task(1)])
    assert.deepEqual(worker.takeMessage('tasks-suspended').tasks, [task(0)])
    worker.expectSilence()
  })

  test('takes a slot again when it goes on: nothing else begins', () => {
    const worker = alone()
    awaits(worker, false)
    assert.deepEqual(worker.takeMessage('tasks-resumed'), { type: 'tasks-resumed', tasks: [task(0)], attempts: [1] })
    worker.queue([task(7)])
    worker.send({ type: 'lent-awaits', task: task(0), attempt: FIRST, isAwaiting: false })
    worker.expectSilence()
    awaits(worker, true)
    assert.deepEqual(worker.takeBatch().tasks, [task(7)])
    worker.takeMessage('tasks-suspended')
  })

  test('is told of as finished or failed like any other', () => {
    const worker = alone()
    worker.send({ type: 'lent-ended', task: task(0), attempt: FIRST, outcomes: ONE_VALUE })
    worker.endTurn()
    const { tasks: finished, sizes } = worker.takeMessage('tasks-finished')
    assert.deepEqual([finished, sizes], [[task(0)], [4]])
    worker.expectSilence()

    const other = alone()
    const threw = { ...ONE_VALUE, threw: new Map([[0, 'may-retry' as const]]) }
    other.send({ type: 'lent-ended', task: task(0), attempt: FIRST, outcomes: threw })
    assert.deepEqual(other.takeMessage('task-failed').error, ONE_VALUE.values.bytes)
  })

  test('that nobody wants any more is dropped without a word', () => {
    const worker = alone()
    worker.tell({ type: 'free-tasks', tasks: [task(0)] })
    assert.equal(worker.takeInstruction('ask-lent-to-stop').cause, 'dropped')
    awaits(worker, false)
    worker.send({ type: 'lent-ended', task: task(0), attempt: FIRST, outcomes: ONE_VALUE })
    worker.endTurn()
    assert.deepEqual(worker.takeInstruction('drop').tasks, [task(0)])
    worker.expectSilence()
  })

  test('goes back with no blame when its thread is gone, unless it was what ran there', () => {
    for (const hasCulprit of [false, true]) {
      const worker = alone()
      worker.loseLent(task(0), hasCulprit, -1)
      if (hasCulprit) assert.equal(worker.takeMessage('task-exited').exitCode, 255)
      else assert.deepEqual(worker.takeMessage('tasks-returned').begun, [0])
      worker.expectSilence()
    }
  })

  test('goes back with no blame when its client has lost the scheduler, and is asked to end', () => {
    const worker = alone()
    worker.send({ type: 'lent-orphaned', task: task(0), attempt: FIRST })
    worker.send({ type: 'lent-orphaned', task: task(0), attempt: FIRST })
    assert.equal(worker.takeInstruction('ask-lent-to-stop').cause, 'dropped')
    worker.endTurn()
    assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [task(0)])
    awaits(worker, false)
    worker.send({ type: 'lent-ended', task: task(0), attempt: FIRST, outcomes: ONE_VALUE })
    worker.endTurn()
    assert.deepEqual(worker.takeInstruction('drop').tasks, [task(0)])
    worker.expectSilence()
  })

  test('and goes on unwanted does not run again under its number', () => {
    const worker = alone()
    worker.send({ type: 'lent-orphaned', task: task(0), attempt: FIRST })
    worker.takeInstruction('ask-lent-to-stop')
    worker.endTurn()
    worker.takeMessage('tasks-returned')
    worker.queue([task(0)])
    worker.endTurn()
    assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [task(0)])
    worker.queue([task(0)], { attempt: attempt(2) })
    worker.endTurn()
    assert.deepEqual(worker.takeBatch().tasks, [task(0)])
    worker.expectSilence()
  })

  test('ends by itself when it is cancelled, as its children are', () => {
    const worker = alone()
    stop(worker)
    worker.send({ type: 'lent-ended', task: task(0), attempt: FIRST, outcomes: ONE_VALUE })
    worker.endTurn()
    assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['signal'])
    worker.takeInstruction('drop')
    assert.equal(worker.deadlineMs, undefined)
  })

  test('that has had its time has failed, and is asked to end', () => {
    const worker = new WorkerHarness()
    worker.define(TIMED, 0, 0, false, 1_000)
    worker.run([task(0)], { template: TIMED })
    worker.takeBatch()
    worker.send({ type: 'task-lent', thread: 0, place: 0, ranMs: 400, canTerminate: true })
    worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
    worker.endTurn()
    worker.takeMessage('tasks-suspended')
    assert.equal(worker.deadlineMs, worker.nowMs + 600)
    worker.wakeUp()
    assert.equal(worker.takeInstruction('ask-lent-to-stop').cause, 'timed-out')
    worker.send({ type: 'lent-ended', task: task(0), attempt: FIRST, outcomes: ONE_VALUE })
    worker.endTurn()
    assert.deepEqual(worker.takeMessage('tasks-timed-out').tasks, [task(0)])
    worker.takeInstruction('drop')
    worker.expectSilence()
  })

  test('leaves a batch in which others have time-outs, which count when they begin', () => {
    const worker = new WorkerHarness()
    worker.define(TIMED, 0, 0, false, 1_000)
    worker.teach({ durationUs: 10 })
    worker.teach({ durationUs: 10 }, TIMED)
    worker.queue([task(0)])
    worker.queue([task(1)], { template: TIMED })
    worker.endTurn()
    assert.deepEqual(worker.takeBatch().tasks, tasks(2))
    worker.send({ type: 'task-lent', thread: 0, place: 0, ranMs: undefined, canTerminate: true })
    assert.equal(worker.deadlineMs, worker.nowMs + 1_000)
    worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
    worker.endTurn()
    assert.deepEqual(worker.takeBatch().tasks, [task(1)])
  })

  test('has started, and is not had back', () => {
    const worker = alone()
    worker.tell({ type: 'recall', tasks: [task(0)] })
    worker.endTurn()
    assert.deepEqual(worker.takeMessage('tasks-kept').tasks, [task(0)])
  })

  test('that is cancelled and waits on is abandoned: it takes no slot', () => {
    const worker = alone()
    stop(worker)
    worker.wakeUp()
    assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['abandoned'])
    assert.equal(worker.deadlineMs, undefined)
  })

  test('that is cancelled and runs on has its thread ended, and then its process', () => {
    const worker = alone()
    awaits(worker, false)
    worker.takeMessage('tasks-resumed')
    stop(worker)
    worker.wakeUp()
    worker.takeInstruction('terminate-lent')
    assert.equal(worker.deadlineMs, worker.nowMs + KILL_AFTER_MS)
    worker.loseLent(task(0), false)
    assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['thread'])

    const stuck = alone()
    awaits(stuck, false)
    stuck.takeMessage('tasks-resumed')
    stop(stuck, 0)
    stuck.takeInstruction('terminate-lent')
    stuck.wakeUp()
    stuck.takeInstruction('abort')
  })

  test('that was to stop when it came to wait has its grace from then on', () => {
    const worker = new WorkerHarness()
    worker.run([task(0)])
    worker.takeBatch()
    worker.tell({ type: 'stop-tasks', tasks: [task(0)], attempts: [1], graceMs: 100 })
    worker.endTurn()
    worker.takeInstruction('take-back')
    worker.send({ type: 'task-lent', thread: 0, place: 0, ranMs: undefined, canTerminate: true })
    worker.takeInstruction('ask-lent-to-stop')
    worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
    worker.endTurn()
    worker.wakeUp()
    assert.deepEqual(worker.takeMessage('tasks-stopped').stoppedBy, ['abandoned'])
    worker.expectSilence()
  })

  test('is forgotten with its scheduler, and goes on for nobody', () => {
    const worker = alone()
    worker.send({ type: 'scheduler-lost' })
    worker.endTurn()
    assert.equal(worker.takeInstruction('ask-lent-to-stop').cause, 'dropped')
    worker.takeInstruction('drop')
    worker.join()
    worker.send({ type: 'lent-ended', task: task(0), attempt: FIRST, outcomes: ONE_VALUE })
    worker.endTurn()
    assert.deepEqual(worker.takeInstruction('drop').tasks, [task(0)])
    worker.expectSilence()
  })

  test('is named by the pulse only while it runs', () => {
    const worker = alone()
    const pulse = (): readonly TaskId[] => {
      worker.send({ type: 'pulse', memoryBytes: 1, cpuSeconds: 1 })
      return worker.takeMessage('pulse').running
    }
    assert.deepEqual(pulse(), [])
    awaits(worker, false)
    worker.takeMessage('tasks-resumed')
    assert.deepEqual(pulse(), [task(0)])
  })
})
