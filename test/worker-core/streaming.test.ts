/** Streams on their worker: what they give is told, and they end when nobody reads them. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { attempt, templateId } from '../../protocol/ids.js'
import { task, tasks, WorkerHarness } from '../support/worker-harness.js'

const STREAM = templateId(3)
const FIRST = attempt(1)

function streaming(keepsState = false): WorkerHarness {
  const worker = new WorkerHarness()
  if (keepsState) {
    worker.send({ type: 'scheduler-lost' })
    worker.join(true)
    worker.takeMessage('attached')
  }
  worker.define(STREAM, 0, 0, false, 0, true)
  worker.run([task(0)], { template: STREAM })
  worker.takeBatch()
  return worker
}

function give(worker: WorkerHarness): void {
  worker.send({ type: 'stream-chunk', task: task(0), attempt: FIRST, index: 0, value: Uint8Array.of(1) })
}

test('a stream’s values are told at once, and it hears how many were taken', () => {
  const worker = streaming()
  give(worker)
  assert.deepEqual([...worker.takeMessage('stream-chunk').value], [1])
  worker.tell({ type: 'stream-taken', task: task(0), attempt: FIRST, taken: 1 })
  assert.equal(worker.takeInstruction('tell-taken').taken, 1)
  worker.tell({ type: 'stream-taken', task: task(0), attempt: attempt(2), taken: 9 })
  worker.expectSilence()
})

test('a stream that nobody wants is asked to stop, and tells nothing more', () => {
  const worker = streaming()
  worker.tell({ type: 'free-tasks', tasks: [task(0)] })
  worker.endTurn()
  worker.takeInstruction('take-back')
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  assert.equal(worker.takeInstruction('ask-to-stop').cause, 'dropped')
  give(worker)
  worker.tell({ type: 'stream-taken', task: task(0), attempt: FIRST, taken: 1 })
  worker.expectSilence()
})

test('a stream is not kept for the next scheduler, as other work is: its reader knows that it broke off', () => {
  const worker = streaming(true)
  worker.send({ type: 'scheduler-lost' })
  worker.endTurn()
  worker.takeInstruction('take-back')
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  assert.equal(worker.takeInstruction('ask-to-stop').cause, 'dropped')
  give(worker)
  worker.expectSilence()
})

test('one whose thread was ended for another task goes back as begun, and what is behind it begins there', () => {
  const worker = new WorkerHarness()
  worker.define(STREAM, 0, 0, false, 0, true)
  worker.teach({ durationUs: 10 }, STREAM)
  worker.run(tasks(2), { template: STREAM })
  assert.deepEqual(worker.takeBatch().tasks, tasks(2))
  give(worker)
  worker.takeMessage('stream-chunk')
  worker.send({
    type: 'thread-exited',
    thread: 0,
    culprit: undefined,
    firstUnstarted: 1,
    exitCode: 1,
    reason: 'terminated',
    isOutOfMemory: false,
  })
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [task(1)])
  const { tasks: returned, begun } = worker.takeMessage('tasks-returned')
  assert.deepEqual([returned, begun], [[task(0)], [0]])
  worker.expectSilence()
})
