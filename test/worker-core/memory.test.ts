import assert from 'node:assert/strict'
import test from 'node:test'
import { templateId } from '../../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import { OURSELVES, PEER, task, WorkerHarness } from '../support/worker-harness.js'

const LARGE = MAX_INLINE_RESULT_BYTES + 1
const [a, b, c, d] = [task(1), task(2), task(3), task(4)]

/** Room for five large values: spills past three, down to two and a half; pauses past four. */
function smallWorker(options: { diskLimitBytes?: number } = {}): WorkerHarness {
  return new WorkerHarness(1, { memoryLimitBytes: 5 * LARGE, ...options })
}

function make(worker: WorkerHarness, ...ids: readonly ReturnType<typeof task>[]): void {
  for (const id of ids) {
    worker.run([id])
    worker.takeBatch()
    worker.finish(0, 1, { sizeBytes: LARGE })
    worker.takeMessage('tasks-finished')
  }
}

/** Makes four values, and has the first two spilled. */
function spillTwo(worker: WorkerHarness): void {
  make(worker, a, b, c, d)
  const spills = [worker.takeInstruction('spill'), worker.takeInstruction('spill')]
  assert.deepEqual(
    spills.map((spill) => spill.task),
    [a, b],
  )
  for (const { task: id, file } of spills) {
    worker.send({ type: 'value-spilled', task: id, file })
    assert.equal(worker.takeInstruction('evict').task, id)
  }
  worker.endTurn()
  worker.expectSilence()
}

test('past the high mark the values used least recently are spilled, until the low mark', () => {
  const worker = smallWorker()
  spillTwo(worker)
  assert.equal(worker.state.spills.diskBytes, 2 * LARGE)
})

test('small values are never spilled', () => {
  const worker = new WorkerHarness(1, { memoryLimitBytes: 10 })
  worker.hold(a)
  worker.hold(b)
  worker.expectSilence()
})

test('a task whose input was spilled waits for it to be loaded', () => {
  const worker = smallWorker()
  spillTwo(worker)
  worker.run([task(9)], { inputs: [a] })
  const { task: loaded, file } = worker.takeInstruction('load')
  assert.equal(loaded, a)
  worker.expectSilence()
  worker.send({ type: 'value-loaded', task: a, file, sizeBytes: LARGE })
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [task(9)])
  assert.deepEqual(worker.takeInstruction('discard-files').files, [{ task: a, file }])
  worker.expectSilence()
})

test('the value of an input that failed, as the task is told, is not in use', () => {
  const worker = smallWorker()
  spillTwo(worker)
  // It was cancelled when its value was on its way to disk, and word of that comes with the task.
  worker.run([task(9)], { inputs: [a], failed: [a] })
  assert.deepEqual(worker.takeBatch().tasks, [task(9)])
  worker.expectSilence()
})

test('a value that came to be used while it was written stays in memory', () => {
  const worker = smallWorker()
  make(worker, a, b, c, d)
  const { file } = worker.takeInstruction('spill')
  worker.run([task(9)], { inputs: [a] })
  worker.takeInstruction('spill')
  worker.takeBatch()
  worker.send({ type: 'value-spilled', task: a, file })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('discard-files').files, [{ task: a, file }])
})

test('a spill file that cannot be read is a lost copy, and the task that waits goes back', () => {
  const worker = smallWorker()
  spillTwo(worker)
  worker.run([task(9)], { inputs: [a] })
  const { file } = worker.takeInstruction('load')
  worker.send({ type: 'value-unreadable', task: a, file })
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('values-lost').tasks, [a])
  const back = worker.takeMessage('inputs-missing')
  assert.deepEqual([back.task, back.inputs, back.holder], [task(9), [a], OURSELVES])
  assert.deepEqual(worker.takeInstruction('drop').tasks, [a])
  assert.deepEqual(worker.takeInstruction('discard-files').files, [{ task: a, file }])
})

test('a dropped value takes its file along', () => {
  const worker = smallWorker()
  spillTwo(worker)
  worker.tell({ type: 'free-tasks', tasks: [a] })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('drop').tasks, [a])
  assert.equal(worker.takeInstruction('discard-files').files.length, 1)
  worker.expectSilence()
})

test('a full disk is told once, tasks run one at a time, and spilling is tried again later', () => {
  const worker = smallWorker()
  make(worker, a, b, c, d)
  const first = worker.takeInstruction('spill')
  const second = worker.takeInstruction('spill')
  worker.send({ type: 'spill-failed', task: a, file: first.file, reason: 'ENOSPC' })
  worker.send({ type: 'spill-failed', task: b, file: second.file, reason: 'ENOSPC' })
  assert.equal(worker.takeInstruction('tell-disk-full').reason, 'ENOSPC')
  worker.endTurn()
  worker.send({ type: 'pulse', memoryBytes: 1, cpuSeconds: 1 })
  const pulse = worker.takeMessage('pulse')
  assert.deepEqual([pulse.pausedBy, pulse.isDiskFull], ['', true])
  worker.nowMs += 60_000
  worker.endTurn()
  worker.takeInstruction('spill')
})

