/** What is added to a chain while its thread runs it. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { templateId, type TaskId } from '../../protocol/ids.js'
import type { WorkerConfig } from '../../worker/core/state.js'
import { OURSELVES, PEER, task, tasks, WorkerHarness, type RunOptions } from '../support/worker-harness.js'

/** The last task of a batch of `taught`, of a chain that goes on. */
const LAST = task(99)
const OTHER = templateId(2)
const x = task(900)

/** A worker of one thread that knows how long its tasks take. */
function taught(options: Partial<WorkerConfig> = {}, durationUs = 100): WorkerHarness {
  const worker = new WorkerHarness(options.threads, options)
  worker.teach({ durationUs })
  return worker
}

/** A task of these inputs, which tasks of this worker are to make. */
function behind(...inputs: TaskId[]): RunOptions {
  return { inputs, pending: inputs.map((input) => [input, OURSELVES]) }
}

const range = (first: number, end: number): number[] => Array.from({ length: end - first }, (_, i) => first + i)
const tasksFrom = (first: number, count: number): TaskId[] => range(first, first + count).map(task)

/** Queues a chain of `count` tasks, from `first` on, behind a task or by itself. */
function queueChain(worker: WorkerHarness, count: number, first = 0, head?: TaskId): void {
  const ids = tasksFrom(first, count)
  ids.forEach((id, i) => {
    const input = ids[i - 1] ?? head
    worker.queue([id], input === undefined ? {} : behind(input))
  })
}

/** Its thread runs a chain of a hundred, all that `taught` gives it at once. */
function running(options?: Partial<WorkerConfig>): WorkerHarness {
  const worker = taught(options)
  queueChain(worker, 100)
  worker.endTurn()
  assert.equal(worker.takeBatch().tasks.length, 100)
  worker.expectSilence()
  return worker
}

/** The same once the first `ended` of the tasks have ended. */
function nearlyDone(ended = 90, options?: Partial<WorkerConfig>): WorkerHarness {
  const worker = running(options)
  worker.nowMs += ended / 10
  worker.end(0, range(0, ended))
  worker.endTurn()
  if (ended >= 50) worker.takeMessage('tasks-finished')
  worker.expectSilence()
  return worker
}

interface Added {
  readonly tasks: readonly TaskId[]
  readonly makers: readonly TaskId[] | undefined
  readonly wanted: readonly number[] | undefined
}

function takeAdded(worker: WorkerHarness): Added {
  const { thread, tasks: added, makers, wanted } = worker.takeInstruction('extend-batch')
  assert.equal(thread, 0)
  return { tasks: added.map((each) => each.task), makers: makers && [...makers].sort((a, b) => a - b), wanted }
}

/** Nothing is added, though there is something that could be: it runs when the batch has ended. */
function expectNoGrowth(worker: WorkerHarness): void {
  worker.endTurn()
  worker.expectSilence()
}

