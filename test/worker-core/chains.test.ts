/** Tasks that go to a thread along with those that make their inputs. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { templateId, type TaskId } from '../../protocol/ids.js'
import { OURSELVES, PEER, task, tasks, WorkerHarness, type RunOptions } from '../support/worker-harness.js'

const [a, b, c, d] = [task(0), task(1), task(2), task(3)]
const x = task(900)

/** A worker that knows how long its tasks take. */
function taught({ threads = 1, durationUs = 100 } = {}): WorkerHarness {
  const worker = new WorkerHarness(threads)
  worker.teach({ durationUs })
  return worker
}

/** A task of these inputs, which tasks of this worker are to make. */
function behind(...inputs: TaskId[]): RunOptions {
  return { inputs, pending: inputs.map((input) => [input, OURSELVES]) }
}

test('a thread gets a whole chain of tasks, and is told which of them make inputs of others', () => {
  const worker = taught()
  worker.queue([a])
  worker.queue([b], behind(a))
  worker.queue([c], behind(b, a))
  worker.endTurn()
  const batch = worker.takeInstruction('run-batch')
  assert.deepEqual(
    batch.tasks.map((each) => each.task),
    [a, b, c],
  )
  assert.deepEqual([...batch.makers!].sort(), [a, b])
  assert.equal(batch.wanted, undefined)
  assert.equal(worker.state.fetches.size, 0)

  worker.finish(0, 3)
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [a, b, c])
  worker.expectSilence()
})

test('a task stays that waits for another one too', () => {
  const worker = taught()
  worker.queue([a])
  worker.queue([b], {
    inputs: [a, x],
    pending: [
      [a, OURSELVES],
      [x, PEER, 1],
    ],
  })
  worker.queue([c], behind(b))
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [a])
  worker.takeInstruction('fetch')
  worker.finish(0)
  worker.takeMessage('tasks-finished')

  worker.send({ type: 'values-fetched', holder: PEER, tasks: [x], sizes: [8] })
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [b, c])
})

test('a chain is no longer than a batch of short tasks', () => {
  const worker = taught({ durationUs: 4_000 })
  worker.queue([a])
  worker.queue([b], behind(a))
  worker.queue([c], behind(b))
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [a, b])
  worker.finish(0, 2, { durationUs: 4_000 })
  assert.deepEqual(worker.takeBatch().tasks, [c])
})

/** Queues a chain of `count` tasks, from `first` on, behind a task or by itself. */
function queueChain(worker: WorkerHarness, count: number, first = 0, head?: TaskId): TaskId[] {
  const ids = Array.from({ length: count }, (_, i) => task(first + i))
  ids.forEach((id, i) => {
    const input = ids[i - 1] ?? head
    worker.queue([id], input === undefined ? {} : behind(input))
  })
  return ids
}

test('a chain behind which there is next to nothing is told of where half of it is done, at once', () => {
  const worker = taught()
  const ids = queueChain(worker, 41)
  worker.endTurn()
  const batch = worker.takeInstruction('run-batch')
  assert.equal(batch.tasks.length, 41)
  assert.deepEqual(batch.wanted, [20])
  const places = Array.from({ length: 41 }, (_, place) => place)
  // What is told on the way waits, as ever.
  worker.end(0, places.slice(0, 10))
  worker.endTurn()
  worker.expectSilence()
  worker.end(0, places.slice(10, 21))
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, ids.slice(0, 21))
  worker.end(0, places.slice(21, 30))
  worker.endTurn()
  worker.expectSilence()
})

test('the middle of a chain is told of beside what peers await of it', () => {
  const worker = taught()
  worker.send({ type: 'values-awaited', question: 1, tasks: [task(30)], worker: OURSELVES, after: 41 })
  queueChain(worker, 41)
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('run-batch').wanted, [20, 30])
})

