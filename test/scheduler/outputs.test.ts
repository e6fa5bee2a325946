/** Tasks with several outputs: who waits, who is told, what is kept, and what is made again. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { TaskId } from '../../protocol/ids.js'
import { statusOf } from '../../scheduler/core/views/status.js'
import { SchedulerHarness, type TestClient, type TestWorker } from '../support/scheduler-harness.js'

const LARGE = { sizeBytes: 100_000 }

interface Cast {
  readonly scheduler: SchedulerHarness
  readonly client: TestClient
  readonly worker: TestWorker
  /** A function with three outputs, and one with a single result. */
  readonly split: number
  readonly plain: number
}

function start(): Cast {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  return { scheduler, client, worker, split: client.define('split', { outputs: 3 }), plain: client.define('plain') }
}

test('a task with outputs runs once, and its outputs are in memory where it ran', () => {
  const { scheduler, client, worker, split } = start()
  const { producer, outputs } = client.split(split, 3)
  assert.equal(worker.take('define-template').outputs, 3)
  assert.deepEqual(worker.takeTasks(), [producer])

  worker.finishOutputs([producer], 3, LARGE)

  assert.deepEqual(client.take('finished').tasks, outputs)
  assert.deepEqual(scheduler.tasks, { ...NO_TASKS, 'in-memory': 3, released: 1 })
  client.want(outputs[1]!)
  const { task, sizeBytes, holders } = client.take('located')
  assert.deepEqual([task, sizeBytes, holders], [outputs[1], LARGE.sizeBytes, [worker.join.address]])
})

test('totals count the tasks and not their outputs', () => {
  const { scheduler, client, worker, split, plain } = start()
  const good = client.split(split, 3)
  worker.finishOutputs([good.producer], 3)
  const bad = client.split(split, 3)
  worker.fail(bad.producer)
  const [x] = client.map(plain, 1)
  client.release(x!)
  client.split(split, 3, [x!])

  const { totals } = statusOf(scheduler.state)
  assert.deepEqual(totals, {
    submitted: 4,
    finished: 1,
    failed: 2,
    retried: 0,
    cancelled: 0,
    resultBytes: 6,
    movedBytes: 0,
    repaired: 0,
  })
  const { finished, failed } = statusOf(scheduler.state).functions.find(({ name }) => name === 'split')!
  assert.deepEqual([finished, failed], [1, 2])
})

test('small outputs come along, each under its own id', () => {
  const { client, worker, split } = start()
  const { producer, outputs } = client.split(split, 3)
  client.want(...outputs)

  worker.finishOutputs([producer], 3)

  assert.deepEqual(
    [...client.takeValues()],
    outputs.map((id) => [id, [7, id % 256]]),
  )
})

test('tasks wait for the outputs that they need, and go where these are', () => {
  const { scheduler, client, worker, split, plain } = start()
  const { producer, outputs } = client.split(split, 3)
  const [x] = client.submit(plain, [{ inputs: [outputs[0]!, outputs[2]!] }])
  scheduler.worker()
  assert.deepEqual(worker.takeTasks(), [producer])

  worker.finishOutputs([producer], 3, LARGE)

  const run = worker.take('run-tasks')
  assert.deepEqual([run.tasks, run.inputs, run.remoteInputs], [[x], [outputs[0], outputs[2]], []])
})

test('the inputs of a task with outputs are let go once it ran', () => {
  const { client, worker, split, plain } = start()
  const [x] = client.map(plain, 1)
  const { producer } = client.split(split, 3, [x!])
  client.release(x!)
  worker.finish([x!])
  assert.deepEqual(worker.unread.includes('free-tasks'), false)

  worker.finishOutputs([producer], 3)

  assert.deepEqual(worker.take('free-tasks').tasks, [x])
})

test('an output that was let go before the task ended is freed, the others stay', () => {
  const { scheduler, client, worker, split } = start()
  const { producer, outputs } = client.split(split, 3)
  client.release(outputs[1]!)

  worker.finishOutputs([producer], 3)

  assert.deepEqual(worker.take('free-tasks').tasks, [outputs[1]])
  client.release(outputs[0]!, outputs[2]!)
  assert.deepEqual(worker.take('free-tasks').tasks, [outputs[0], outputs[2]])
  scheduler.expectEmpty()
})