suite('a chain that runs', () => {
  test('is added to when its thread rings, if there is more of it', () => {
    const worker = taught()
    queueChain(worker, 240)
    worker.endTurn()
    const batch = worker.takeInstruction('run-batch')
    assert.deepEqual([batch.tasks.length, batch.wanted, batch.mayGrow], [100, [69], true])
    worker.end(0, range(0, 70))
    worker.endTurn()
    // The thread has 3 ms left and is given 7; places count from the first task of the batch, and it is to ring 3 ms before their end.
    assert.deepEqual(takeAdded(worker), { tasks: tasksFrom(100, 70), makers: tasksFrom(99, 70), wanted: [139] })
    assert.deepEqual(worker.takeMessage('tasks-finished').tasks, tasks(70))
    worker.expectSilence()

    worker.nowMs += 7
    worker.end(0, range(70, 140))
    worker.endTurn()
    assert.deepEqual(takeAdded(worker).tasks, tasksFrom(170, 70))
    assert.deepEqual(worker.takeMessage('tasks-finished').tasks, tasksFrom(70, 70))
    worker.end(0, range(140, 240))
    worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 240 })
    worker.endTurn()
    assert.deepEqual(worker.takeMessage('tasks-finished').tasks, tasksFrom(140, 100))
    worker.expectSilence()
    assert.equal(worker.state.tasks.size, 0)
  })

  test('rings where half of it is done behind which there is no more', () => {
    const worker = nearlyDone()
    queueChain(worker, 30, 100, LAST)
    worker.endTurn()
    // 4 ms in all, half of which is behind place 109.
    assert.deepEqual(takeAdded(worker).wanted, [109])
    worker.nowMs += 2
    worker.end(0, range(90, 109))
    worker.endTurn()
    worker.expectSilence()
    worker.end(0, [109])
    worker.endTurn()
    assert.deepEqual(worker.takeMessage('tasks-finished').tasks, tasksFrom(90, 20))
  })

  test('rings among what was added, not before', () => {
    const worker = nearlyDone(50)
    queueChain(worker, 11, 100, LAST)
    worker.endTurn()
    // Half of the 6.1 ms is behind a place that the thread has not got in this part.
    assert.deepEqual(takeAdded(worker).wanted, [100])
  })

  test('is added to when tasks come while little is left, whatever they need', () => {
    const worker = nearlyDone()
    worker.queue(tasksFrom(200, 3))
    worker.queue([task(100)], behind(LAST))
    worker.queue([task(101)], behind(task(201)))
    worker.endTurn()
    assert.deepEqual(takeAdded(worker), {
      tasks: [...tasksFrom(200, 3), task(100), task(101)],
      makers: [LAST, task(201)],
      wanted: undefined,
    })
  })

  test('is added to by tasks that have no part in it', () => {
    const worker = nearlyDone()
    worker.run(tasksFrom(200, 3))
    assert.deepEqual(takeAdded(worker), { tasks: tasksFrom(200, 3), makers: undefined, wanted: undefined })
  })

  test('is added to by what is more urgent before what follows', () => {
    const worker = taught()
    queueChain(worker, 140)
    worker.endTurn()
    worker.takeBatch()
    worker.queue(tasksFrom(200, 3), { priority: 1 })
    worker.end(0, range(0, 70))
    worker.endTurn()
    assert.deepEqual(takeAdded(worker).tasks, [...tasksFrom(200, 3), ...tasksFrom(100, 40)])
  })

  test('is given no task that another input of it is missing for', () => {
    const worker = nearlyDone()
    worker.queue([task(100)], {
      inputs: [LAST, x],
      pending: [
        [LAST, OURSELVES],
        [x, PEER, 1],
      ],
    })
    worker.endTurn()
    worker.takeInstruction('fetch')
    worker.expectSilence()
  })

  test('is told of, with what peers await of what was added', () => {
    const worker = nearlyDone()
    worker.send({ type: 'values-awaited', question: 1, tasks: [task(120)], worker: OURSELVES, after: 30 })
    queueChain(worker, 60, 100, LAST)
    worker.endTurn()
    assert.deepEqual(takeAdded(worker).wanted, [120, 124])
  })

  test('is rung behind its last where a peer awaits that, or what may wait for it, for more may be added', () => {
    for (const { awaited, wanted } of [
      { awaited: [98], wanted: [49, 99] },
      { awaited: [99], wanted: [49, 99] },
      { awaited: [97], wanted: [49, 97] },
      { awaited: [92, 104], wanted: [49, 92] },
    ]) {
      const worker = taught()
      worker.send({ type: 'values-awaited', question: 1, tasks: awaited.map(task), worker: OURSELVES, after: 1_000 })
      queueChain(worker, 100)
      worker.endTurn()
      assert.deepEqual(worker.takeInstruction('run-batch').wanted, wanted, `${awaited.join()} is awaited`)
    }
  })

  test('is rung behind what was added where a peer awaits it, and not again behind what was there before', () => {
    const worker = taught()
    const awaited = [3, 99, 100, 104].map(task)
    worker.send({ type: 'values-awaited', question: 1, tasks: awaited, worker: OURSELVES, after: 1_000 })
    queueChain(worker, 100)
    worker.endTurn()
    assert.deepEqual(worker.takeInstruction('run-batch').wanted, [3, 49, 99])
    worker.end(0, range(0, 90))
    queueChain(worker, 1, 100, LAST)
    worker.endTurn()
    assert.deepEqual(takeAdded(worker).wanted, [100])
    worker.takeInstruction('answer-await')
    worker.takeMessage('tasks-finished')
    worker.nowMs += 1
    queueChain(worker, 10, 101, task(100))
    worker.endTurn()
    assert.deepEqual(takeAdded(worker).wanted, [101, 104])
  })

  test('is not added to before what is ready and does not fit, which is next', () => {
    for (const kind of ['never timed', 'long', 'of much memory']) {
      for (const priority of [0, 1]) {
        const worker = taught()
        worker.define(OTHER, 0, kind === 'of much memory' ? 1_000 : 0)
        if (kind !== 'never timed') worker.teach({ durationUs: kind === 'long' ? 8_000 : 100 }, OTHER)
        queueChain(worker, 240)
        worker.endTurn()
        worker.takeBatch()
        worker.queue([task(500)], { template: OTHER, priority })
        worker.end(0, range(0, 70))
        worker.endTurn()
        worker.takeMessage('tasks-finished')
        worker.expectSilence()
        worker.end(0, range(70, 100))
        worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 100 })
        worker.endTurn()
        assert.equal(worker.takeBatch().tasks[0], task(500), `${kind}, priority ${priority}`)
      }
    }
  })

  test('is not added to once all of it has ended', () => {
    const worker = running()
    worker.end(0, range(0, 100))
    queueChain(worker, 5, 100, LAST)
    worker.endTurn()
    worker.takeMessage('tasks-finished')
    worker.expectSilence()
  })

  test('is not added to more often than once a millisecond', () => {
    const worker = nearlyDone()
    worker.run([task(100)], behind(LAST))
    takeAdded(worker)
    worker.nowMs += 0.9
    worker.queue([task(101)], behind(task(100)))
    expectNoGrowth(worker)
    worker.nowMs += 0.1
    worker.endTurn()
    assert.deepEqual(takeAdded(worker), { tasks: [task(101)], makers: [task(100)], wanted: undefined })
  })

  test('is not added to while more than half a batch is left', () => {
    const worker = nearlyDone(49)
    worker.queue([task(100)], behind(LAST))
    expectNoGrowth(worker)
    worker.end(0, [49])
    worker.endTurn()
    assert.deepEqual(takeAdded(worker).tasks, [task(100)])
  })

  test('is not added to beyond the work of a batch', () => {
    const worker = nearlyDone(60)
    worker.run(tasksFrom(200, 61))
    assert.equal(takeAdded(worker).tasks.length, 60)
  })

  test('gets no task that is large, long or of unknown length', () => {
    const worker = nearlyDone()
    worker.define(OTHER)
    worker.queue([task(200)], { template: OTHER })
    expectNoGrowth(worker)

    const long = taught()
    long.define(OTHER)
    long.teach({ durationUs: 12_000 }, OTHER)
    queueChain(long, 20)
    long.endTurn()
    long.takeBatch()
    long.queue([task(200)], { template: OTHER })
    expectNoGrowth(long)

    const sized = taught()
    sized.define(OTHER, 0, 1_000)
    sized.teach({ durationUs: 100 }, OTHER)
    queueChain(sized, 20)
    sized.endTurn()
    sized.takeBatch()
    sized.queue([task(100)], { template: OTHER, ...behind(task(19)) })
    sized.queue([task(200)], { template: OTHER })
    expectNoGrowth(sized)
  })

  test('is not added to if its tasks take much memory', () => {
    const worker = taught()
    worker.define(OTHER, 0, 1_000)
    worker.teach({ durationUs: 100 }, OTHER)
    worker.queue([task(0)], { template: OTHER })
    worker.queue([task(1)], { template: OTHER, ...behind(task(0)) })
    worker.endTurn()
    assert.equal(worker.takeInstruction('run-batch').mayGrow, false)
    worker.queue([task(2)], behind(task(1)))
    expectNoGrowth(worker)
  })

  test('makes nothing a second time that it made and that was let go', () => {
    const worker = nearlyDone()
    worker.tell({ type: 'free-tasks', tasks: [task(80)] })
    worker.run([task(100)], { inputs: [task(80)], pending: [[task(80), PEER, 1]] })
    worker.takeInstruction('fetch')
    worker.takeInstruction('drop')
    worker.expectSilence()
  })

  test('is not added to where there are several threads', () => {
    const worker = taught({ threads: 2 })
    queueChain(worker, 40)
    worker.endTurn()
    const batch = worker.takeInstruction('run-batch')
    assert.deepEqual([batch.tasks.length, batch.mayGrow], [40, false])
    worker.queue([task(100)], behind(task(39)))
    worker.endTurn()
    worker.takeInstruction('hurry-batch')
    worker.expectSilence()
  })

  test('is not added to once its rest was asked back', () => {
    const worker = nearlyDone()
    worker.tell({ type: 'recall', tasks: [LAST] })
    worker.queue(tasksFrom(200, 3))
    worker.endTurn()
    worker.takeInstruction('take-back')
    worker.expectSilence()
    worker.nowMs++
    expectNoGrowth(worker)
    worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 95 })
    worker.endTurn()
    assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [LAST])
    expectNoGrowth(worker)
    worker.end(0, range(90, 95))
    worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 95 })
    worker.endTurn()
    // What follows another goes along behind all that is ready.
    assert.deepEqual(worker.takeBatch().tasks, [task(95), ...tasksFrom(200, 3), ...tasksFrom(96, 3)])
  })

  test('is not added to while a task waits for its own, which comes first', () => {
    const worker = nearlyDone()
    worker.send({ type: 'task-lent', thread: 0, place: 90, ranMs: undefined, canTerminate: true })
    worker.queue(tasksFrom(200, 3))
    worker.endTurn()
    assert.deepEqual(worker.takeMessage('tasks-suspended').tasks, [task(90)])
    worker.expectSilence()
  })

  test('is not added to by a worker that is paused', () => {
    const GIB = 2 ** 30
    const worker = nearlyDone(90, { memoryLimitBytes: 4 * GIB })
    for (let beat = 0; beat < 2; beat++) worker.send({ type: 'pulse', memoryBytes: 3.5 * GIB, cpuSeconds: 1 })
    worker.takeInstruction('collect')
    worker.takeMessage('pulse')
    assert.equal(worker.takeMessage('pulse').pausedBy, 'process')
    worker.queue(tasksFrom(200, 3))
    expectNoGrowth(worker)
  })

  test('is not added to once it has four thousand tasks', () => {
    const worker = taught({}, 1)
    worker.queue([task(0)])
    for (let count = 1_024, first = 1; first < 4_096; first += count, count = 1_024) {
      if (first === 1) count--
      worker.run(tasksFrom(first, count), behind(task(0)))
      if (first === 1) assert.equal(worker.takeBatch().tasks.length, 1_024)
      else assert.equal(takeAdded(worker).tasks.length, 1_024)
      worker.nowMs++
    }
    worker.queue([task(5_000)], behind(task(0)))
    expectNoGrowth(worker)
  })

  test('is not added to once it has run for a tenth of a second', () => {
    for (const [ms, grows] of [
      [91, true],
      [91.1, false],
    ] as const) {
      const worker = nearlyDone()
      worker.nowMs += ms
      worker.queue([task(100)], behind(LAST))
      if (!grows) expectNoGrowth(worker)
      else worker.endTurn()
      if (grows) assert.deepEqual(takeAdded(worker).tasks, [task(100)])
    }
  })

  test('is late only when what was added has had its time, too', () => {
    const worker = nearlyDone()
    assert.equal(worker.state.batches[0]!.overdueAtMs, 20)
    worker.run(tasksFrom(200, 50))
    takeAdded(worker)
    // Twice what was left: 1 ms, and 5.
    assert.equal(worker.state.batches[0]!.overdueAtMs, 9 + 12)
  })
})

