/** Inputs that are still to be made: here, or by a peer; what peers await of us; and news that waits for more of its kind. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { TaskId, WorkerId } from '../../protocol/ids.js'
import { MAX_AWAITED_VALUES, MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import { OTHER_PEER, OURSELVES, PEER, task, tasks, WorkerHarness } from '../support/worker-harness.js'

const LARGE_BYTES = MAX_INLINE_RESULT_BYTES + 1
const [a, b, c] = [task(0), task(1), task(2)]
const x = task(100)
const y = task(101)

test('a task that waits for others of its worker begins when they end, without a word of the scheduler', () => {
  const worker = new WorkerHarness()
  worker.run([a])
  worker.run([b], { inputs: [a], pending: [[a, OURSELVES, 1]] })
  worker.run([c], {
    inputs: [b, a],
    pending: [
      [b, OURSELVES, 2],
      [a, OURSELVES, 1],
    ],
  })
  assert.deepEqual(worker.takeBatch().tasks, [a])
  worker.expectSilence()
  worker.finish(0)
  const [next, last] = worker.takeInstruction('run-batch').tasks
  assert.equal(next?.task, b)
  assert.deepEqual([last?.task, last?.inputs], [c, [b, a]])
  worker.finish(0, 2)
  worker.takeMessage('tasks-finished')
  assert.equal(worker.state.fetches.size, 0)
  worker.expectSilence()
})

test('a task goes back when what was to make its input here fails, is freed, or is taken back', () => {
  const worker = new WorkerHarness()
  worker.run([task(9)])
  worker.takeBatch()
  worker.run([a, b, c])
  for (const [n, input] of [a, b, c].entries()) {
    worker.run([task(10 + n)], { inputs: [input], pending: [[input, OURSELVES]], attempt: 4 })
  }
  worker.expectSilence()

  worker.tell({ type: 'free-tasks', tasks: [a] })
  worker.endTurn()
  const missing = { type: 'inputs-missing', attempt: 4, holder: OURSELVES }
  assert.deepEqual(worker.takeMessage('inputs-missing'), { ...missing, task: task(10), inputs: [a] })
  worker.expectSilence()

  worker.tell({ type: 'recall', tasks: [b] })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('inputs-missing'), { ...missing, task: task(11), inputs: [b] })
  assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [b])
  worker.expectSilence()

  worker.finish(0)
  assert.deepEqual(worker.takeBatch().tasks, [c, task(12)])
  worker.takeMessage('tasks-finished')
  worker.end(0, [0], { threw: true })
  assert.equal(worker.takeMessage('task-failed').task, c)
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('inputs-missing'), { ...missing, task: task(12), inputs: [c] })
  assert.equal(worker.state.tasks.size, 0)
  worker.expectSilence()
})

test('with a task goes back what waits for it here', () => {
  const worker = new WorkerHarness()
  worker.run([a], { inputs: [x], pending: [[x, PEER, 1]] })
  worker.takeInstruction('fetch')
  worker.run([b], { inputs: [a], pending: [[a, OURSELVES]] })
  worker.send({ type: 'values-missing', holder: PEER, tasks: [x] })
  assert.deepEqual(worker.takeMessage('inputs-missing'), {
    type: 'inputs-missing',
    task: a,
    attempt: 1,
    inputs: [x],
    holder: PEER,
  })
  worker.endTurn()
  const { task: waiter, holder } = worker.takeMessage('inputs-missing')
  assert.deepEqual([waiter, holder], [b, OURSELVES])
  worker.expectSilence()
})

test('a task that comes after its maker has ended runs at once, or goes back at once if there is no value', () => {
  const worker = new WorkerHarness()
  worker.hold(a)
  worker.run([b], { inputs: [a], pending: [[a, OURSELVES, 1]] })
  assert.deepEqual(worker.takeBatch().tasks, [b])
  worker.finish(0, 1, { threw: true })
  worker.takeMessage('task-failed')

  worker.run([c], { inputs: [b], pending: [[b, OURSELVES, 2]] })
  assert.deepEqual(worker.takeMessage('inputs-missing'), {
    type: 'inputs-missing',
    task: c,
    attempt: 1,
    inputs: [b],
    holder: OURSELVES,
  })
  worker.expectSilence()
})

test('nothing is kept of a wait for an own task once nobody waits any more', () => {
  const worker = new WorkerHarness()
  worker.run([a])
  worker.takeBatch()
  worker.run([b], { inputs: [a], pending: [[a, OURSELVES]] })
  worker.tell({ type: 'free-tasks', tasks: [b] })
  worker.endTurn()
  assert.equal(worker.state.fetches.size, 0)
  worker.finish(0)
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [a])
  worker.expectSilence()
})

test('what peers are to make is awaited: one question to each and turn, that names the most tasks it was sent', () => {
  const worker = new WorkerHarness()
  worker.queue([a], { inputs: [x], pending: [[x, PEER, 3]] })
  worker.queue([b], { inputs: [y], pending: [[y, PEER, 5]] })
  worker.run([c], {
    inputs: [task(102), task(103), task(104)],
    pending: [
      [task(102), OTHER_PEER, 2],
      [task(103), PEER, 4],
    ],
    remote: [[task(104), PEER]],
  })
  const peer = { type: 'fetch', holder: PEER, address: 'ws://peer' }
  assert.deepEqual(worker.takeInstruction('fetch'), { ...peer, tasks: [x, y, task(103)], after: 5 })
  assert.deepEqual(worker.takeInstruction('fetch'), {
    type: 'fetch',
    holder: OTHER_PEER,
    address: 'ws://other',
    tasks: [task(102)],
    after: 2,
  })
  // What is there already is asked for apart, as ever.
  assert.deepEqual(worker.takeInstruction('fetch'), { ...peer, tasks: [task(104)] })
  worker.expectSilence()

  worker.send({ type: 'values-fetched', holder: PEER, tasks: [x], sizes: [8] })
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [a])
  worker.expectSilence()
  worker.wakeUp()
  assert.deepEqual(worker.takeMessage('copies-held').tasks, [x])
  worker.expectSilence()
})

test('a peer that cannot be reached is not awaited by a relay: the task goes back', () => {
  const worker = new WorkerHarness()
  const missing = { type: 'inputs-missing', attempt: 1, holder: PEER }
  worker.run([a], { inputs: [x], pending: [[x, PEER, 1]] })
  assert.equal(worker.takeInstruction('fetch').after, 1)
  worker.send({ type: 'values-unreachable', holder: PEER, tasks: [x] })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('inputs-missing'), { ...missing, task: a, inputs: [x] })

  // Nor is it dialled again for the next.
  worker.run([b], { inputs: [y], pending: [[y, PEER, 2]] })
  assert.deepEqual(worker.takeMessage('inputs-missing'), { ...missing, task: b, inputs: [y] })
  assert.equal(worker.state.fetches.size, 0)
  worker.expectSilence()

  // A value that is there may be worth a relay.
  worker.run([c], { inputs: [x], remote: [[x, PEER]] })
  assert.deepEqual(worker.takeInstruction('fetch-by-relay').tasks, [x])
  worker.expectSilence()
})

test('a peer without an address is not awaited', () => {
  const worker = new WorkerHarness()
  worker.tell({ type: 'peers', workers: [PEER], addresses: [''] })
  worker.run([a], { inputs: [x], pending: [[x, PEER, 1]] })
  assert.equal(worker.takeMessage('inputs-missing').holder, PEER)
  worker.expectSilence()
})

test('an awaited value that turns out large is asked for as any other, when there is room for its size', () => {
  const worker = new WorkerHarness(1, { maxFetchBytes: 2 * LARGE_BYTES })
  worker.run([a], { inputs: [x], pending: [[x, PEER, 1]] })
  assert.equal(worker.takeInstruction('fetch').after, 1)
  // Nothing is counted for a value whose size nobody knows.
  worker.run([b], { inputs: [y], remote: [[y, OTHER_PEER]], remoteBytes: 2 * LARGE_BYTES })
  assert.equal(worker.takeInstruction('fetch').holder, OTHER_PEER)

  worker.send({ type: 'values-located', holder: PEER, tasks: [x], sizes: [LARGE_BYTES] })
  worker.endTurn()
  worker.expectSilence()
  worker.send({ type: 'values-fetched', holder: OTHER_PEER, tasks: [y], sizes: [2 * LARGE_BYTES] })
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [b])
  const fetch = { type: 'fetch', holder: PEER, address: 'ws://peer', tasks: [x] }
  assert.deepEqual(worker.takeInstruction('fetch'), fetch)
  assert.equal(worker.state.fetches.askedBytes, LARGE_BYTES)
  worker.takeMessage('copies-held')
  worker.expectSilence()
})

/** A peer awaits values of ours. */
function ask(
  worker: WorkerHarness,
  question: number,
  wanted: readonly TaskId[],
  { as = OURSELVES, after = 0 }: { readonly as?: WorkerId; readonly after?: number } = {},
): void {
  worker.send({ type: 'values-awaited', question, tasks: wanted, worker: as, after })
  worker.endTurn()
}