test('with the last of its outputs the work itself is dropped', () => {
  const { scheduler, client, worker, split } = start()
  const { producer, outputs } = client.split(split, 3)

  client.release(...outputs)

  assert.deepEqual(new Set(worker.take('free-tasks').tasks), new Set([producer, ...outputs]))
  scheduler.expectEmpty()
  // The report crossed with the order. It is told again, in case that the order came too late.
  worker.finishOutputs([producer], 3)
  assert.deepEqual(new Set(worker.take('free-tasks').tasks), new Set([producer, ...outputs]))
})

test('all outputs fail with their task, by its key, and what needs them too', () => {
  const { scheduler, client, worker, split, plain } = start()
  const { producer, outputs } = client.split(split, 3)
  const [x] = client.submit(plain, [{ inputs: [outputs[1]!] }])

  worker.fail(producer)

  const { tasks, culpritKey } = client.take('failed')
  assert.deepEqual(new Set(tasks), new Set([...outputs, x]))
  assert.match(culpritKey, /^split-/)
  client.release(...outputs, x!)
  scheduler.expectEmpty()
})

test('a task with outputs fails with its inputs, and so does one that comes after', () => {
  const { scheduler, client, worker, split, plain } = start()
  const [x] = client.map(plain, 1)
  const early = client.split(split, 3, [x!])
  worker.fail(x!)
  assert.deepEqual(new Set(client.take('failed').tasks), new Set([x, ...early.outputs]))

  const late = client.split(split, 3, [x!])

  assert.deepEqual(new Set(client.take('failed').tasks), new Set(late.outputs))
  client.release(x!, ...early.outputs, ...late.outputs)
  scheduler.expectEmpty()
})

test('a task with outputs fails when an input was released', () => {
  const { scheduler, client, split, plain } = start()
  const [x] = client.map(plain, 1)
  client.release(x!)

  const { outputs } = client.split(split, 3, [x!])

  const { tasks, code } = client.take('failed')
  assert.deepEqual([new Set(tasks), code], [new Set(outputs), 'ERR_HEDDLE_RELEASED'])
  client.release(...outputs)
  scheduler.expectEmpty()
})

test('a lost output is made again when it is needed, and the outputs held elsewhere stay there', () => {
  const { scheduler, client, worker: a, split, plain } = start()
  const { producer, outputs } = client.split(split, 3)
  a.finishOutputs([producer], 3, LARGE)
  const b = scheduler.worker()
  b.send({ type: 'copies-held', tasks: [outputs[0]!], sizes: [LARGE.sizeBytes] })
  const c = scheduler.worker()
  client.release(outputs[2]!)
  scheduler.skip()

  a.leave()

  const again = [b, c].find(({ unread }) => unread.includes('run-tasks'))!
  const run = again.take('run-tasks')
  assert.deepEqual([run.tasks, run.attempts], [[producer], [2]])
  again.finishOutputs([producer], 3, { ...LARGE, attempts: [2] })
  // Of the first output a copy is on b. Nobody wants the third.
  const freed = again === b ? [outputs[2]] : [outputs[0], outputs[2]]
  assert.deepEqual(again.take('free-tasks').tasks, freed)
  const [x] = client.submit(plain, [{ inputs: [outputs[0]!, outputs[1]!] }])
  const next = [b, c].flatMap((each) => each.takeTasks())
  assert.deepEqual(next, [x])
})

test('only the outputs that were being made again fail with their task', () => {
  const { scheduler, client, worker: a, split } = start()
  const { producer, outputs } = client.split(split, 3)
  a.finishOutputs([producer], 3, LARGE)
  const b = scheduler.worker()
  b.send({ type: 'copies-held', tasks: [outputs[0]!], sizes: [LARGE.sizeBytes] })
  a.leave()
  assert.deepEqual(b.takeTasks(), [producer])

  b.fail(producer, 2)

  assert.deepEqual(new Set(client.take('failed').tasks), new Set([outputs[1], outputs[2]]))
  client.want(outputs[0]!)
  assert.equal(client.take('located').task, outputs[0])
})

