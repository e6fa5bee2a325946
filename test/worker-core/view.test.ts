/** The worker says what it has. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { templateId } from '../../protocol/ids.js'
import { task, tasks, WorkerHarness } from '../support/worker-harness.js'

test('a worker that is asked names what it has to do and holds, behind all that the turn has to tell', () => {
  const worker = new WorkerHarness(1)
  worker.run(tasks(2))
  worker.takeBatch()
  worker.tell({ type: 'ask-view' })
  worker.end(0, [0])
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(0)])
  const nothing = { leftovers: [], leftoverAttempts: [] }
  const view = { type: 'view', tasks: [task(1)], attempts: [], ...nothing, values: [task(0)] }
  assert.deepEqual(worker.takeMessage('view'), view)
  worker.endTurn()
  worker.expectSilence()
})

test('it names apart what goes on and nobody wants', () => {
  const worker = new WorkerHarness(1)
  worker.run(tasks(1))
  worker.takeBatch()
  worker.tell({ type: 'free-tasks', tasks: [task(0)] })
  worker.endTurn()
  worker.takeInstruction('take-back')
  worker.tell({ type: 'ask-view' })
  worker.endTurn()
  const { tasks: wanted, leftovers } = worker.takeMessage('view')
  assert.deepEqual([wanted, leftovers], [[], [task(0)]])
  worker.end(0, [0])
  worker.tell({ type: 'ask-view' })
  worker.endTurn()
  worker.takeInstruction('drop')
  assert.deepEqual(worker.takeMessage('view').leftovers, [])
})

const TIMED = templateId(2)

test('it names what has had its time, until its slot is free and the scheduler hears of that', () => {
  const worker = new WorkerHarness(1)
  worker.define(TIMED, 0, 0, false, 100)
  worker.run([task(0)], { template: TIMED })
  worker.takeBatch()
  worker.wakeUp()
  worker.takeInstruction('look-at-run')
  worker.send({ type: 'run-looked-at', thread: 0, ranMs: 100 })
  worker.endTurn()
  worker.takeInstruction('take-back')
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  assert.equal(worker.takeInstruction('ask-to-stop').cause, 'timed-out')
  worker.tell({ type: 'ask-view' })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('view').tasks, [task(0)])
  worker.end(0, [0])
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.tell({ type: 'ask-view' })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-timed-out').tasks, [task(0)])
  worker.takeInstruction('drop')
  assert.deepEqual(worker.takeMessage('view').tasks, [])
})

test('so it does where the task waits for others, and others run in its thread', () => {
  const worker = new WorkerHarness(1)
  worker.define(TIMED, 0, 0, false, 100)
  worker.run([task(0)], { template: TIMED })
  worker.takeBatch()
  worker.send({ type: 'task-lent', thread: 0, place: 0, ranMs: 0, canTerminate: true })
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
  worker.takeMessage('tasks-suspended')
  worker.nowMs += 100
  worker.endTurn()
  assert.equal(worker.takeInstruction('ask-lent-to-stop').cause, 'timed-out')
  worker.tell({ type: 'ask-view' })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('view').tasks, [task(0)])
  worker.tell({ type: 'ask-view' })
  worker.loseLent(task(0), true)
  assert.deepEqual(worker.takeMessage('tasks-timed-out').tasks, [task(0)])
  assert.deepEqual(worker.takeMessage('view').tasks, [])
})