test('the disk limit holds, and room on disk is used again', () => {
  const worker = smallWorker({ diskLimitBytes: LARGE })
  make(worker, a, b, c, d)
  const { file } = worker.takeInstruction('spill')
  assert.match(worker.takeInstruction('tell-disk-full').reason, /limit of 65537 bytes/)
  worker.send({ type: 'value-spilled', task: a, file })
  worker.takeInstruction('evict')
  worker.endTurn()
  worker.nowMs += 60_000
  make(worker, task(5))
  worker.takeInstruction('tell-disk-full')
  worker.tell({ type: 'free-tasks', tasks: [a] })
  worker.endTurn()
  worker.takeInstruction('drop')
  worker.takeInstruction('discard-files')
  assert.equal(worker.takeInstruction('spill').task, b)
})

test('a paused worker runs one task at a time', () => {
  const worker = new WorkerHarness(2, { memoryLimitBytes: LARGE, diskLimitBytes: 0 })
  make(worker, a)
  worker.takeInstruction('tell-disk-full')
  worker.run([task(8), task(9)])
  assert.equal(worker.takeBatch().tasks.length, 1)
  worker.expectSilence()
  worker.finish(0)
  assert.equal(worker.takeBatch().tasks.length, 1)
  worker.takeMessage('tasks-finished')
  worker.expectSilence()
})

const x = [task(100), task(101), task(102), task(103)] as const

/** A task for each of these inputs of a large size, which a peer has. */
function runWithRemote(worker: WorkerHarness, inputs: readonly ReturnType<typeof task>[]): void {
  inputs.forEach((input, n) =>
    worker.queue([task(50 + n)], { inputs: [input], remote: [[input, PEER]], remoteBytes: LARGE }),
  )
  worker.endTurn()
}

function fetched(worker: WorkerHarness, ids: readonly ReturnType<typeof task>[]): void {
  worker.send({ type: 'values-fetched', holder: PEER, tasks: ids, sizes: ids.map(() => LARGE) })
}

test('no more inputs come from peers than memory has room for; values that wait make room for them', () => {
  const worker = new WorkerHarness(1, { memoryLimitBytes: 5 * LARGE + 100 })
  runWithRemote(worker, x)
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [x[0], x[1], x[2]])
  fetched(worker, [x[0], x[1], x[2]])
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [task(50)])
  worker.takeMessage('copies-held')
  worker.expectSilence()
  // The first is done with its input: that goes to disk, and the last one comes.
  worker.finish(0)
  assert.deepEqual(worker.takeBatch().tasks, [task(51), task(52)])
  worker.takeMessage('tasks-finished')
  const { task: spilled, file } = worker.takeInstruction('spill')
  assert.equal(spilled, x[0])
  worker.expectSilence()
  worker.send({ type: 'value-spilled', task: spilled, file })
  worker.takeInstruction('evict')
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [x[3]])
  worker.expectSilence()
})

test('an input for which there is no room comes when nothing else goes on', () => {
  const worker = new WorkerHarness(1, { memoryLimitBytes: LARGE, diskLimitBytes: 0 })
  runWithRemote(worker, [x[0], x[1]])
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [x[0]])
  worker.expectSilence()
  fetched(worker, [x[0]])
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [task(50)])
  worker.takeMessage('copies-held')
  worker.expectSilence()
  worker.finish(0)
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [x[1]])
})

test('small inputs come even when memory is full', () => {
  const worker = new WorkerHarness(2, { memoryLimitBytes: LARGE, diskLimitBytes: 0 })
  make(worker, a)
  worker.takeInstruction('tell-disk-full')
  worker.run([task(8)])
  worker.takeBatch()
  worker.run([task(9)], { inputs: [x[0]], remote: [[x[0], PEER]] })
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [x[0]])
})

test('nothing is loaded past the mark while a value is on its way from a peer', () => {
  const worker = smallWorker()
  spillTwo(worker)
  worker.queue([task(50)], { inputs: [x[0]], remote: [[x[0], PEER]], remoteBytes: LARGE, priority: 1 })
  worker.run([task(51)], { inputs: [a] })
  assert.deepEqual(worker.takeInstruction('fetch').tasks, [x[0]])
  assert.equal(worker.takeInstruction('spill').task, c)
  worker.expectSilence()
  fetched(worker, [x[0]])
  worker.endTurn()
  worker.takeBatch()
})