test('a copy that turns up makes the second run needless', () => {
  const { scheduler, client, worker: a, split } = start()
  const { producer, outputs } = client.split(split, 3)
  client.release(outputs[1]!, outputs[2]!)
  a.finishOutputs([producer], 3, LARGE)
  const b = scheduler.worker()
  a.leave()
  assert.deepEqual(b.takeTasks(), [producer])

  b.send({ type: 'copies-held', tasks: [outputs[0]!], sizes: [LARGE.sizeBytes] })

  assert.deepEqual(b.take('free-tasks').tasks, [producer, outputs[1], outputs[2]])
  client.want(outputs[0]!)
  assert.deepEqual(client.take('located').holders, [b.join.address])
})

test('a report of an older attempt changes nothing', () => {
  const { scheduler, client, worker, split } = start()
  const { producer, outputs } = client.split(split, 3)
  worker.send({ type: 'tasks-returned', tasks: [producer], attempts: [], begun: [] })
  scheduler.skip()

  worker.finishOutputs([producer], 3)

  scheduler.expectSilence()
  worker.finishOutputs([producer], 3, { attempts: [2] })
  assert.deepEqual(client.take('finished').tasks, outputs)
})

test('a client can’t name the task itself: it has no value', () => {
  const { client, split, plain } = start()
  const { producer } = client.split(split, 3)

  const [x] = client.submit(plain, [{ inputs: [producer] }])

  assert.deepEqual(client.take('failed').tasks, [x])
})

test('messages that leave out outputs, or give them inputs or keys, are refused', () => {
  const faults = [{ places: 3 }, { places: 4, inputs: true }, { places: 4, key: 'k' }]
  for (const { places, inputs, key } of faults) {
    const { scheduler, client, split, plain } = start()
    const [x] = client.map(plain, 1)
    const descriptions = Array.from({ length: places }, (_, place) =>
      place === 1 && inputs === true ? { inputs: [x!] } : place === 0 && key !== undefined ? { key } : {},
    )
    client.send(client.submission(split, descriptions).message)
    assert.equal(scheduler.takeClosing().type, 'close-client')
  }
})

test('a task with outputs that kills its workers fails with all of them', () => {
  const { scheduler, client, worker, split } = start()
  const { producer, outputs } = client.split(split, 3)
  let current = worker
  for (let death = 1; death <= 3; death++) {
    const next = scheduler.worker()
    current.send({ ...PULSE, running: [producer], runningForMs: [1] })
    current.leave()
    current = next
  }
  const { tasks, code } = client.take('failed')
  assert.deepEqual([new Set(tasks), code], [new Set(outputs), 'ERR_HEDDLE_WORKER_LOST'])
})

test('a worker whose report does not fit the task is cut off, and the task runs elsewhere', () => {
  const values = { bytes: new Uint8Array(0), ends: [0, 0, 0] }
  const none = { attempts: [], timings: [] }
  const reports = [
    (worker: TestWorker, task: TaskId) => worker.finishOutputs([task], 2),
    (worker: TestWorker, task: TaskId) => worker.finish([task]),
    (worker: TestWorker, task: TaskId) =>
      worker.send({ type: 'outputs-finished', tasks: [task], counts: [3], sizes: [1], values, ...none }),
    (worker: TestWorker, task: TaskId) =>
      worker.send({ type: 'tasks-finished', tasks: [task], sizes: [1, 2, 3], values, ...none }),
  ]
  for (const report of reports) {
    const { scheduler, client, worker, split } = start()
    const { producer, outputs } = client.split(split, 3)
    const other = scheduler.worker()
    assert.deepEqual(worker.takeTasks(), [producer])

    report(worker, producer)

    const closing = scheduler.takeClosing()
    assert.deepEqual([closing.type, closing.code], ['close-worker', 'ERR_HEDDLE_PROTOCOL'])
    assert.match(closing.reason, /worker "w1" makes no sense/)
    assert.deepEqual(other.takeTasks(), [producer])
    other.finishOutputs([producer], 3, { ...LARGE, attempts: [2] })
    assert.deepEqual(client.take('finished').tasks, outputs)
  }
})

const NO_TASKS = { waiting: 0, ready: 0, processing: 0, 'in-memory': 0, failed: 0, released: 0, delayed: 0 }
const PULSE = {
  type: 'pulse' as const,
  memoryBytes: 0,
  cpuSeconds: 0,
  storedCount: 0,
  storedBytes: 0,
  spilledBytes: 0,
  pausedBy: '' as const,
  isDiskFull: false,
  isHoldingBack: false,
  attempts: [],
}
