/** What begins on a worker must fit into its memory, beside values and what runs. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { templateId } from '../../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import { task, WorkerHarness } from '../support/worker-harness.js'

const LARGE = MAX_INLINE_RESULT_BYTES + 1
const DECLARED = templateId(50)

test('tasks that declare memory begin while it fits, and the next when one has ended', () => {
  const worker = new WorkerHarness(3, { memoryLimitBytes: 10 * LARGE })
  worker.define(DECLARED, 0, 4 * LARGE)
  worker.run([task(1), task(2), task(3)], { template: DECLARED })

  assert.deepEqual([worker.takeBatch().tasks, worker.takeBatch().tasks], [[task(1)], [task(2)]])
  worker.expectSilence()
  worker.finish(0, 1)
  assert.deepEqual(worker.takeBatch().tasks, [task(3)])
})

test('values go to disk to make room for a task that declares memory', () => {
  const worker = new WorkerHarness(2, { memoryLimitBytes: 10 * LARGE })
  for (const id of [task(1), task(2), task(3)]) {
    worker.run([id])
    worker.takeBatch()
    worker.finish(0, 1, { sizeBytes: LARGE })
    worker.takeMessage('tasks-finished')
  }
  worker.define(DECLARED, 0, 4 * LARGE)
  worker.run([task(4), task(5)], { template: DECLARED })
  assert.deepEqual(worker.takeBatch().tasks, [task(4)])

  const { task: spilled, file } = worker.takeInstruction('spill')
  assert.equal(spilled, task(1))
  worker.send({ type: 'value-spilled', task: spilled, file })
  worker.endTurn()
  worker.takeInstruction('evict')
  assert.deepEqual(worker.takeBatch().tasks, [task(5)])
})

test('of a function whose values are large only as many run at once as memory has room for', () => {
  const worker = new WorkerHarness(4, { memoryLimitBytes: 10 * LARGE })
  worker.run([task(1)])
  worker.takeBatch()
  worker.finish(0, 1, { sizeBytes: 4 * LARGE })
  worker.takeMessage('tasks-finished')

  worker.run([task(2), task(3), task(4)])
  assert.deepEqual(worker.takeBatch().tasks, [task(2)])
  assert.equal(worker.takeInstruction('spill').task, task(1))
  worker.expectSilence()
})

test('a task that declares more than there is begins alone', () => {
  const worker = new WorkerHarness(2, { memoryLimitBytes: LARGE })
  worker.define(DECLARED, 0, 4 * LARGE)
  worker.run([task(1), task(2)], { template: DECLARED })
  assert.deepEqual(worker.takeBatch().tasks, [task(1)])
  worker.expectSilence()
})

test('a task whose needs are counted is reported when nobody wants it any more', () => {
  const worker = new WorkerHarness(1)
  worker.define(DECLARED, 0, 1)
  worker.run([task(1), task(2)], { template: DECLARED })
  worker.takeBatch()
  worker.run([task(3)], { template: DECLARED })

  worker.tell({ type: 'free-tasks', tasks: [task(1), task(3)] })
  worker.endTurn()
  worker.takeInstruction('take-back')
  assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [task(3)], 'it was not with a thread')
  worker.finish(0, 1)
  assert.deepEqual(worker.takeBatch().tasks, [task(2)])
  assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [task(1)], 'its thread is done with it')
})
