/** Copies that the scheduler orders: fetched though no task waits for them, and answered in any case. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { workerId } from '../../protocol/ids.js'
import { OURSELVES, PEER, task, WorkerHarness } from '../support/worker-harness.js'

const x = task(100)
const y = task(101)

test('copies are fetched and kept though no task needs them', () => {
  const worker = new WorkerHarness()
  worker.tell({ type: 'fetch-copies', tasks: [x, y], holders: [PEER, PEER], sizes: [8, 9] })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [x, y])
  worker.send({ type: 'values-fetched', holder: PEER, tasks: [x], sizes: [8] })
  worker.send({ type: 'values-missing', holder: PEER, tasks: [y] })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('copies-held'), { type: 'copies-held', tasks: [x], sizes: [8] })
  assert.deepEqual(worker.takeMessage('copies-missing').tasks, [y])
  assert.ok(worker.state.held.has(x))
  worker.expectSilence()
})

test('a copy that is here already is told of; a task may join one under way', () => {
  const worker = new WorkerHarness()
  worker.hold(x)
  worker.tell({ type: 'fetch-copies', tasks: [x, y], holders: [PEER, PEER], sizes: [4, 9] })
  worker.endTurn()
  worker.takeInstruction('fetch')
  assert.deepEqual(worker.takeMessage('copies-held').tasks, [x])
  worker.run([task(1)], { inputs: [y], remote: [[y, PEER]] })
  worker.expectSilence()
  worker.send({ type: 'values-fetched', holder: PEER, tasks: [y], sizes: [9] })
  worker.endTurn()
  worker.takeBatch()
  assert.deepEqual(worker.takeMessage('copies-held').tasks, [y])
  worker.expectSilence()
})

test('a copy of a stranger, and one that is freed as it comes, are missing', () => {
  const worker = new WorkerHarness()
  worker.tell({ type: 'fetch-copies', tasks: [x, y], holders: [workerId(99), PEER], sizes: [8, 8] })
  worker.endTurn()
  worker.takeInstruction('fetch')
  assert.deepEqual(worker.takeMessage('copies-missing').tasks, [x])
  worker.send({ type: 'values-fetched', holder: PEER, tasks: [y], sizes: [8] })
  worker.tell({ type: 'free-tasks', tasks: [y] })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('copies-missing').tasks, [y])
  worker.takeInstruction('drop')
  worker.expectSilence()
})

test('a copy of what was to be made here goes with the task and with the scheduler', () => {
  const worker = new WorkerHarness()
  worker.run([x])
  worker.takeBatch()
  worker.run([task(1)], { inputs: [x], pending: [[x, OURSELVES]] })
  worker.tell({ type: 'fetch-copies', tasks: [x], holders: [PEER], sizes: [8] })
  worker.send({ type: 'scheduler-lost' })
  assert.equal(worker.state.fetches.size, 0)
  worker.endTurn()
  worker.takeInstruction('take-back')
  worker.expectSilence()
})

test('the next scheduler has ordered nothing', () => {
  const worker = new WorkerHarness()
  worker.tell({ type: 'fetch-copies', tasks: [x], holders: [PEER], sizes: [8] })
  worker.send({ type: 'scheduler-lost' })
  worker.endTurn()
  assert.equal(worker.state.fetches.size, 0)
  worker.join()
})