test('a task that nobody wants and that never ends keeps a paused worker from nothing', () => {
  const worker = new WorkerHarness(2, { memoryLimitBytes: LARGE, diskLimitBytes: 0 })
  worker.run([b])
  worker.takeBatch()
  worker.tell({ type: 'free-tasks', tasks: [b] })
  worker.run([a])
  worker.takeBatch()
  worker.takeInstruction('take-back')
  worker.finish(1, 1, { sizeBytes: LARGE })
  worker.takeMessage('tasks-finished')
  worker.takeInstruction('tell-disk-full')
  worker.run([task(9)])
  assert.deepEqual(worker.takeBatch(), { thread: 1, tasks: [task(9)] })
})

test('a value that is made again with another size is counted, and spilled, with that size', () => {
  const worker = smallWorker()
  make(worker, a, b)
  worker.run([a], { attempt: 2 })
  worker.takeBatch()
  worker.finish(0, 1, { sizeBytes: 3 * LARGE })
  worker.takeMessage('tasks-finished')
  assert.deepEqual([worker.takeInstruction('spill').task, worker.takeInstruction('spill').task], [b, a])
  assert.equal(worker.state.spills.spillingBytes, 4 * LARGE)
  worker.run([a], { attempt: 3 })
  worker.takeBatch()
  worker.finish(0, 1, { sizeBytes: 8 })
  assert.equal(worker.state.spills.find(a), undefined)
})

test('a value that is given to somebody is not the next to be spilled', () => {
  const worker = smallWorker()
  make(worker, a, b, c)
  worker.send({ type: 'value-served', task: a })
  make(worker, d)
  assert.deepEqual([worker.takeInstruction('spill').task, worker.takeInstruction('spill').task], [b, c])
})

/** A value of this size is made and let go. */
function makeAndLetGo(worker: WorkerHarness, sizeBytes: number): void {
  worker.run([a])
  worker.takeBatch()
  worker.finish(0, 1, { sizeBytes })
  worker.takeMessage('tasks-finished')
  worker.tell({ type: 'free-tasks', tasks: [a] })
  worker.endTurn()
  worker.takeInstruction('drop')
}

test('threads are made to collect when what was let go takes a fifth of memory, and not for less than is worth it', () => {
  const worker = new WorkerHarness(1, { memoryLimitBytes: 2 ** 29 })
  makeAndLetGo(worker, 2 ** 26)
  worker.expectSilence()
  makeAndLetGo(worker, 2 ** 26)
  worker.takeInstruction('collect')
  makeAndLetGo(worker, 2 ** 26)
  worker.expectSilence()
})

test('a worker with much memory does not let more than 128 MiB of garbage lie', () => {
  const worker = new WorkerHarness(1, { memoryLimitBytes: 2 ** 40 })
  makeAndLetGo(worker, 2 ** 27)
  worker.expectSilence()
  makeAndLetGo(worker, 2 ** 20)
  worker.takeInstruction('collect')
})

test('a value that went to disk is garbage in memory, and none when it is let go from there', () => {
  const worker = new WorkerHarness(1, { memoryLimitBytes: 10 * LARGE })
  const HUGE = 2 ** 25
  worker.run([a])
  worker.takeBatch()
  worker.finish(0, 1, { sizeBytes: HUGE })
  worker.takeMessage('tasks-finished')
  const { file } = worker.takeInstruction('spill')
  worker.send({ type: 'value-spilled', task: a, file })
  worker.takeInstruction('evict')
  assert.equal(worker.state.garbageBytes, HUGE)
  worker.tell({ type: 'free-tasks', tasks: [a] })
  worker.endTurn()
  worker.takeInstruction('drop')
  worker.takeInstruction('discard-files')
  assert.equal(worker.state.garbageBytes, HUGE)
  worker.expectSilence()
})

test('a paused worker starts nothing while values are on their way to disk', () => {
  const worker = smallWorker()
  make(worker, a, b, c, d)
  const spills = [worker.takeInstruction('spill'), worker.takeInstruction('spill')]
  worker.run([task(5), task(6)])
  worker.takeBatch()
  worker.finish(0, 1, { sizeBytes: LARGE })
  worker.takeMessage('tasks-finished')
  worker.takeInstruction('spill')
  worker.expectSilence()
  const { task: spilled, file } = spills[0]!
  worker.send({ type: 'value-spilled', task: spilled, file })
  worker.takeInstruction('evict')
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [task(6)])
})

test('what a large task took is free only when its thread has collected what it left', () => {
  const worker = new WorkerHarness(2, { memoryLimitBytes: 2 ** 30 })
  const [small, large] = [templateId(7), templateId(8)]
  worker.define(small, 0, 2 ** 20)
  worker.define(large, 0, 2 ** 29 + 1)
  worker.run([a], { template: small })
  assert.equal(worker.takeInstruction('run-batch').isLarge, false)
  worker.finish(0)
  worker.takeMessage('tasks-finished')
  worker.run([b], { template: large })
  assert.equal(worker.takeInstruction('run-batch').isLarge, true)
  worker.run([c], { template: large })
  worker.end(0, [0])
  worker.endTurn()
  worker.takeMessage('tasks-finished')
  worker.expectSilence()
  worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 1 })
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [c])
})