const answered = (question: number, settled: readonly TaskId[], isLast = true): object => ({
  type: 'answer-await',
  question,
  settled,
  located: [],
  sizes: [],
  isLast,
})

test('peers that await a value are answered at once if it is here, else when its task ends', () => {
  const worker = new WorkerHarness(2)
  worker.hold(x)
  worker.run([a, b])
  worker.takeBatch()
  worker.takeBatch()
  ask(worker, 1, [a, x, b, a])
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(1, [x], false))
  worker.expectSilence()
  ask(worker, 2, [b])
  worker.expectSilence()
  ask(worker, 3, [x], { after: 100 })
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(3, [x]))
  worker.expectSilence()

  worker.finish(1)
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(1, [b], false))
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(2, [b]))
  worker.takeMessage('tasks-finished')
  worker.finish(0, 1, { threw: true })
  worker.takeMessage('task-failed')
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(1, [a]))
  assert.equal(worker.state.awaits.count, 0)
  worker.expectSilence()
})

test('of large values that are awaited, peers are told where they are and how large', () => {
  const worker = new WorkerHarness()
  worker.run([a])
  worker.takeBatch()
  ask(worker, 1, [a])
  worker.finish(0, 1, { sizeBytes: LARGE_BYTES })
  const located = { settled: [], located: [a], sizes: [LARGE_BYTES], isLast: true }
  assert.deepEqual(worker.takeInstruction('answer-await'), { type: 'answer-await', question: 1, ...located })
  worker.takeMessage('tasks-finished')
  worker.hold(b)
  ask(worker, 2, [a, b])
  assert.deepEqual(worker.takeInstruction('answer-await'), {
    type: 'answer-await',
    question: 2,
    ...located,
    settled: [b],
  })
  worker.expectSilence()
})

