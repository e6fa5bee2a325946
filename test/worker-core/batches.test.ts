/** Which thread is given which tasks, how many at once, and what the scheduler hears of them. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { entryOf } from '../../common/packed.js'
import { ARRAY_CAPACITY, templateId } from '../../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import { PLAIN, task, tasks, WorkerHarness } from '../support/worker-harness.js'

test('a task whose function was never timed is a batch of its own', () => {
  const worker = new WorkerHarness()
  worker.run(tasks(3))
  assert.deepEqual(worker.takeBatch(), { thread: 0, tasks: [task(0)] })
  worker.expectSilence()
})

test('a batch holds about ten milliseconds of work', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 1_000 })
  worker.run(tasks(20))
  assert.deepEqual(worker.takeBatch(), { thread: 0, tasks: tasks(10) })
  worker.expectSilence()
})

test('a thread has more than one long task at hand, so that it need not wait between them', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 8_000 })
  worker.run(tasks(5))
  assert.deepEqual(worker.takeBatch(), { thread: 0, tasks: tasks(3) })
  worker.expectSilence()
})

test('a task too long for that is a batch of its own', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 13_000 })
  worker.run(tasks(2))
  assert.deepEqual(worker.takeBatch(), { thread: 0, tasks: [task(0)] })
  worker.expectSilence()
})

test('no long task stands behind a short one, which would wait with it to be told of', () => {
  const worker = new WorkerHarness()
  const short = templateId(2)
  worker.define(short)
  worker.teach({ durationUs: 8_000 })
  worker.teach({ durationUs: 4_000 }, short)
  worker.queue([task(0)], { template: short })
  worker.run([task(1), task(2)])
  assert.deepEqual(worker.takeBatch(), { thread: 0, tasks: [task(0)] })
  worker.expectSilence()
})

test('long tasks that a thread has not started make way for one that is more urgent, and for no other', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 8_000 })
  worker.run(tasks(3))
  assert.deepEqual(worker.takeBatch().tasks, tasks(3))
  worker.run([task(10)])
  worker.expectSilence()

  worker.run([task(11)], { priority: 1 })
  assert.equal(worker.takeInstruction('take-back').thread, 0)
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  worker.end(0, [0], { durationUs: 8_000 })
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [task(11), task(1), task(2)])
  worker.takeMessage('tasks-finished')
  worker.expectSilence()
})

/** Two threads with two tasks of 8 ms each, and two more that wait. Thread 1 began its batch first. */
function twoLongBatches(): WorkerHarness {
  const worker = new WorkerHarness(2)
  worker.teach({ durationUs: 8_000 })
  worker.run([task(10), ...tasks(3)])
  worker.takeBatch()
  assert.deepEqual(worker.takeBatch(), { thread: 1, tasks: [task(1), task(2)] })
  worker.nowMs = 4
  worker.finish(0, 2, { durationUs: 8_000 })
  worker.takeMessage('tasks-finished')
  worker.run([11, 12, 13, 14].map(task))
  assert.deepEqual(worker.takeBatch(), { thread: 0, tasks: [task(11), task(12)] })
  worker.expectSilence()
  return worker
}

test('only so many threads make way as there are more urgent tasks, and first the one that began first', () => {
  const worker = twoLongBatches()
  worker.run([task(20)], { priority: 1 })
  assert.equal(worker.takeInstruction('take-back').thread, 1)
  worker.send({ type: 'batch-cut', thread: 1, firstUnstarted: 1 })
  worker.endTurn()
  worker.expectSilence()
  worker.run([task(21)], { priority: 1 })
  assert.equal(worker.takeInstruction('take-back').thread, 0)
  worker.expectSilence()
})

test('another thread makes way when the first takes too long with what it runs', () => {
  const worker = twoLongBatches()
  worker.run([task(20)], { priority: 1 })
  assert.equal(worker.takeInstruction('take-back').thread, 1)
  worker.nowMs = 50
  worker.send({ type: 'batch-cut', thread: 1, firstUnstarted: 1 })
  worker.endTurn()
  assert.equal(worker.takeInstruction('take-back').thread, 0)
})

test('a batch of instant tasks is no larger than an array', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 0 })
  worker.queue(tasks(ARRAY_CAPACITY))
  worker.run(Array.from({ length: 500 }, (_, n) => task(5_000 + n)))
  assert.deepEqual(worker.takeBatch(), { thread: 0, tasks: tasks(ARRAY_CAPACITY) })
  worker.expectSilence()
})

