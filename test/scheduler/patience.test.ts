/** Tasks that can wait: which ones, how many of them a worker has, and what goes beside them. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { attempt } from '../../protocol/ids.js'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import { explain } from '../../scheduler/core/views/explain.js'
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

test('a task for which there is no room in a row is said to wait for a worker', () => {
  const { scheduler, tasks } = timed(1_000, 5_000)
  assert.match(explain(scheduler.state, tasks[500]!, '').reason, /^It waits for a worker/)
})

test('it is sent another row when it has told of one', () => {
  const { scheduler, worker, sent } = timed(1_000, 5_000)
  worker.finish(sent.tasks.slice(0, 24), { template: 1, us: 5_000 })
  const more = worker.take('run-tasks')
  assert.equal(more.patienceUs, 120_000)
  assert.equal(more.tasks.length, 24)
  assert.equal(scheduler.state.workers.get(worker.id)?.patientUs, 240_000)
})

test('a row is a quarter of what is left for a thread at most, and at last there is none', () => {
  const rows = [97, 96, 49, 48, 25, 24].map((count) => timed(count, 5_000).sent)
  assert.deepEqual(
    rows.map(({ patienceUs }) => patienceUs),
    [120_000, 60_000, 60_000, 30_000, 30_000, 0],
  )
  // Five take 24 ms and a little more.
  assert.equal(rows.at(-1)!.tasks.length, 5)
})

test('the last tasks do not go before the row of their own map', () => {
  const { worker, tasks, sent } = timed(25, 5_000)
  assert.deepEqual([sent.patienceUs, sent.tasks], [30_000, tasks.slice(1, 13)])

  worker.finish(tasks.slice(1, 2), { template: 1, us: 5_000 })
  assert.deepEqual(worker.takeTasks(), [], 'it has 55 ms to do')

  worker.finish(tasks.slice(2, 10), { template: 1, us: 5_000 })
  const last = worker.take('run-tasks')
  assert.deepEqual([last.patienceUs, last.tasks], [0, tasks.slice(13, 15)])
})

test('what is left counts for each thread of the cluster', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const other = scheduler.worker({ threads: 4 })
  const client = scheduler.client()
  const tasks = client.map(client.define(), 400)
  worker.takeTasks()
  other.takeTasks()

  worker.finish([tasks[0]!], { template: 1, us: 5_000 })
  // They take two seconds, which is 399 ms for each of five threads.
  assert.equal(worker.take('run-tasks').patienceUs, 60_000)
})

test('a row holds two tasks at least: of longer ones none can wait', () => {
  assert.equal(timed(1_000, 60_000).sent.patienceUs, 120_000)
  assert.equal(timed(1_000, 61_000).sent.patienceUs, 0)
})

test('nor can the shortest, of which hundreds are told of together in any case', () => {
  assert.equal(timed(8_192, 59).sent.patienceUs, 30_000)
  assert.equal(timed(8_192, 58).sent.patienceUs, 0)
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
  // As much as ever is sent ahead, and no more.
  assert.deepEqual([awaited.patienceUs, awaited.tasks], [0, tasks.slice(3, 8)])
  assert.deepEqual(worker.takeTasks(), [])
})

test('nor one whose template asks for more than a thread', () => {
  const templates: Definition[] = [
    { rules: { queueTimeoutMs: 60_000 } },
    { rules: { timeoutMs: 60_000 } },
    { rules: { isStream: true } },
    { needs: { ...NO_NEEDS, memoryBytes: 1 } },
  ]
  for (const template of templates) assert.equal(timed(1_000, 5_000, template).sent.patienceUs, 0)
  assert.equal(timed(1_000, 5_000, { rules: { maxFailures: 1 } }).sent.patienceUs, 120_000)
})

test('nor where a task waits for tasks of its own: it is to have a thread soon when it goes on', () => {
  const { worker, sent } = timed(1_000, 5_000)
  worker.finish(sent.tasks.slice(0, 24), { template: 1, us: 5_000 })
  assert.equal(worker.take('run-tasks').patienceUs, 120_000)
  const [parent, ...others] = sent.tasks.slice(24)
  worker.send({ type: 'tasks-suspended', tasks: [parent!], attempts: [attempt(1)] })
  worker.finish(others, { template: 1, us: 5_000 })
  assert.equal(worker.take('run-tasks').patienceUs, 0)
})

test('more urgent tasks of which many are ready, too, go at once beside less urgent ones that can wait', () => {
  const { worker, scheduler } = timed(1_000, 5_000)
  const other = scheduler.client('other')
  const urgent = other.define('g', { priority: 10 })
  const [first] = other.map(urgent, 1)
  assert.deepEqual(worker.take('run-tasks').tasks, [first])
  worker.finish([first!], { template: 2, us: 5_000 })
  worker.takeTasks()

  const theirs = other.map(urgent, 100)
  const sent = worker.take('run-tasks')
  assert.deepEqual([sent.patienceUs, sent.tasks], [0, theirs.slice(0, sent.tasks.length)])
  assert(sent.tasks.length > 0)
})

test('beside them a worker has as many longer tasks as ever', () => {
  const { worker, scheduler } = timed(1_000, 5_000)
  const other = scheduler.client('other')
  const long = other.define('g', { priority: 10 })
  const [first] = other.map(long, 1)
  worker.finish([first!], { template: 2, us: 70_000 })
  worker.takeTasks()
  assert.equal(other.map(long, 5).length, 5)
  assert.equal(worker.takeTasks().length, 2)
})

test('there is room for others where only what can wait is to be done, though another worker has less to do', () => {
  const scheduler = new SchedulerHarness()
  const [slow, quick] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const other = scheduler.client('other')
  const g = other.define('g')
  slow.finish(other.map(g, 1), { template: 1, us: 10_000 })
  const tasks = client.map(client.define(), 200)
  slow.finish(slow.takeTasks(), { template: 2, us: 5_000 })
  quick.finish(quick.takeTasks(), { template: 2, us: 5_000 })
  assert(slow.takeTasks().length + quick.takeTasks().length < tasks.length)
  while (scheduler.tasks.ready > 0) {
    const { processing } = scheduler.state.workers.get(quick.id)!
    quick.finish(
      [...processing].map(({ id }) => id),
      { template: 2, us: 5_000 },
    )
  }
  quick.takeTasks()
  slow.takeTasks()
  const [mostUs, leastUs] = [slow, quick].map(({ id }) => scheduler.state.workers.get(id)!.queuedUs)
  assert(mostUs! > leastUs! + 50_000, `${mostUs} and ${leastUs}`)

  other.map(g, 12)
  assert.equal(slow.takeTasks().length, 3)
})

test('tasks of one message and several functions can wait by what follows', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [first, f] = [client.define('first'), client.define('f')]
  worker.finish(client.map(f, 1), { template: 2, us: 5_000 })
  worker.takeTasks()
  const { message } = client.submission(f, new Array<object>(1_001).fill({}))
  assert(message.type === 'submit')
  client.send({ ...message, runs: [first, 1, f, 1_000] })
  const [begun] = worker.takeTasks()
  worker.finish([begun!], { template: 1, us: 10 })
  assert.equal(worker.take('run-tasks').patienceUs, 120_000)
})

test('a task goes to the worker that has its input, whatever can wait there', () => {
  const { scheduler, worker, client, tasks } = timed(1_000, 5_000)
  const other = scheduler.worker()
  other.takeTasks()
  const [value] = tasks.slice(1)
  worker.finish([value!], { sizeBytes: 2e7, template: 1, us: 5_000 })
  worker.takeTasks()
  other.takeTasks()

  const [user] = client.submit(client.define('use'), [{ inputs: [value!] }])
  assert.deepEqual([worker.takeTasks(), other.takeTasks()], [[user], []])
})

test('what can wait leaves its worker with the report that it has ended, however much longer its function takes by then', () => {
  const scheduler = new SchedulerHarness()
  const workers = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const tasks = client.map(client.define(), 4_000)
  for (const worker of workers) worker.takeTasks()
  workers[0]!.finish([tasks[0]!], { template: 1, us: 1_000 })
  workers[1]!.finish([tasks[1]!], { template: 1, us: 1_000 })
  const [mine, theirs] = workers.map((worker) => worker.takeTasks())
  workers[0]!.finish(mine!.slice(0, 100), { template: 1, us: 9_000 })
  // Those that are left count for nothing by now, since each that ends takes off what one takes today.
  for (let done = 0; done < theirs!.length; done += 20) {
    workers[1]!.finish(theirs!.slice(done, done + 20), { template: 1, us: 9_000 })
  }
  assert.equal(scheduler.state.workers.size, 2)
})

test('tasks that need a limit or a resource end it for all: a thread is to be free for them', () => {
  const { worker, client, sent } = timed(1_000, 5_000)
  client.map(client.define('g', { needs: { ...NO_NEEDS, others: [{ name: 'gpu', thousandths: 1_000 }] } }), 1)
  worker.finish(sent.tasks, { template: 1, us: 5_000 })
  assert.equal(worker.take('run-tasks').patienceUs, 0)
})
