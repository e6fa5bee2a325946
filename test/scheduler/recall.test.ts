/** Work that was sent ahead goes where it can start sooner. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { TaskId } from '../../protocol/ids.js'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import { SchedulerHarness, type TestClient, type TestWorker } from '../support/scheduler-harness.js'

const LONG_US = 50_000

/** A worker that has the first of `count` long tasks to run and the second ahead; the others wait. */
function busyWorker(scheduler: SchedulerHarness, count = 2): { worker: TestWorker; client: TestClient; ids: TaskId[] } {
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [known] = client.map(f, 1)
  worker.finish([known!], { template: f, us: LONG_US })
  const ids = client.map(f, count)
  scheduler.skipAllBut('run-tasks')
  assert.deepEqual(worker.takeTasks().slice(1), ids.slice(0, 2))
  scheduler.skip()
  return { worker, client, ids }
}

test('a thread has one long task ahead, and no very long one', () => {
  const scheduler = new SchedulerHarness()
  const { worker, ids } = busyWorker(scheduler, 4)

  worker.finish([ids[0]!], { template: 1, us: LONG_US })
  assert.deepEqual(worker.takeTasks(), [ids[2]])
  worker.finish([ids[1]!], { template: 1, us: 1_000_000 })
  assert.deepEqual(worker.takeTasks(), [])
})

test('a task that has not started is asked back when a thread would be idle, and runs there', () => {
  const scheduler = new SchedulerHarness()
  const { worker, ids } = busyWorker(scheduler)

  const idle = scheduler.worker()
  assert.deepEqual(worker.take('recall').tasks, [ids[1]])
  worker.send({ type: 'tasks-returned', tasks: [ids[1]!], attempts: [], begun: [] })

  const run = idle.take('run-tasks')
  assert.deepEqual([run.tasks, run.attempts, run.unstarted], [[ids[1]], [2], [{ place: 0, count: 1 }]])
  worker.finish([ids[0]!])
  idle.finish([ids[1]!], { attempts: [2] })
  assert.deepEqual(worker.unread, [])
})

test('it is asked for once, also when it has started', () => {
  const scheduler = new SchedulerHarness()
  const { worker, ids, client } = busyWorker(scheduler)
  const idle = scheduler.worker()
  scheduler.skip()

  idle.pulse()
  assert.deepEqual(worker.unread, [])
  worker.send({ type: 'tasks-kept', tasks: [ids[1]!] })
  idle.pulse()
  assert.deepEqual(worker.unread, [])
  assert.equal(scheduler.state.recallsUnderWay, 0)

  client.release(ids[1]!)
  assert.deepEqual(worker.take('free-tasks').tasks, [ids[1]])
  assert.equal(scheduler.state.workers.get(worker.id)?.recalled.size, 0)
})

test('the question ends with the task, the future and the worker', () => {
  for (const end of ['finish', 'release', 'leave', 'ask to leave'] as const) {
    const scheduler = new SchedulerHarness()
    const { worker, ids, client } = busyWorker(scheduler)
    scheduler.worker()
    assert.equal(scheduler.state.recallsUnderWay, 1)
    if (end === 'finish') worker.finish(ids)
    else if (end === 'release') client.release(...ids)
    else if (end === 'leave') worker.leave()
    else worker.send({ type: 'leaving' }, { type: 'tasks-returned', tasks: [ids[1]!], attempts: [], begun: [] })
    assert.equal(scheduler.state.recallsUnderWay, 0)
  }
})

test('no more is asked back than there are idle threads, from all workers together', () => {
  const scheduler = new SchedulerHarness()
  const workers = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const f = client.define()
  const known = client.map(f, 2)
  for (const worker of workers) worker.finish(worker.takeTasks(), { template: f, us: LONG_US })
  client.map(f, 4)
  assert.deepEqual([known.length, ...workers.map((worker) => worker.takeTasks().length)], [2, 2, 2])
  scheduler.skip()

  scheduler.worker()
  scheduler.turn()

  assert.equal(workers.filter((worker) => worker.unread.includes('recall')).length, 1)
  assert.equal(scheduler.state.recallsUnderWay, 1)
})

test('for a paused worker no more is asked back than the one task that it does at a time', () => {
  const scheduler = new SchedulerHarness()
  const paused = scheduler.worker({ threads: 4 })
  const client = scheduler.client()
  const f = client.define()
  const [known] = client.map(f, 1)
  paused.finish(paused.takeTasks(), { template: f, us: LONG_US })
  client.release(known!)
  paused.pulse({ pausedBy: 'values' })
  const workers = [scheduler.worker(), scheduler.worker()]
  client.map(f, 5)
  const begun = paused.takeTasks()
  assert.deepEqual([begun.length, ...workers.map((worker) => worker.takeTasks().length)], [1, 2, 2])
  scheduler.skip()

  paused.finish(begun)
  assert.deepEqual(
    workers.flatMap((worker) => worker.unread),
    ['recall'],
  )
  assert.equal(scheduler.state.recallsUnderWay, 1)
})

