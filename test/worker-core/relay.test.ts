/** Peers out of reach: what is fetched by way of the scheduler, and for how long. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { UNREACHABLE_MS } from '../../protocol/limits.js'
import { OTHER_PEER, PEER, task, WorkerHarness } from '../support/worker-harness.js'

const x = task(100)
const y = task(101)

test('a peer that could not be reached is asked by relay, and so is all else of it for a while', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)], { inputs: [x], remote: [[x, PEER]] })
  worker.takeInstruction('fetch')
  worker.send({ type: 'values-unreachable', holder: PEER, tasks: [x] })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('fetch-by-relay'), { type: 'fetch-by-relay', holder: PEER, tasks: [x] })

  worker.run([task(1)], {
    inputs: [y, task(102)],
    remote: [
      [y, PEER],
      [task(102), OTHER_PEER],
    ],
  })
  assert.deepEqual(worker.takeInstruction('fetch-by-relay').tasks, [y])
  assert.equal(worker.takeInstruction('fetch').holder, OTHER_PEER)

  worker.nowMs += UNREACHABLE_MS
  worker.run([task(2)], { inputs: [task(103)], remote: [[task(103), PEER]] })
  assert.equal(worker.takeInstruction('fetch').holder, PEER)
  worker.expectSilence()
})

test('a peer without an address is asked by relay at once', () => {
  const worker = new WorkerHarness()
  worker.tell({ type: 'peers', workers: [PEER], addresses: [''] })
  worker.run([task(0)], { inputs: [x], remote: [[x, PEER]] })
  worker.takeInstruction('fetch-by-relay')
  worker.send({ type: 'values-fetched', holder: PEER, tasks: [x], sizes: [8] })
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [task(0)])
  worker.takeMessage('copies-held')
  worker.expectSilence()
})

test('a task goes back when the relay fails, too', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)], { inputs: [x], remote: [[x, PEER]] })
  worker.takeInstruction('fetch')
  worker.send({ type: 'values-unreachable', holder: PEER, tasks: [x] })
  worker.endTurn()
  worker.takeInstruction('fetch-by-relay')
  worker.send({ type: 'values-missing', holder: PEER, tasks: [x] })
  assert.deepEqual(worker.takeMessage('inputs-missing').inputs, [x])
  worker.endTurn()
  worker.expectSilence()
})

test('nothing is asked for by relay that nobody waits for any more', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)], { inputs: [x], remote: [[x, PEER]] })
  worker.takeInstruction('fetch')
  worker.tell({ type: 'free-tasks', tasks: [task(0)] })
  worker.send({ type: 'values-unreachable', holder: PEER, tasks: [x] })
  worker.endTurn()
  assert.equal(worker.state.fetches.size, 0)
  worker.expectSilence()
})

test('the next scheduler knows other peers: none of them is out of reach', () => {
  const worker = new WorkerHarness()
  worker.send({ type: 'values-unreachable', holder: PEER, tasks: [] })
  worker.send({ type: 'scheduler-lost' })
  worker.join()
  worker.run([task(0)], { inputs: [x], remote: [[x, PEER]] })
  worker.takeInstruction('fetch')
  worker.expectSilence()
})