test('threads share evenly what is ready', () => {
  const worker = new WorkerHarness(4)
  worker.teach({ durationUs: 1 })
  worker.run(tasks(10))
  const sizes = [0, 1, 2, 3].map((thread) => {
    const batch = worker.takeBatch()
    assert.equal(batch.thread, thread)
    return batch.tasks.length
  })
  assert.deepEqual(sizes, [3, 3, 3, 1])
  worker.expectSilence()
})

test('tasks with large values run one to a batch', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 1, sizeBytes: MAX_INLINE_RESULT_BYTES + 1 })
  worker.run(tasks(2))
  assert.deepEqual(worker.takeBatch().tasks, [task(0)])
  worker.expectSilence()
})

test('the more urgent task runs first, and the earlier one of two alike', () => {
  const worker = new WorkerHarness()
  worker.queue([task(0)], { priority: 1 })
  worker.queue([task(1), task(2)], { priority: 5 })
  worker.queue([task(3)], { priority: 1 })
  worker.endTurn()
  for (const next of [task(1), task(2), task(0), task(3)]) {
    assert.deepEqual(worker.takeBatch().tasks, [next])
    if (next !== task(1)) worker.takeMessage('tasks-finished')
    worker.finish(0, 1, { durationUs: 13_000 })
  }
  worker.takeMessage('tasks-finished')
  worker.expectSilence()
})

test('what ended in one turn is one message, with small values inline and times summed up by template', () => {
  const worker = new WorkerHarness(2)
  const other = templateId(2)
  worker.define(other)
  worker.queue([task(0)])
  worker.run([task(1)], { template: other, attempt: 3 })
  worker.takeBatch()
  worker.takeBatch()
  worker.end(0, [0], { durationUs: 10, sizeBytes: 3 })
  worker.end(1, [0], { durationUs: 20, sizeBytes: MAX_INLINE_RESULT_BYTES + 1 })
  worker.expectSilence()

  worker.endTurn()
  const message = worker.takeMessage('tasks-finished')
  assert.deepEqual(message.tasks, [task(0), task(1)])
  assert.deepEqual(message.attempts, [1, 3])
  assert.deepEqual(message.sizes, [3, MAX_INLINE_RESULT_BYTES + 1])
  assert.deepEqual([...entryOf(message.values, 0)], [0, 0, 0])
  assert.equal(entryOf(message.values, 1).length, 0)
  assert.deepEqual(message.timings, [
    { template: PLAIN, count: 1, totalUs: 10 },
    { template: other, count: 1, totalUs: 20 },
  ])
  worker.expectSilence()
})

test('attempts are left out when all are the first', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)])
  worker.takeBatch()
  worker.finish(0)
  assert.deepEqual(worker.takeMessage('tasks-finished').attempts, [])
  worker.expectSilence()
})

test('a task that throws fails with its error, and its neighbours do not', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 1 })
  worker.run(tasks(2))
  worker.takeBatch()
  worker.end(0, [0], { threw: true, sizeBytes: 5 })
  worker.end(0, [1])
  worker.endTurn()
  const error = new Uint8Array(5)
  assert.deepEqual(worker.takeMessage('task-failed'), {
    type: 'task-failed',
    task: task(0),
    attempt: 1,
    error,
    isFinal: false,
  })
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(1)])
  worker.expectSilence()
})

test('a batch that ended early gives its unstarted tasks back to the front', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 3_500 })
  worker.run(tasks(4))
  assert.deepEqual(worker.takeBatch().tasks, [task(0), task(1)])

  // When a large value ends the batch after its first task.
  worker.end(0, [0], { sizeBytes: MAX_INLINE_RESULT_BYTES + 1, durationUs: 3_500 })
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.endTurn()

  // Then the second task is still before the third.
  assert.deepEqual(worker.takeBatch().tasks, [task(1), task(2)])
  worker.takeMessage('tasks-finished')
  worker.expectSilence()
})