test('the middle of a chain is where half of its time has passed, and a millisecond is left', () => {
  const long = templateId(2)
  for (const { longUs, more, wanted } of [
    { longUs: 1_500, more: 12, wanted: [0] },
    { longUs: 1_500, more: 20, wanted: [3] },
    { longUs: 4_000, more: 8, wanted: undefined },
  ]) {
    const worker = taught()
    worker.define(long)
    worker.teach({ durationUs: longUs }, long)
    worker.queue([a], { template: long })
    worker.queue([b], behind(a))
    queueChain(worker, more, 10, b)
    worker.endTurn()
    const batch = worker.takeInstruction('run-batch')
    assert.equal(batch.tasks.length, more + 2)
    assert.deepEqual(batch.wanted, wanted, `${longUs} us and ${more + 1} times 100`)
  }
})

/** Tasks of 3 ms in all that wait for a value of a peer. */
function queueWork(worker: WorkerHarness): void {
  for (let i = 0; i < 30; i++) worker.queue([task(500 + i)], { inputs: [x], pending: [[x, PEER, 1]] })
}

test('news that waits is told when a chain begins that has next to nothing behind it', () => {
  const long = templateId(2)
  for (const isBusy of [true, false]) {
    const worker = taught()
    worker.define(long)
    worker.teach({ durationUs: 9_500 }, long)
    worker.queue([a], { template: long })
    const ids = queueChain(worker, 45, 10, a)
    if (isBusy) queueWork(worker)
    worker.endTurn()
    // What is behind the long one is too little to be told of before.
    const batch = worker.takeInstruction('run-batch')
    assert.deepEqual([batch.tasks.length, batch.wanted], [6, undefined])
    if (isBusy) worker.takeInstruction('fetch')
    worker.finish(0, 6)
    assert.deepEqual(worker.takeInstruction('run-batch').wanted, isBusy ? undefined : [19])
    if (!isBusy) assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [a, ...ids.slice(0, 5)])
    worker.expectSilence()
  }
})

test('a chain of which there is more is told of where 3 ms of it are left, whatever is behind it', () => {
  for (const isBusy of [true, false]) {
    const worker = taught()
    queueChain(worker, 140)
    if (isBusy) queueWork(worker)
    worker.endTurn()
    const batch = worker.takeInstruction('run-batch')
    assert.deepEqual([batch.tasks.length, batch.wanted], [100, [69]])
  }
})

test('a chain is not told of in its middle where more is left behind it, or of several threads', () => {
  const busy = taught()
  queueChain(busy, 41)
  queueWork(busy)
  busy.endTurn()
  assert.equal(busy.takeInstruction('run-batch').wanted, undefined)

  const two = taught({ threads: 2 })
  queueChain(two, 41)
  two.endTurn()
  assert.equal(two.takeInstruction('run-batch').wanted, undefined)
})

test('of what waits for a task, a thread among several takes its part, and rings for the others', () => {
  const worker = taught({ threads: 2, durationUs: 1_000 })
  worker.queue([a])
  for (const id of [b, c, d]) worker.queue([id], behind(a))
  worker.endTurn()
  const batch = worker.takeInstruction('run-batch')
  assert.deepEqual(
    batch.tasks.map((each) => each.task),
    [a, b, c],
  )
  assert.deepEqual(batch.wanted, [0])
  worker.end(0, [0])
  worker.endTurn()
  assert.deepEqual(worker.takeBatch(), { thread: 1, tasks: [d] })
})

test('behind a task that a peer awaits, the thread rings', () => {
  const worker = taught({ durationUs: 1_500 })
  worker.send({ type: 'values-awaited', question: 1, tasks: [a], worker: OURSELVES, after: 2 })
  worker.queue([a])
  worker.queue([b], behind(a))
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('run-batch').wanted, [0])
  worker.end(0, [0])
  worker.endTurn()
  assert.equal(worker.takeInstruction('answer-await').question, 1)
})

