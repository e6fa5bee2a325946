/** What a worker does whose memory stays full. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { MAX_INLINE_RESULT_BYTES, MAX_PAUSE_MS } from '../../protocol/limits.js'
import { processBytesAt } from '../../worker/core/memory.js'
import { task, WorkerHarness } from '../support/worker-harness.js'

const LARGE = MAX_INLINE_RESULT_BYTES + 1
const MIB = 2 ** 20
const GIB = 2 ** 30

/** A worker of two threads that is full of one value, runs one task, and has another waiting. */
function fullWorker(options: { maxPauseMs?: number } = {}): WorkerHarness {
  const worker = new WorkerHarness(2, { memoryLimitBytes: LARGE, diskLimitBytes: 0, ...options })
  worker.run([task(0)])
  worker.takeBatch()
  worker.finish(0, 1, { sizeBytes: LARGE })
  worker.takeMessage('tasks-finished')
  worker.takeInstruction('tell-disk-full')
  worker.run([task(1), task(2)])
  assert.deepEqual(worker.takeBatch().tasks, [task(1)])
  worker.expectSilence()
  return worker
}

/** A heartbeat, and what it says of a pause. */
function pulse(worker: WorkerHarness, memoryBytes: number): string {
  worker.nowMs += 1_000
  worker.send({ type: 'pulse', memoryBytes, cpuSeconds: 1 })
  return worker.takeMessage('pulse').pausedBy
}

/** The same, when threads are made to collect first. */
function collectingPulse(worker: WorkerHarness, memoryBytes: number): string {
  worker.nowMs += 1_000
  worker.send({ type: 'pulse', memoryBytes, cpuSeconds: 1 })
  worker.takeInstruction('collect')
  return worker.takeMessage('pulse').pausedBy
}

/** A worker of two threads that is paused for what its process takes, and runs one of two tasks. */
function leakyWorker(): WorkerHarness {
  const worker = new WorkerHarness(2, { memoryLimitBytes: 4 * GIB })
  collectingPulse(worker, 3.5 * GIB)
  assert.equal(pulse(worker, 3.5 * GIB), 'process')
  worker.run([task(1), task(2)])
  assert.deepEqual(worker.takeBatch().tasks, [task(1)])
  worker.expectSilence()
  return worker
}

test('what a process takes beside values pauses its worker only once garbage has been collected', () => {
  const worker = new WorkerHarness(2, { memoryLimitBytes: 4 * GIB })
  assert.equal(pulse(worker, 3 * GIB), '')
  assert.equal(collectingPulse(worker, 3.5 * GIB), '')
  assert.equal(pulse(worker, 3 * GIB), '')
  assert.equal(collectingPulse(worker, 3.5 * GIB), '')
  assert.equal(pulse(worker, 3.5 * GIB), 'process')
  worker.run([task(1), task(2)])
  assert.deepEqual(worker.takeBatch().tasks, [task(1)])
  worker.expectSilence()
  assert.equal(pulse(worker, 1 * GIB), '')
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [task(2)])
})

test('while memory stays full, garbage is collected now and then, and when there may be more of it', () => {
  const worker = leakyWorker()
  for (let i = 0; i < 8; i++) assert.equal(pulse(worker, 3.5 * GIB), 'process')
  assert.equal(collectingPulse(worker, 3.5 * GIB), 'process')
  assert.equal(pulse(worker, 3.5 * GIB), 'process')
  assert.equal(collectingPulse(worker, 4 * GIB), 'process')
  assert.equal(pulse(worker, 4 * GIB), 'process')
  worker.expectSilence()
})

test('a worker that stays paused gives back what it has not started, and goes if its memory is full with nothing running', () => {
  const worker = leakyWorker()
  assert.equal(worker.deadlineMs, worker.nowMs + MAX_PAUSE_MS)
  worker.wakeUp()
  worker.takeInstruction('take-back')
  assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [task(2)])
  collectingPulse(worker, 3.5 * GIB)
  pulse(worker, 3.5 * GIB)
  worker.finish(0)
  worker.takeMessage('tasks-finished')
  worker.run([task(3)])
  worker.expectSilence()
  collectingPulse(worker, 3.5 * GIB)
  worker.nowMs += 1_000
  worker.send({ type: 'pulse', memoryBytes: 3.5 * GIB, cpuSeconds: 1 })
  worker.takeMessage('leaving')
  worker.takeMessage('pulse')
  worker.endTurn()
  assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [task(3)])
  worker.tell({ type: 'farewell' })
  assert.match(worker.takeInstruction('close').reason!, /full of what tasks left behind/)
})

test('it goes on when memory was that of the task that ran', () => {
  const worker = leakyWorker()
  worker.wakeUp()
  worker.takeInstruction('take-back')
  worker.takeMessage('tasks-returned')
  worker.finish(0)
  worker.takeMessage('tasks-finished')
  worker.run([task(3), task(4)])
  worker.expectSilence()
  collectingPulse(worker, 3.5 * GIB)
  assert.equal(pulse(worker, 1 * GIB), '')
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [task(3)])
  assert.deepEqual(worker.takeBatch().tasks, [task(4)])
  assert.equal(worker.deadlineMs, undefined)
})

test('a worker that holds what a client brought stays, however full it is', () => {
  const worker = leakyWorker()
  worker.send({ type: 'value-put', task: task(7), sizeBytes: 8 })
  worker.endTurn()
  worker.takeMessage('copies-held')
  worker.wakeUp()
  worker.takeInstruction('take-back')
  worker.takeMessage('tasks-returned')
  worker.finish(0)
  worker.takeMessage('tasks-finished')
  worker.run([task(3), task(4)])
  collectingPulse(worker, 3.5 * GIB)
  assert.equal(pulse(worker, 3.5 * GIB), 'process')
  worker.endTurn()
  assert.deepEqual(worker.takeBatch().tasks, [task(3)])
  worker.expectSilence()
})

test('a worker that is full of values for long gives its work back, and keeps them', () => {
  const worker = fullWorker({ maxPauseMs: 100 })
  assert.equal(worker.deadlineMs, 100)
  worker.wakeUp()
  worker.takeInstruction('take-back')
  assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [task(2)])
  assert.equal(pulse(worker, 1), 'values')
  worker.finish(0)
  worker.takeMessage('tasks-finished')
  worker.run([task(3), task(4)])
  assert.deepEqual(worker.takeBatch().tasks, [task(3)])
  worker.expectSilence()
})

test('memory that is free again ends a pause, and one that has nothing to do may be full for as long as it likes', () => {
  const worker = fullWorker({ maxPauseMs: 100 })
  worker.nowMs = 50
  worker.tell({ type: 'free-tasks', tasks: [task(0)] })
  worker.endTurn()
  assert.equal(worker.state.pause.sinceMs, undefined)

  const idle = new WorkerHarness(2, { memoryLimitBytes: 4 * GIB })
  collectingPulse(idle, 3.5 * GIB)
  pulse(idle, 3.5 * GIB)
  idle.endTurn()
  assert.equal(idle.deadlineMs, undefined)
})

test('what the process itself takes counts up to a tenth of the limit', () => {
  assert.equal(processBytesAt(0.8, 4 * GIB, 2), 0.8 * 4 * GIB)
  assert.equal(processBytesAt(0.5, 1000 * MIB, 2), (500 + (128 + 2 * 64 - 100)) * MIB)
})