test('only the task that ran is blamed when its thread dies', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 1 })
  worker.run(tasks(3))
  worker.takeBatch()
  worker.end(0, [0])
  worker.send({
    type: 'thread-exited',
    thread: 0,
    culprit: 1,
    firstUnstarted: 2,
    exitCode: -1,
    reason: 'exit(-1)',
    isOutOfMemory: false,
  })
  const exited = worker.takeMessage('task-exited')
  assert.deepEqual(exited, {
    type: 'task-exited',
    task: task(1),
    attempt: 1,
    exitCode: 255,
    reason: 'exit(-1)',
    isOutOfMemory: false,
  })

  worker.endTurn()
  assert.deepEqual(worker.takeBatch(), { thread: 0, tasks: [task(2)] })
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(0)])
  worker.expectSilence()
})

test('a thread that dies right after an outcome blames nobody', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)])
  worker.takeBatch()
  worker.end(0, [0])
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
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(0)])
  worker.expectSilence()
})

test('a task that fills the heap is to blame if it was the first of its batch: else what others left may have done it', () => {
  const worker = new WorkerHarness()
  const full = { type: 'thread-exited', thread: 0, exitCode: 1, reason: 'it is full', isOutOfMemory: true } as const
  worker.teach({ durationUs: 1 })
  worker.run(tasks(3))
  worker.takeBatch()
  worker.end(0, [0])
  worker.send({ ...full, culprit: 1, firstUnstarted: 2 })
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [task(2)])
  worker.takeMessage('tasks-finished')
  const { tasks: returned, begun } = worker.takeMessage('tasks-returned')
  assert.deepEqual([returned, begun], [[task(1)], [0]])
  worker.send({ ...full, culprit: 0, firstUnstarted: 1 })
  const { task: blamed, isOutOfMemory } = worker.takeMessage('task-exited')
  assert.deepEqual([blamed, isOutOfMemory], [task(2), true])
})

test('a thread that dies idle is no news', () => {
  const worker = new WorkerHarness()
  worker.send({
    type: 'thread-exited',
    thread: 0,
    culprit: undefined,
    firstUnstarted: 0,
    exitCode: 0,
    reason: 'recycled',
    isOutOfMemory: false,
  })
  worker.endTurn()
  worker.expectSilence()
})

test('a task carries its key, its arguments and its inputs to the thread', () => {
  const worker = new WorkerHarness()
  worker.hold(task(9))
  worker.run([task(0)], { inputs: [task(9)], keys: [{ place: 0, key: 'mine' }] })
  const [first] = worker.takeInstruction('run-batch').tasks
  assert.ok(first !== undefined)
  assert.equal(first.key, 'mine')
  assert.deepEqual([...entryOf(first.args, first.place)], [0])
  assert.deepEqual(first.inputs, [task(9)])
  assert.equal(first.template.template, PLAIN)
  worker.expectSilence()
})

test('code is stored before the first task that needs it, and tasks of refused code fail, now and later', () => {
  const worker = new WorkerHarness()
  const define = {
    type: 'define-code',
    code: worker.state.templates.get(PLAIN)!.code,
    kind: 'function',
    source: new Uint8Array(1),
    sourceMap: undefined,
  } as const
  worker.tell(define)
  assert.deepEqual(worker.takeInstruction('store-code').define, define)

  // Given a task that a thread was handed, and one that is ready.
  worker.run(tasks(2))
  worker.takeBatch()
  const error = Uint8Array.of(13)
  worker.send({ type: 'code-refused', code: define.code, error })
  assert.deepEqual(worker.takeMessage('task-failed'), {
    type: 'task-failed',
    task: task(0),
    attempt: 1,
    error,
    isFinal: true,
  })
  assert.equal(worker.takeMessage('task-failed').task, task(1))

  // What the thread says of its own is of no interest any more, and later tasks fail at once.
  worker.end(0, [0], { threw: true })
  worker.run([task(2)])
  assert.equal(worker.takeMessage('task-failed').task, task(2))
  worker.expectSilence()
})

test('constants go to threads without the message that they came in', () => {
  for (const constants of [Uint8Array.of(1, 2, 3), new Uint8Array(0)]) {
    const worker = new WorkerHarness()
    const template = templateId(2)
    const { meanUs: _us, meanBytes: _bytes, ...plain } = worker.state.templates.get(PLAIN)!
    const message = new Uint8Array(64 * 1024)
    message.set(constants, 1_000)
    worker.tell({ ...plain, template, constants: message.subarray(1_000, 1_000 + constants.length) })
    worker.run([task(0)], { template })
    const [sent] = worker.takeInstruction('run-batch').tasks
    assert.deepEqual(sent!.template.constants, constants)
    assert.equal(sent!.template.constants.buffer.byteLength, constants.length)
  }
})