test('what is awaited is told of with what is awaited behind it, where that takes little, and with the last of the batch', () => {
  const worker = taught()
  worker.send({ type: 'values-awaited', question: 1, tasks: [a, b, d], worker: OURSELVES, after: 9 })
  worker.queue([a])
  worker.queue([b], behind(a))
  worker.queue([c], behind(b))
  worker.queue([d], behind(c))
  worker.queue([task(4)], behind(d))
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('run-batch').wanted, [1, 4])
})

test('what is awaited is told of a millisecond later at the latest, however much is awaited behind it', () => {
  const worker = taught({ durationUs: 400 })
  worker.send({ type: 'values-awaited', question: 1, tasks: tasks(8), worker: OURSELVES, after: 9 })
  worker.queue(tasks(8))
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('run-batch').wanted, [2, 5])
})

test('a batch hurries when a task comes that another thread could run behind one of it', () => {
  const worker = taught({ threads: 2 })
  worker.queue([a])
  worker.queue([b], behind(a))
  worker.endTurn()
  worker.takeBatch()
  worker.run([c], behind(a))
  assert.equal(worker.takeInstruction('hurry-batch').thread, 0)
  worker.end(0, [0])
  worker.endTurn()
  assert.deepEqual(worker.takeBatch(), { thread: 1, tasks: [c] })
})

test('a batch hurries, once, when a peer comes to await one of its tasks', () => {
  const worker = taught()
  worker.queue([a])
  worker.queue([b], behind(a))
  worker.endTurn()
  assert.equal(worker.takeInstruction('run-batch').wanted, undefined)
  worker.send({ type: 'values-awaited', question: 1, tasks: [b, a], worker: OURSELVES, after: 1 })
  worker.endTurn()
  assert.equal(worker.takeInstruction('hurry-batch').thread, 0)
  worker.expectSilence()
})

test('behind a maker that failed, tasks go back; what else was not started runs', () => {
  const worker = taught()
  worker.queue([a, b])
  worker.queue([c], behind(a))
  worker.queue([d], behind(b))
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [a, b, c, d])
  worker.end(0, [0], { threw: true })
  worker.end(0, [1])
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 2 })
  worker.endTurn()
  assert.equal(worker.takeMessage('task-failed').task, a)
  const { task: returned, inputs, holder } = worker.takeMessage('inputs-missing')
  assert.deepEqual([returned, inputs, holder], [c, [a], OURSELVES])
  assert.deepEqual(worker.takeBatch().tasks, [d])
})

test('what an idle thread takes back waits for its makers where they run', () => {
  const worker = taught({ threads: 2, durationUs: 1_000 })
  worker.queue([a])
  worker.queue([b], behind(a))
  worker.queue([c], behind(b))
  worker.endTurn()
  assert.deepEqual(worker.takeBatch(), { thread: 0, tasks: [a, b, c] })
  worker.wakeUp()
  assert.equal(worker.takeInstruction('take-back').thread, 0)
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
  worker.expectSilence()

  worker.finish(0)
  assert.deepEqual(worker.takeBatch().tasks, [b, c])
})

test('a task whose other input was freed meanwhile stays, and goes back', () => {
  const worker = taught()
  worker.hold(x)
  worker.queue([a])
  worker.queue([b], { inputs: [x, a], pending: [[a, OURSELVES]] })
  worker.tell({ type: 'free-tasks', tasks: [x] })
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [a])
  worker.takeInstruction('drop')
  worker.finish(0)
  const { task: returned, inputs } = worker.takeMessage('inputs-missing')
  assert.deepEqual([returned, inputs], [b, [x]])
})

test('a cancelled task of a chain is dropped when it ends, and so is what it made', () => {
  const worker = taught()
  worker.queue(tasks(1))
  worker.queue([b], behind(a))
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [a, b])
  worker.tell({ type: 'free-tasks', tasks: [a, b] })
  worker.endTurn()
  assert.equal(worker.state.tasks.size, 0)
  worker.takeInstruction('take-back')
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  worker.finish(0, 1)
  assert.equal(worker.state.held.count, 0)
})