test('a question is open while its makers may be on their way to us, and answered when they are not among them', () => {
  const worker = new WorkerHarness()
  ask(worker, 1, [a], { after: 2 })
  ask(worker, 2, [x], { after: 3 })
  worker.expectSilence()
  worker.run([a, b])
  worker.takeBatch()
  worker.expectSilence()
  worker.finish(0)
  worker.takeBatch()
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(1, [a]))
  worker.takeMessage('tasks-finished')

  worker.run([c])
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(2, [x]))
  worker.expectSilence()
  ask(worker, 3, [x], { after: 3 })
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(3, [x]))
  worker.expectSilence()
})

test('a task that goes back as its inputs are asked for takes along who waits for it here, and peers hear of it, in that turn', () => {
  const worker = new WorkerHarness()
  worker.run([a], { inputs: [x], pending: [[x, PEER, 1]] })
  worker.takeInstruction('fetch')
  ask(worker, 1, [a])
  worker.expectSilence()
  worker.queue([b], { inputs: [a], pending: [[a, OURSELVES]] })
  worker.send({ type: 'values-unreachable', holder: PEER, tasks: [x] })
  worker.endTurn()
  const back = [worker.takeMessage('inputs-missing'), worker.takeMessage('inputs-missing')]
  assert.deepEqual(
    back.map(({ task: id, inputs }) => [id, inputs]),
    [
      [a, [x]],
      [b, [a]],
    ],
  )
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(1, [a]))
  worker.expectSilence()
})

test('a question to the worker that we were before is answered at once, and so is one without a scheduler', () => {
  const worker = new WorkerHarness()
  ask(worker, 1, [x], { as: PEER, after: 100 })
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(1, [x]))
  ask(worker, 2, [x], { after: 1 })
  worker.expectSilence()
  worker.send({ type: 'scheduler-lost' })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(2, [x]))
  worker.expectSilence()
})

test('tasks are counted anew for each scheduler', () => {
  const worker = new WorkerHarness()
  worker.hold(a)
  worker.send({ type: 'scheduler-lost' })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('drop').tasks, [a])
  worker.join()
  ask(worker, 1, [x], { after: 1 })
  worker.expectSilence()
  worker.run([b])
  worker.takeBatch()
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(1, [x]))
  worker.expectSilence()
})

test('more values than may be awaited are answered for as they are', () => {
  const worker = new WorkerHarness()
  const most = tasks(MAX_AWAITED_VALUES)
  ask(worker, 1, most, { after: 1 })
  worker.expectSilence()
  worker.send({ type: 'await-ended', question: 1 })
  ask(worker, 2, [...most, task(MAX_AWAITED_VALUES)], { after: 1 })
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(2, [...most, task(MAX_AWAITED_VALUES)]))
  assert.equal(worker.state.awaits.count, 0)
  worker.expectSilence()
})

