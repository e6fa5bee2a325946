/** Inputs that come from other workers: whom the worker asks, and what becomes of the tasks that wait. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { Packer, type Packed } from '../../common/packed.js'
import { workerId } from '../../protocol/ids.js'
import { INPUT_FAILURE, OTHER_PEER, OURSELVES, PEER, task, WorkerHarness } from '../support/worker-harness.js'

const x = task(100)
const y = task(101)

test('inputs are asked for in one request to each holder and turn', () => {
  const worker = new WorkerHarness()
  worker.queue([task(0)], {
    inputs: [x, y],
    remote: [
      [x, PEER],
      [y, PEER],
    ],
  })
  worker.run([task(1)], {
    inputs: [x, task(102)],
    remote: [
      [x, PEER],
      [task(102), OTHER_PEER],
    ],
  })
  assert.deepEqual(worker.takeInstruction('fetch'), {
    type: 'fetch',
    holder: PEER,
    address: 'ws://peer',
    tasks: [x, y],
  })
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [task(102)])
  worker.expectSilence()
})

test('an input under way is not asked for again', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)], { inputs: [x], remote: [[x, PEER]] })
  worker.takeInstruction('fetch')
  worker.run([task(1)], { inputs: [x], remote: [[x, OTHER_PEER]] })
  worker.expectSilence()
})

test('a task runs once all its inputs are here, and the copies are reported in one message', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)], {
    inputs: [x, y, x],
    remote: [
      [x, PEER],
      [y, OTHER_PEER],
    ],
  })
  worker.takeInstruction('fetch')
  worker.takeInstruction('fetch')
  worker.send({ type: 'values-fetched', holder: PEER, tasks: [x], sizes: [8] })
  worker.send({ type: 'values-fetched', holder: OTHER_PEER, tasks: [y], sizes: [9] })
  worker.endTurn()
  const batch = worker.takeInstruction('run-batch')
  assert.deepEqual(batch.tasks[0]?.inputs, [x, y, x])
  assert.deepEqual(worker.takeMessage('copies-held'), { type: 'copies-held', tasks: [x, y], sizes: [8, 9] })
  worker.expectSilence()
})

test('a task goes back when its inputs are not where the scheduler said, in one message', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)], {
    inputs: [x, y],
    remote: [
      [x, PEER],
      [y, PEER],
    ],
    attempt: 4,
  })
  worker.takeInstruction('fetch')
  worker.send({ type: 'values-missing', holder: PEER, tasks: [x, y] })
  const message = worker.takeMessage('inputs-missing')
  assert.deepEqual(message, { type: 'inputs-missing', task: task(0), attempt: 4, inputs: [x, y], holder: PEER })
  worker.endTurn()
  assert.equal(worker.state.tasks.size, 0)
  worker.expectSilence()
})

test('another known holder is asked before a task goes back', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)], {
    inputs: [x],
    remote: [
      [x, PEER],
      [x, OTHER_PEER],
    ],
  })
  assert.equal(worker.takeInstruction('fetch').holder, PEER)
  worker.send({ type: 'values-missing', holder: PEER, tasks: [x] })
  worker.endTurn()
  assert.equal(worker.takeInstruction('fetch').holder, OTHER_PEER)
  worker.send({ type: 'values-missing', holder: OTHER_PEER, tasks: [x] })
  assert.equal(worker.takeMessage('inputs-missing').holder, OTHER_PEER)
  worker.expectSilence()
})

test('a task goes back when nobody knows the address of its holder', () => {
  const worker = new WorkerHarness()
  const stranger = workerId(99)
  worker.run([task(0)], { inputs: [x], remote: [[x, stranger]] })
  const message = worker.takeMessage('inputs-missing')
  assert.deepEqual(message, { type: 'inputs-missing', task: task(0), attempt: 1, inputs: [x], holder: stranger })
  worker.expectSilence()
})

test('a worker says that it does not hold what the scheduler believes it holds', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)], { inputs: [x] })
  const message = worker.takeMessage('inputs-missing')
  assert.deepEqual(message, { type: 'inputs-missing', task: task(0), attempt: 1, inputs: [x], holder: OURSELVES })
  worker.expectSilence()
})

test('a task goes back when an input is freed before it starts', () => {
  const worker = new WorkerHarness()
  worker.hold(x)
  worker.run([task(0)])
  worker.takeBatch()
  worker.run([task(1)], { inputs: [x] })
  worker.tell({ type: 'free-tasks', tasks: [x] })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('drop').tasks, [x])

  worker.finish(0)
  assert.deepEqual(worker.takeMessage('inputs-missing').inputs, [x])
  worker.takeMessage('tasks-finished')
  worker.expectSilence()
})

test('a value that comes too late is dropped, and not reported', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)], { inputs: [x], remote: [[x, PEER]] })
  worker.takeInstruction('fetch')
  worker.tell({ type: 'free-tasks', tasks: [task(0)] })
  worker.send({ type: 'values-fetched', holder: PEER, tasks: [x], sizes: [8] })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('drop').tasks, [x])
  assert.equal(worker.state.fetches.size, 0)
  worker.expectSilence()
})

test('a task may join a fetch whose first waiter was let go', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)], { inputs: [x], remote: [[x, PEER]] })
  worker.takeInstruction('fetch')
  worker.tell({ type: 'free-tasks', tasks: [task(0)] })
  worker.run([task(1)], { inputs: [x], remote: [[x, PEER]] })
  worker.send({ type: 'values-fetched', holder: PEER, tasks: [x], sizes: [8] })
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [task(1)])
  worker.takeMessage('copies-held')
  worker.expectSilence()
})

test('a copy that is freed in the turn that brought it is dropped and not reported', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)], { inputs: [x], remote: [[x, PEER]] })
  worker.takeInstruction('fetch')
  worker.send({ type: 'values-fetched', holder: PEER, tasks: [x], sizes: [8] })
  worker.tell({ type: 'free-tasks', tasks: [task(0), x] })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('drop').tasks, [x])
  worker.expectSilence()
})

test('a value made here ends the wait for it elsewhere', () => {
  const worker = new WorkerHarness(2)
  worker.run([task(0)], { inputs: [x], remote: [[x, PEER]] })
  worker.takeInstruction('fetch')
  worker.run([x], { attempt: 2 })
  worker.takeBatch()
  worker.finish(0)
  assert.deepEqual(worker.takeBatch().tasks, [task(0)])
  worker.takeMessage('tasks-finished')

  // The peer's answer adds nothing.
  worker.send({ type: 'values-fetched', holder: PEER, tasks: [x], sizes: [8] })
  worker.endTurn()
  worker.expectSilence()
})

test('values that come with their task are held without a word', () => {
  const worker = new WorkerHarness()
  const values = pack([1, 2], [3])
  worker.tell({ type: 'give-values', tasks: [x, y], values })
  worker.run([task(0)], { inputs: [x, y] })
  assert.deepEqual(worker.takeInstruction('store-values'), { type: 'store-values', tasks: [x, y], values })
  assert.deepEqual(worker.takeInstruction('run-batch').tasks[0]?.inputs, [x, y])
  worker.expectSilence()
  worker.finish(0)
  worker.takeMessage('tasks-finished')
  worker.tell({ type: 'free-tasks', tasks: [x, y, task(0)] })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('drop').tasks, [x, y, task(0)])
})

test('a value that is given while it is being fetched starts who waits for it, and its copy is not reported', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)], { inputs: [x], remote: [[x, PEER]] })
  worker.takeInstruction('fetch')
  worker.tell({ type: 'give-values', tasks: [x], values: pack([1]) })
  worker.endTurn()
  worker.takeInstruction('store-values')
  worker.takeInstruction('run-batch')
  worker.send({ type: 'values-fetched', holder: PEER, tasks: [x], sizes: [1] })
  worker.endTurn()
  worker.expectSilence()
})

test('a value that is freed in the turn in which it was given is dropped after it was stored', () => {
  const worker = new WorkerHarness()
  worker.tell({ type: 'give-values', tasks: [x], values: pack([1]) })
  worker.tell({ type: 'free-tasks', tasks: [x] })
  worker.endTurn()
  worker.takeInstruction('store-values')
  assert.deepEqual(worker.takeInstruction('drop').tasks, [x])
  worker.expectSilence()
})

test('a scheduler that gives other values than it names is hung up on', () => {
  const worker = new WorkerHarness()
  worker.tell({ type: 'give-values', tasks: [x, y], values: pack([1]) })
  assert.match(worker.takeInstruction('hang-up').reason, /give-values/)
})

function pack(...values: number[][]): Packed {
  const packer = new Packer()
  for (const value of values) packer.add(Uint8Array.from(value))
  return packer.take()
}

test('an input that failed is not fetched, and goes to the thread with the tasks that it is for', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)], { inputs: [x, y], remote: [[y, PEER]], failed: [x] })
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [y])
  worker.send({ type: 'values-fetched', holder: PEER, tasks: [y], sizes: [8] })
  worker.endTurn()
  const [first] = worker.takeInstruction('run-batch').tasks
  assert.deepEqual([first?.inputs, first?.failures], [[x, y], new Map([[x, INPUT_FAILURE]])])
  worker.takeMessage('copies-held')
  // By then it was retried, and has a value.
  worker.run([task(1)], { inputs: [x], remote: [[x, PEER]] })
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [x])
})
