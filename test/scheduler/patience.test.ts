/** Tasks that can wait: which ones, how many of them a worker has, and what goes beside them. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

type Definition = Parameters<ReturnType<SchedulerHarness['client']>['define']>[1]

/** A worker of one thread that has just said how long the first of so many tasks took, with what it was sent then. */
function timed(count: number, us: number, definition: Definition = {}) {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const tasks = client.map(client.define('f', definition), count)
  worker.takeTasks()
  worker.finish([tasks[0]!], { template: 1, us })
  return { scheduler, worker, client, tasks, sent: worker.take('run-tasks') }
}

test('where much of a function is ready a worker has two rows of its tasks, which may take 120 ms each', () => {
  const { worker, sent } = timed(1_000, 5_000)
  assert.equal(sent.patienceUs, 120_000)
  assert.equal(sent.tasks.length, 48)
  assert.deepEqual(worker.takeTasks(), [])
})

test('it is sent another row when it has told of one', () => {
  const { worker, sent } = timed(1_000, 5_000)
  worker.finish(sent.tasks.slice(0, 24), { template: 1, us: 5_000 })
  const more = worker.take('run-tasks')
  assert.equal(more.patienceUs, 120_000)
  assert.equal(more.tasks.length, 24)
})

test('the less is ready the shorter is a row, and at last there is none', () => {
  const rows = [50, 40, 20, 13, 12].map((count) => timed(count, 5_000).sent)
  assert.deepEqual(
    rows.map(({ patienceUs }) => patienceUs),
    [120_000, 60_000, 30_000, 30_000, 0],
  )
  // Five take 24 ms and a little more.
  assert.equal(rows.at(-1)!.tasks.length, 5)
})

test('what is ready counts for each thread of the cluster', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const other = scheduler.worker({ threads: 4 })
  const client = scheduler.client()
  const tasks = client.map(client.define(), 200)
  worker.takeTasks()
  other.takeTasks()

  worker.finish([tasks[0]!], { template: 1, us: 5_000 })
  // 195 of them are a second, which is 195 ms for each of five threads.
  assert.equal(worker.take('run-tasks').patienceUs, 60_000)
})

test('a row holds two tasks at least: of longer ones none can wait', () => {
  assert.equal(timed(1_000, 60_000).sent.patienceUs, 120_000)
  assert.equal(timed(1_000, 61_000).sent.patienceUs, 0)
})

test('nor can the shortest, of which a worker has thousands in any case', () => {
  assert.equal(timed(8_192, 15).sent.patienceUs, 30_000)
  assert.equal(timed(8_192, 14).sent.patienceUs, 0)
})

test('a task can not wait that others wait for', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const tasks = client.map(client.define(), 1_000)
  client.submit(client.define('sum'), [{ inputs: tasks.slice(3, 6) }])
  worker.takeTasks()

  worker.finish([tasks[0]!], { template: 1, us: 5_000 })

  const first = worker.take('run-tasks')
  const awaited = worker.take('run-tasks')
  assert.deepEqual([first.patienceUs, first.tasks], [120_000, tasks.slice(1, 3)])
  assert.deepEqual([awaited.patienceUs, awaited.tasks.slice(0, 3)], [0, tasks.slice(3, 6)])
})

test('nor one whose template asks for more than a thread', () => {
  const templates: Definition[] = [
    { rules: { queueTimeoutMs: 60_000 } },
    { rules: { isStream: true } },
    { needs: { ...NO_NEEDS, memoryBytes: 1 } },
  ]
  for (const template of templates) assert.equal(timed(1_000, 5_000, template).sent.patienceUs, 0)
})

test('beside tasks that can wait there is room for those of another client, and while it has some ready none can wait', () => {
  const { worker, tasks, scheduler, sent } = timed(1_000, 5_000)
  const other = scheduler.client('other')
  // Clients take turns; and of a function that was never timed one task is sent.
  const theirs = other.map(other.define('g'), 40)
  const first = worker.take('run-tasks')
  assert.deepEqual([first.patienceUs, first.tasks], [0, [tasks[49], theirs[0]]])

  worker.finish([theirs[0]!], { template: 2, us: 5_000 })
  const next = worker.take('run-tasks')
  assert.deepEqual([next.patienceUs, next.tasks], [0, [tasks[50], theirs[1], tasks[51], theirs[2]]])

  worker.finish(sent.tasks, { template: 1, us: 5_000 })
  assert.deepEqual(worker.takeTasks(), [], 'those that can wait took no room, and leave none')
})

test('tasks that need a limit or a resource end it for all: a thread is to be free for them', () => {
  const { worker, client, sent } = timed(1_000, 5_000)
  client.map(client.define('g', { needs: { ...NO_NEEDS, others: [{ name: 'gpu', thousandths: 1_000 }] } }), 1)
  worker.finish(sent.tasks, { template: 1, us: 5_000 })
  assert.equal(worker.take('run-tasks').patienceUs, 0)
})