test('a batch that is no chain is not added to', () => {
  const worker = taught()
  worker.run(tasks(40))
  const batch = worker.takeInstruction('run-batch')
  assert.deepEqual([batch.tasks.length, batch.mayGrow], [40, false])
  worker.queue([task(100)], behind(task(39)))
  worker.queue([task(200)])
  expectNoGrowth(worker)
})

suite('what was added to a batch', () => {
  /** A hundred tasks, of which ninety have ended, and ten behind them: five follow the last, five need nothing. */
  function grown(): WorkerHarness {
    const worker = nearlyDone()
    worker.queue(tasksFrom(200, 5))
    worker.queue(tasksFrom(100, 5), behind(LAST))
    worker.endTurn()
    assert.deepEqual(takeAdded(worker).tasks, [...tasksFrom(200, 5), ...tasksFrom(100, 5)])
    return worker
  }

  test('runs in the next batch if it came too late', () => {
    const worker = grown()
    worker.end(0, range(90, 100))
    worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 100 })
    worker.endTurn()
    assert.deepEqual(worker.takeBatch().tasks, [...tasksFrom(200, 5), ...tasksFrom(100, 5)])
    worker.takeMessage('tasks-finished')
    worker.finish(0, 10)
    worker.takeMessage('tasks-finished')
    assert.equal(worker.state.tasks.size, 0)
  })

  test('comes back if it was asked back', () => {
    const worker = grown()
    worker.tell({ type: 'recall', tasks: [task(201), task(102)] })
    worker.endTurn()
    worker.takeInstruction('take-back')
    worker.send({ type: 'batch-cut', thread: 0, firstUnstarted: 102 })
    worker.endTurn()
    assert.deepEqual(worker.takeMessage('tasks-returned').tasks, [task(102)])
    assert.deepEqual(worker.takeMessage('tasks-kept').tasks, [task(201)])
    worker.end(0, range(90, 102))
    worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 102 })
    worker.endTurn()
    assert.deepEqual(worker.takeBatch().tasks, [...tasksFrom(202, 3), task(100), task(101), task(103), task(104)])
  })

  test('runs again if another task of it ended its thread, which alone is to blame', () => {
    const worker = grown()
    worker.end(0, range(90, 102))
    worker.send({
      type: 'thread-exited',
      thread: 0,
      culprit: 102,
      firstUnstarted: 103,
      exitCode: 1,
      reason: 'gone',
      isOutOfMemory: false,
    })
    worker.endTurn()
    assert.equal(worker.takeMessage('task-exited').task, task(202))
    assert.deepEqual(worker.takeBatch().tasks, [task(203), task(204), ...tasksFrom(100, 5)])
    assert.deepEqual(worker.takeMessage('tasks-finished').tasks, [...tasksFrom(90, 10), task(200), task(201)])
  })

  test('goes back where a maker that was there before has thrown', () => {
    const worker = grown()
    worker.end(0, range(90, 99))
    worker.end(0, [99], { threw: true })
    worker.end(0, range(100, 105))
    // The thread ends its batch before the first that needs the value.
    worker.send({ type: 'batch-ended', thread: 0, firstUnstarted: 105 })
    worker.endTurn()
    assert.equal(worker.takeMessage('task-failed').task, LAST)
    for (const id of tasksFrom(100, 5)) {
      const { task: returned, inputs, holder } = worker.takeMessage('inputs-missing')
      assert.deepEqual([returned, inputs, holder], [id, [LAST], OURSELVES])
    }
    worker.takeMessage('tasks-finished')
    worker.expectSilence()
  })

  test('is watched if it has a time-out', () => {
    const worker = taught()
    worker.define(OTHER, 0, 0, false, 50)
    worker.teach({ durationUs: 100 }, OTHER)
    queueChain(worker, 20)
    worker.endTurn()
    worker.takeBatch()
    worker.run([task(100)], { template: OTHER, ...behind(task(19)) })
    takeAdded(worker)
    assert.equal(worker.deadlineMs, undefined)
    worker.nowMs = 2
    worker.end(0, range(0, 20))
    worker.wakeUp()
    assert.equal(worker.nowMs, 52)
    assert.deepEqual(worker.takeInstruction('look-at-run'), { type: 'look-at-run', thread: 0, place: 20 })
  })
})