test('nobody is answered who has gone away', () => {
  const worker = new WorkerHarness()
  worker.run([a])
  worker.takeBatch()
  ask(worker, 1, [a])
  ask(worker, 2, [a])
  worker.send({ type: 'await-ended', question: 1 })
  worker.send({ type: 'await-ended', question: 77 })
  assert.equal(worker.state.awaits.count, 1)
  worker.finish(0)
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(2, [a]))
  worker.takeMessage('tasks-finished')
  worker.expectSilence()
})

/** A worker with one thread, to which so many inputs are on their way. */
function workerThatAwaits(count: number): WorkerHarness {
  const worker = new WorkerHarness()
  const inputs = tasks(count).map((_, n) => task(200 + n))
  worker.run([task(300)], { inputs, pending: inputs.map((input) => [input, PEER, 1]) })
  assert.equal(worker.takeInstruction('fetch').tasks.length, count)
  return worker
}

test('that a task has ended which another here waited for is told with the next news', () => {
  const worker = workerThatAwaits(4)
  worker.run([a])
  worker.takeBatch()
  worker.run([b], { inputs: [a], pending: [[a, OURSELVES]] })
  worker.finish(0)
  assert.deepEqual(worker.takeBatch().tasks, [b])
  worker.expectSilence()
  worker.finish(0)
  // Nobody here waits for this one, so somebody else may.
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [a, b])
  assert.equal(worker.deadlineMs, undefined)
  worker.expectSilence()
})

test('that an awaited task has ended is told after a while, whoever awaits it', () => {
  const worker = workerThatAwaits(4)
  worker.run([a, b])
  worker.takeBatch()
  ask(worker, 1, [a, b])
  worker.nowMs = 10
  worker.finish(0)
  worker.takeBatch()
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(1, [a], false))
  worker.nowMs = 11
  worker.finish(0)
  assert.deepEqual(worker.takeInstruction('answer-await'), answered(1, [b]))
  worker.expectSilence()
  worker.wakeUp()
  assert.equal(worker.nowMs, 12)
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [a, b])
  worker.expectSilence()

  // The next one waits a while of its own.
  worker.nowMs = 20
  worker.run([c])
  worker.takeBatch()
  ask(worker, 2, [c])
  worker.finish(0)
  worker.takeInstruction('answer-await')
  worker.expectSilence()
  worker.wakeUp()
  assert.equal(worker.nowMs, 22)
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [c])
})

test('with few inputs on their way, everything is told at once', () => {
  const worker = workerThatAwaits(3)
  worker.run([a])
  worker.takeBatch()
  ask(worker, 1, [a])
  worker.finish(0)
  worker.takeInstruction('answer-await')
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [a])
  worker.expectSilence()
})

test('that a task has ended which nobody here waited for is told at once, many inputs or not', () => {
  const worker = workerThatAwaits(4)
  worker.run([a])
  worker.takeBatch()
  worker.finish(0)
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [a])
  worker.expectSilence()
})

test('a worker that is asked for what it has tells first what it kept to itself', () => {
  const worker = workerThatAwaits(4)
  worker.run([a])
  worker.takeBatch()
  ask(worker, 1, [a])
  worker.finish(0)
  worker.takeInstruction('answer-await')
  worker.tell({ type: 'ask-view' })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [a])
  assert.deepEqual(worker.takeMessage('view').tasks, [task(300)])
  worker.expectSilence()
})

test('what is to be made here is waited for, though a peer that was asked for it before is lost', () => {
  const worker = new WorkerHarness()
  worker.run([a], { inputs: [x], pending: [[x, PEER, 1]] })
  worker.takeInstruction('fetch')
  worker.tell({ type: 'free-tasks', tasks: [a] })
  worker.endTurn()
  worker.run([x], { attempt: 2 })
  worker.takeBatch()
  worker.run([b], { inputs: [x], pending: [[x, OURSELVES]] })
  worker.expectSilence()
  worker.send({ type: 'values-unreachable', holder: PEER, tasks: [x] })
  worker.endTurn()
  worker.expectSilence()
})

test('another holder of an awaited value is asked for it as any other', () => {
  const worker = new WorkerHarness()
  worker.run([a], { inputs: [x], pending: [[x, PEER, 100]] })
  worker.takeInstruction('fetch')
  worker.run([b], { inputs: [x], remote: [[x, OTHER_PEER]] })
  worker.send({ type: 'values-unreachable', holder: PEER, tasks: [x] })
  worker.endTurn()
  const fetch = { type: 'fetch', holder: OTHER_PEER, address: 'ws://other', tasks: [x] }
  assert.deepEqual(worker.takeInstruction('fetch'), fetch)
})