test('nothing is asked back for threads that are left to tasks ahead of their inputs, beside one that takes several', () => {
  const scheduler = new SchedulerHarness()
  const wideOne = scheduler.worker({ threads: 6 })
  const client = scheduler.client()
  const f = client.define()
  const short = client.define('short')
  wideOne.finish(client.map(f, 1), { template: f, us: LONG_US })
  wideOne.finish(client.map(short, 1), { template: short, us: 10 })
  const [first] = client.map(short, 1)
  client.submit(short, [{ inputs: [first!] }, { inputs: [first!] }])
  client.map(client.define('wide', { needs: { ...NO_NEEDS, threads: 2 } }), 1)
  const workers = [scheduler.worker(), scheduler.worker()]
  scheduler.skip()
  client.map(f, 5)
  const begun = wideOne.takeTasks()
  assert.deepEqual([begun.length, ...workers.map((worker) => worker.takeTasks().length)], [1, 2, 2])
  assert.equal(scheduler.state.workers.get(wideOne.id)!.ahead.size, 2)
  scheduler.skip()

  wideOne.finish(begun)
  assert.deepEqual(
    workers.flatMap((worker) => worker.unread),
    ['recall'],
  )
  assert.equal(scheduler.state.recallsUnderWay, 1)
})

test('a task that came from elsewhere is not asked back by the worker that gave it up', () => {
  const scheduler = new SchedulerHarness()
  const { worker, ids } = busyWorker(scheduler)
  const idle = scheduler.worker()
  worker.take('recall')
  worker.send({ type: 'tasks-returned', tasks: [ids[1]!], attempts: [], begun: [] })
  assert.deepEqual(idle.takeTasks(), [ids[1]])

  worker.finish([ids[0]!], { template: 1, us: LONG_US })
  for (const each of [worker, idle]) each.pulse()

  assert.ok(![...worker.unread, ...idle.unread].includes('recall'))
  assert.equal(scheduler.state.recallsUnderWay, 0)
})

test('what needs something stays where it was sent, and what is queued of it goes only to who has that', () => {
  const scheduler = new SchedulerHarness()
  const gpu = [{ name: 'gpu', thousandths: 2_000 }]
  const needs = { ...NO_NEEDS, others: [{ name: 'gpu', thousandths: 1_000 }] }
  const worker = scheduler.worker({ resources: gpu })
  const client = scheduler.client()
  const f = client.define('train', { needs })
  const [known] = client.map(f, 1)
  worker.finish([known!], { template: f, us: LONG_US })
  const ids = client.map(f, 3)
  assert.deepEqual(worker.takeTasks().slice(1), ids.slice(0, 2))

  const plain = scheduler.worker({ threads: 4 })
  const able = scheduler.worker({ threads: 4, resources: gpu })

  assert.ok(!worker.unread.includes('recall'))
  assert.deepEqual([plain.takeTasks(), able.takeTasks()], [[], [ids[2]]])
})

test('a task stays where its inputs are when to fetch them takes longer than to wait', () => {
  const scheduler = new SchedulerHarness()
  const { worker, client, ids } = busyWorker(scheduler, 1)
  worker.finish(ids, { sizeBytes: 100_000_000 })
  const f = client.define('g')
  const [known] = client.map(f, 1)
  worker.finish([known!], { template: f, us: LONG_US })
  const both = client.submit(f, [{ inputs: ids }, { inputs: ids }])
  assert.deepEqual(worker.takeTasks().slice(-2), both)
  scheduler.skip()

  const idle = scheduler.worker()

  assert.deepEqual(worker.unread, [])
  assert.deepEqual(idle.takeTasks(), [])
})

test('what waits behind a task that takes long is asked back, however short, and nothing more is sent there', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [known] = client.map(f, 1)
  worker.finish([known!], { template: f, us: 500 })
  const ids = client.map(f, 10)
  scheduler.skip()
  worker.pulse({ running: [ids[0]!], runningForMs: [3_000] })

  const idle = scheduler.worker()
  assert.deepEqual(new Set(worker.take('recall').tasks), new Set(ids.slice(1)))
  worker.send({ type: 'tasks-returned', tasks: ids.slice(1), attempts: [], begun: [] })
  assert.deepEqual(idle.takeTasks(), ids.slice(1))
  client.map(f, 5)
  assert.equal(idle.takeTasks().length, 5)

  worker.finish([ids[0]!])
  client.map(f, 1)
  assert.equal(worker.takeTasks().length, 1)
})

test('short tasks are not asked back', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [known] = client.map(f, 1)
  worker.finish([known!], { template: f, us: 500 })
  client.map(f, 10)
  scheduler.skip()

  scheduler.worker()

  assert.deepEqual(worker.unread, [])
})

test('the number of a start counts what had begun, and not what only came back', () => {
  for (const [begun, unstarted] of [
    [false, [{ place: 0, count: 1 }]],
    [true, []],
  ] as const) {
    const scheduler = new SchedulerHarness()
    const { worker, ids } = busyWorker(scheduler)
    const idle = scheduler.worker()
    worker.send({ type: 'tasks-returned', tasks: [ids[1]!], attempts: [], begun: begun ? [0] : [] })
    const run = idle.take('run-tasks')
    assert.deepEqual([run.attempts, run.unstarted], [[2], unstarted])
  }
})
