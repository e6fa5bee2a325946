/** How much is fetched at once, and what comes first; and that many small inputs are few messages. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { OTHER_PEER, OURSELVES, PEER, task, tasks, WorkerHarness } from '../support/worker-harness.js'

// Each remote input of the harness has 8 bytes.
const [x, y, z] = [task(100), task(101), task(102)]

test('only so many bytes are under way at once; the rest follows as values come', () => {
  const worker = new WorkerHarness(1, { maxFetchBytes: 16 })
  const remote = [x, y, z].map((input) => [input, PEER] as const)
  worker.run([task(0)], { inputs: [x, y, z], remote })
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [x, y])
  worker.endTurn()
  worker.expectSilence()
  worker.send({ type: 'values-fetched', holder: PEER, tasks: [x], sizes: [8] })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [z])
  assert.equal(worker.state.fetches.askedBytes, 16)
})

test('a value larger than the bound comes alone', () => {
  const worker = new WorkerHarness(1, { maxFetchBytes: 4 })
  worker.run([task(0)], {
    inputs: [x, y],
    remote: [
      [x, PEER],
      [y, OTHER_PEER],
    ],
  })
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [x])
  worker.expectSilence()
  worker.send({ type: 'values-missing', holder: PEER, tasks: [x] })
  worker.takeMessage('inputs-missing')
  worker.endTurn()
  worker.expectSilence()
  assert.equal(worker.state.fetches.size, 0)
})

test('what is still to be made leaves the bound to what it is made of', () => {
  const worker = new WorkerHarness(1, { maxFetchBytes: 8 })
  worker.run([task(0)], { inputs: [x], remote: [[x, PEER]] })
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [x])
  // It is lost there, and made again here.
  worker.run([x], { inputs: [y], pending: [[y, OTHER_PEER, 1]] })
  worker.run([task(1)], { inputs: [x], pending: [[x, OURSELVES]] })
  worker.send({ type: 'values-missing', holder: PEER, tasks: [x] })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [y])
  worker.run([task(2)], { inputs: [z], remote: [[z, PEER]] })
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [z])
})

test('what a peer is to make again leaves the bound, too', () => {
  const worker = new WorkerHarness(1, { maxFetchBytes: 8 })
  worker.run([task(0)], { inputs: [x], remote: [[x, PEER]] })
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [x])
  worker.run([task(1)], { inputs: [x], pending: [[x, OTHER_PEER, 1]] })
  worker.send({ type: 'values-missing', holder: PEER, tasks: [x] })
  worker.endTurn()
  const { holder, after } = worker.takeInstruction('fetch')
  assert.deepEqual([holder, after], [OTHER_PEER, 1])
  worker.run([task(2)], { inputs: [z], remote: [[z, PEER]] })
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [z])
})

test('inputs of urgent tasks come first', () => {
  const worker = new WorkerHarness(1, { maxFetchBytes: 8 })
  worker.queue([task(0)], { inputs: [x], remote: [[x, PEER]], priority: 1 })
  worker.queue([task(1)], { inputs: [y], remote: [[y, PEER]], priority: 3 })
  worker.run([task(2)], { inputs: [z], remote: [[z, PEER]], priority: 2 })
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [y])
  worker.send({ type: 'values-fetched', holder: PEER, tasks: [y], sizes: [8] })
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [task(1)])
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [z])
  worker.takeMessage('copies-held')
  worker.send({ type: 'values-fetched', holder: PEER, tasks: [z], sizes: [8] })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [x])
})

test('ten thousand small inputs of two holders are two requests', () => {
  const worker = new WorkerHarness()
  const inputs = Array.from({ length: 10_000 }, (_, n) => task(2_000 + n))
  worker.run(tasks(1), { inputs, remote: inputs.map((input, n) => [input, n % 2 === 0 ? PEER : OTHER_PEER] as const) })
  const first = worker.takeInstruction('fetch')
  const second = worker.takeInstruction('fetch')
  assert.deepEqual([first.tasks.length, second.tasks.length], [5_000, 5_000])
  worker.expectSilence()
  for (const { holder, tasks: found } of [first, second]) {
    worker.send({ type: 'values-fetched', holder, tasks: found, sizes: found.map(() => 8) })
  }
  worker.endTurn()
  worker.takeBatch()
  assert.equal(worker.takeMessage('copies-held').tasks.length, 10_000)
  worker.expectSilence()
})
