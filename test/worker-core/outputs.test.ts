/** Tasks with several outputs: what a worker holds of them, and what the scheduler hears. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { entryOf, Packer } from '../../common/packed.js'
import { outputOf, templateId } from '../../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import { task, WorkerHarness } from '../support/worker-harness.js'

const SPLIT = templateId(5)
const outputs = [0, 1, 2].map((output) => outputOf(task(0), output))

/** A worker whose thread runs `task(0)`, which has three outputs. */
function start(): WorkerHarness {
  const worker = new WorkerHarness()
  worker.define(SPLIT, 3)
  worker.run([task(0)], { template: SPLIT })
  worker.takeBatch()
  return worker
}

/** The task at place 0 gave outputs of these sizes. */
function end(worker: WorkerHarness, sizes: readonly number[]): void {
  const values = new Packer()
  for (const size of sizes) values.add(new Uint8Array(size > MAX_INLINE_RESULT_BYTES ? 0 : size).fill(1))
  const [places, durationsUs] = [sizes.map(() => 0), sizes.map(() => 50)]
  const outcomes = { places, threw: new Map<number, 'may-retry'>(), durationsUs, sizes, values: values.take() }
  worker.send({ type: 'tasks-ended', thread: 0, outcomes })
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
}

test('each output is held under its own id, and all are reported at once', () => {
  const worker = start()
  end(worker, [4, 5, 6])

  const { tasks, attempts, counts, sizes, values, timings } = worker.takeMessage('outputs-finished')
  assert.deepEqual(
    { tasks, attempts, counts, sizes },
    { tasks: [task(0)], attempts: [], counts: [3], sizes: [4, 5, 6] },
  )
  assert.deepEqual(
    values.ends.map((_, i) => entryOf(values, i).length),
    [4, 5, 6],
  )
  assert.deepEqual(timings, [{ template: SPLIT, count: 1, totalUs: 50 }])
  assert.deepEqual([...worker.state.held.tasks], outputs)
  worker.expectSilence()
})

test('outputs that are large together stay, all of them', () => {
  const worker = start()
  end(worker, [4, MAX_INLINE_RESULT_BYTES, 6])

  const { sizes, values } = worker.takeMessage('outputs-finished')
  assert.deepEqual([sizes, values.bytes.length, values.ends], [[4, MAX_INLINE_RESULT_BYTES, 6], 0, [0, 0, 0]])
})

test('a task that waits for an output goes on when it is there', () => {
  const worker = start()
  worker.run([task(9)], { inputs: [outputs[1]!], remote: [[outputs[1]!, worker.state.peers.keys().next().value!]] })
  worker.takeInstruction('fetch')

  end(worker, [4, 5, 6])

  assert.deepEqual(worker.takeBatch().tasks, [task(9)])
})

test('outputs that nobody wants any more are dropped, unless they are held from before', () => {
  const worker = start()
  end(worker, [4, 5, 6])
  worker.takeMessage('outputs-finished')
  worker.tell({ type: 'free-tasks', tasks: outputs.slice(1) })
  worker.run([task(0)], { template: SPLIT, attempt: 2 })
  worker.takeBatch()
  worker.takeInstruction('drop')
  worker.tell({ type: 'free-tasks', tasks: [task(0), ...outputs.slice(1)] })

  end(worker, [4, 5, 6])

  assert.deepEqual(worker.takeInstruction('drop').tasks, outputs.slice(1))
  worker.expectSilence()
  assert.deepEqual([...worker.state.held.tasks], [outputs[0]])
})

test('an error is reported of the task, and nothing is held', () => {
  const worker = start()
  worker.finish(0, 1, { threw: true })

  assert.equal(worker.takeMessage('task-failed').task, task(0))
  worker.expectSilence()
  assert.equal(worker.state.held.count, 0)
})

test('what was not told when the scheduler is lost is never told', () => {
  const worker = start()
  worker.send({
    type: 'tasks-ended',
    thread: 0,
    outcomes: {
      places: [0, 0, 0],
      threw: new Map(),
      durationsUs: [1, 1, 1],
      sizes: [1, 1, 1],
      values: { ends: [1, 2, 3], bytes: new Uint8Array(3) },
    },
  })
  worker.send({ type: 'scheduler-lost' })
  worker.endTurn()

  assert.deepEqual(worker.takeInstruction('drop').tasks, outputs)
  worker.expectSilence()
})
