/** The worker joins, loses its scheduler, leaves, and tells how it is. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { TaskId } from '../../protocol/ids.js'
import { createWorkerState } from '../../worker/core/state.js'
import { handleEvent } from '../../worker/core/machine.js'
import { PEER, PLAIN, task, tasks, WorkerHarness } from '../support/worker-harness.js'

const x = task(100)

test('a worker that lost its scheduler forgets everything, and what its threads run is asked to end', () => {
  const worker = new WorkerHarness()
  worker.hold(x)
  worker.teach({ durationUs: 1 })
  worker.run(tasks(2))
  worker.takeBatch()
  worker.run([task(5)], { inputs: [task(6)], remote: [[task(6), PEER]] })
  worker.takeInstruction('fetch')

  worker.send({ type: 'scheduler-lost' })
  worker.endTurn()
  assert.equal(worker.takeInstruction('take-back').thread, 0)
  assert.deepEqual(worker.takeInstruction('drop').tasks, [x])
  worker.expectSilence()

  // When it joins again, a new task waits for the thread, whose old outcome is dropped.
  worker.join()
  worker.run([task(50)])
  worker.expectSilence()
  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  assert.equal(worker.takeInstruction('ask-to-stop').cause, 'dropped')
  worker.finish(0)
  assert.deepEqual(worker.takeBatch().tasks, [task(50)])
  assert.deepEqual(worker.takeInstruction('drop').tasks, [task(0)])
  worker.expectSilence()
})

test('results of the turn in which the scheduler was lost are not reported', () => {
  const worker = new WorkerHarness()
  worker.run([task(0)])
  worker.takeBatch()
  worker.end(0, [0])
  worker.send({ type: 'scheduler-lost' })
  worker.endTurn()
  assert.deepEqual(worker.takeInstruction('drop').tasks, [task(0)])
  worker.expectSilence()
})

test('nothing is sent to a scheduler that is not there', () => {
  const state = createWorkerState({ threads: 1, ioTasks: 1, memoryLimitBytes: 2 ** 40, diskLimitBytes: 2 ** 40 })
  assert.deepEqual(handleEvent(state, { type: 'pulse', nowMs: 0, memoryBytes: 1, cpuSeconds: 1 }), [])
  const message = { type: 'free-tasks', tasks: [x] } as const
  assert.deepEqual(handleEvent(state, { type: 'scheduler-message', nowMs: 0, message }), [])
})

test('a worker that leaves gives back what has not started, ends what runs, and closes when told', () => {
  const worker = new WorkerHarness()
  worker.teach({ durationUs: 4_000 })
  worker.run(tasks(5))
  assert.deepEqual(worker.takeBatch().tasks, tasks(2))
  worker.send({ type: 'leave' })
  worker.takeMessage('leaving')
  worker.endTurn()
  worker.takeInstruction('take-back')
  assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [task(2), task(3), task(4)])

  worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 1 })
  worker.finish(0)
  assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [task(0)])
  assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [task(1)])
  worker.expectSilence()

  worker.tell({ type: 'farewell' })
  assert.equal(worker.takeInstruction('close').reason, undefined)
  worker.expectSilence()
})

test('a worker that leaves takes no new tasks', () => {
  const worker = new WorkerHarness()
  worker.send({ type: 'leave' })
  worker.takeMessage('leaving')
  worker.run([task(0)], { attempt: 2 })
  const message = worker.takeMessage('tasks-returned')
  assert.deepEqual(message, { type: 'tasks-returned', tasks: [task(0)], attempts: [2], begun: [] })
  worker.expectSilence()
})

test('a second wish to leave changes nothing', () => {
  const worker = new WorkerHarness()
  worker.send({ type: 'leave' })
  worker.takeMessage('leaving')
  worker.send({ type: 'leave' })
  worker.endTurn()
  worker.expectSilence()
})

test('a worker without a scheduler leaves at once', () => {
  const worker = new WorkerHarness()
  worker.send({ type: 'scheduler-lost' })
  worker.send({ type: 'leave' })
  assert.equal(worker.takeInstruction('close').reason, undefined)
  worker.endTurn()
  worker.expectSilence()
})

test('a leaving worker whose scheduler is gone closes', () => {
  const worker = new WorkerHarness()
  worker.send({ type: 'leave' })
  worker.takeMessage('leaving')
  worker.send({ type: 'scheduler-lost' })
  assert.equal(worker.takeInstruction('close').reason, undefined)
  worker.endTurn()
  worker.expectSilence()
})

test('a pulse tells what runs and for how long', () => {
  const worker = new WorkerHarness(2)
  worker.hold(x)
  worker.teach({ durationUs: 1 })
  worker.nowMs = 100
  worker.run(tasks(2))
  worker.takeBatch()
  worker.takeBatch()
  worker.run([task(2), task(3)])
  worker.nowMs = 150
  worker.finish(1)
  worker.takeBatch()
  worker.takeMessage('tasks-finished')

  worker.nowMs = 175.4
  worker.end(1, [0])
  worker.nowMs = 200.6
  worker.send({ type: 'pulse', memoryBytes: 1_000, cpuSeconds: 2.5 })
  assert.deepEqual(worker.takeMessage('pulse'), {
    type: 'pulse',
    memoryBytes: 1_000,
    cpuSeconds: 2.5,
    storedCount: 3,
    storedBytes: 12,
    spilledBytes: 0,
    pausedBy: '',
    isDiskFull: false,
    isHoldingBack: false,
    running: [task(0)],
    attempts: [],
    runningForMs: [101],
  })
  worker.endTurn()
  worker.takeMessage('tasks-finished')
  worker.expectSilence()
})

test('a malformed run-tasks ends the connection and changes nothing', () => {
  const good = {
    type: 'run-tasks',
    tasks: [x],
    attempts: [],
    runs: [PLAIN, 1] as number[],
    priority: 0,
    patienceUs: 0,
    args: { ends: [1], bytes: new Uint8Array(1) },
    inputCounts: [] as number[],
    inputs: [],
    remoteInputs: [],
    remoteHolders: [] as number[],
    remoteSizes: [],
    pendingInputs: [],
    pendingHolders: [],
    pendingAfter: [],
    keys: [],
    unstarted: [],
    failedInputs: [] as TaskId[],
    failedBy: [] as number[],
    failures: [],
  } as const
  const faults = [
    { ...good, runs: [77, 1] },
    { ...good, runs: [PLAIN, 2] },
    { ...good, runs: [PLAIN, 1, PLAIN] },
    { ...good, attempts: [1, 1] },
    { ...good, args: { ends: [], bytes: new Uint8Array(0) } },
    { ...good, inputCounts: [1] },
    { ...good, inputCounts: [0, 0] },
    { ...good, remoteHolders: [PEER] },
    { ...good, failedInputs: [x] },
    { ...good, failedInputs: [x], failedBy: [0] },
  ]
  for (const message of faults) {
    const worker = new WorkerHarness()
    worker.tell(message)
    assert.match(worker.takeInstruction('hang-up').reason, /^A message run-tasks is malformed: .+\.$/)
    assert.equal(worker.state.tasks.size, 0)
    worker.expectSilence()
  }
})
