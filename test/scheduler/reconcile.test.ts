/** Scheduler and worker disagree on what the worker has, which no message that gets lost may lead to; and are put right. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { TaskId } from '../../protocol/ids.js'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import { RECONCILE_MS } from '../../protocol/limits.js'
import { SchedulerHarness, type TestWorker } from '../support/scheduler-harness.js'

function tell(
  worker: TestWorker,
  tasks: readonly TaskId[],
  values: readonly TaskId[] = [],
  leftovers: readonly TaskId[] = [],
): void {
  worker.take('ask-view')
  worker.send({ type: 'view', tasks, attempts: tasks.map(() => 1), leftovers, leftoverAttempts: [], values })
}

function started() {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker({ threads: 4 })
  const tasks = client.map(client.define(), 3)
  assert.deepEqual(worker.takeTasks(), tasks)
  return { scheduler, client, worker, tasks: tasks as [TaskId, TaskId, TaskId] }
}

test('a task that its worker knows nothing of starts again', () => {
  const { scheduler, client, worker, tasks } = started()
  const [running, lost, waiting] = tasks
  client.want(...tasks)
  worker.pulse({ running: [running], runningForMs: [1] })
  assert.ok(!worker.unread.includes('ask-view'), 'it may be on its way')
  worker.pulse({ running: [running], runningForMs: [1] })
  tell(worker, [running, waiting])
  assert.match(scheduler.takeOrder('tell-repaired').reason, /^worker w1: 1 of its tasks were lost, and start again$/)
  assert.deepEqual(worker.takeTasks(), [lost])
  worker.finish(tasks, { attempts: [1, 2, 1] })
  assert.deepEqual([...client.takeValues().keys()], tasks)
})

test('an outcome that was lost is made again, and one that comes late after all changes nothing', () => {
  const { client, worker, tasks } = started()
  client.want(...tasks)
  worker.pulse()
  worker.pulse()
  tell(worker, [])
  assert.deepEqual(worker.takeTasks(), tasks)
  worker.finish(tasks)
  assert.ok(!client.unread.includes('values'))
  worker.finish(tasks, { attempts: [2, 2, 2] })
  assert.deepEqual([...client.takeValues().keys()], tasks)
})

test('what was sent after the question, and what has ended since, is not taken for lost', () => {
  const { scheduler, client, worker, tasks } = started()
  worker.pulse()
  worker.pulse()
  const [late] = client.map(client.define('g'), 1)
  worker.finish([tasks[0]])
  tell(worker, tasks.slice(1))
  assert.throws(() => scheduler.takeOrder('tell-repaired'))
  assert.deepEqual(worker.takeTasks(), [late])
})

test('a worker is not asked while its tasks begin, nor again and again', () => {
  const { scheduler, worker, tasks } = started()
  worker.pulse({ running: tasks, runningForMs: [1, 1, 1] })
  worker.pulse({ running: tasks, runningForMs: [2, 2, 2] })
  assert.ok(!worker.unread.includes('ask-view'))
  worker.pulse()
  worker.pulse()
  tell(worker, tasks)
  worker.pulse()
  worker.pulse()
  assert.ok(!worker.unread.includes('ask-view'))
  scheduler.nowMs += RECONCILE_MS
  worker.pulse()
  tell(worker, tasks)
})

test('a value that nobody counts on is freed when nothing runs, and the others are looked at once', () => {
  const { scheduler, client, worker, tasks } = started()
  worker.finish(tasks, { sizeBytes: 1_000_000 })
  client.release(tasks[0])
  worker.take('free-tasks') // And it never comes there.
  worker.pulse({ storedCount: 3 })
  worker.pulse({ storedCount: 3 })
  tell(worker, [], tasks)
  assert.throws(() => scheduler.takeOrder('tell-repaired'), 'an order to free it may be on its way')
  worker.pulse({ storedCount: 3 })
  tell(worker, [], tasks)
  assert.match(scheduler.takeOrder('tell-repaired').reason, /1 values there are of no use to anybody, and are freed$/)
  assert.deepEqual(worker.take('free-tasks').tasks, [tasks[0]])
  assert.equal(scheduler.state.totals.repaired, 1)
  scheduler.nowMs += RECONCILE_MS
  for (let i = 0; i < 2; i++) worker.pulse({ storedCount: 2 })
  tell(worker, [], tasks.slice(1))
  scheduler.nowMs += RECONCILE_MS
  for (let i = 0; i < 3; i++) worker.pulse({ storedCount: 2 })
  assert.ok(!worker.unread.includes('ask-view'), 'they are right, and none was freed since')
})

test('values of which as many are left as before are looked at again once some should be gone', () => {
  const { scheduler, client, worker, tasks } = started()
  worker.finish(tasks, { sizeBytes: 1_000_000 })
  for (let i = 0; i < 2; i++) worker.pulse({ storedCount: 3 })
  tell(worker, [], tasks)
  client.release(...tasks)
  worker.take('free-tasks') // And it never comes there.
  scheduler.nowMs += RECONCILE_MS
  for (let round = 0; round < 2; round++) {
    worker.pulse({ storedCount: 3 })
    tell(worker, [], tasks)
  }
  assert.deepEqual(new Set(worker.take('free-tasks').tasks), new Set(tasks))
})

test('values that it named while something ran are looked at once nothing does, though they are as many', () => {
  const { scheduler, client, worker, tasks } = started()
  const [left, ...running] = tasks
  worker.finish([left])
  client.release(left)
  assert.deepEqual(worker.take('free-tasks').tasks, [left], 'which is lost')
  for (let i = 0; i < 2; i++) worker.pulse({ storedCount: 1 })
  tell(worker, running, [left])
  for (const task of running) worker.fail(task)

  scheduler.nowMs += RECONCILE_MS
  for (let i = 0; i < 2; i++) worker.pulse({ storedCount: 1 })
  tell(worker, [], [left])
  worker.pulse({ storedCount: 1 })
  tell(worker, [], [left])
  assert.deepEqual(worker.take('free-tasks').tasks, [left])
})

test('what nobody wants takes nothing of its worker any more once that does not know of it', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker({ threads: 1, ioTasks: 2 })
  const ids = client.map(client.define('f', { needs: { ...NO_NEEDS, threads: 0 } }), 3)
  assert.deepEqual(worker.takeTasks(), ids.slice(0, 2))
  client.release(ids[0]!, ids[1]!)
  scheduler.skip() // And neither order comes there, or word of the end does not come back.
  for (let i = 0; i < 2; i++) worker.pulse({ running: [ids[1]!], runningForMs: [1] })
  tell(worker, [], [], [ids[1]!])
  assert.match(scheduler.takeOrder('tell-repaired').reason, /1 that nobody wants had ended unheard/)
  assert.deepEqual(worker.takeTasks(), [ids[2]], 'there is room for it again')
  assert.equal(scheduler.state.workers.get(worker.id)!.lingering.size, 1, 'the other one goes on')
  scheduler.nowMs += RECONCILE_MS
  for (let i = 0; i < 3; i++) worker.pulse({ running: [ids[1]!, ids[2]!], runningForMs: [1, 1] })
  assert.ok(!worker.unread.includes('ask-view'), 'and the worker is not asked about it again')
})

test('what runs on for nobody is freed again, ever more rarely', () => {
  const { client, worker, tasks } = started()
  client.release(tasks[0])
  worker.take('free-tasks') // And it never comes there.
  const freedAt: number[] = []
  for (let heartbeat = 1; heartbeat <= 20; heartbeat++) {
    worker.pulse({ running: tasks, runningForMs: [1, 1, 1] })
    if (!worker.unread.includes('free-tasks')) continue
    assert.deepEqual(worker.take('free-tasks').tasks, [tasks[0]])
    freedAt.push(heartbeat)
  }
  assert.deepEqual(freedAt, [2, 4, 8, 16])
})

test('what has its grace to end in is not freed meanwhile', () => {
  const { client, worker, tasks } = started()
  client.send({ type: 'cancel', request: 1, tasks: [tasks[0]], graceMs: 60_000, error: new Uint8Array() })
  worker.take('stop-tasks')
  for (let i = 0; i < 3; i++) worker.pulse({ running: tasks, runningForMs: [1, 1, 1] })
  assert.ok(!worker.unread.includes('free-tasks'))
})

test('what still runs where it was taken from is stopped once its value is elsewhere, and nothing is freed: it may be copied there', () => {
  const { scheduler, client, worker, tasks } = started()
  const other = scheduler.worker()
  client.want(tasks[0])
  worker.send({ type: 'tasks-returned', tasks: [tasks[0]], attempts: [], begun: [] })
  other.finish(other.takeTasks(), { sizeBytes: 1_000_000, attempts: [2] })
  for (let i = 0; i < 3; i++) worker.pulse({ running: tasks, runningForMs: [1, 1, 1] })
  assert.ok(!worker.unread.includes('free-tasks'))
  const { tasks: stopped, attempts } = worker.take('stop-tasks')
  assert.deepEqual([stopped, attempts], [[tasks[0]], [1]])
  worker.send({ type: 'tasks-stopped', tasks: stopped, attempts, stoppedBy: ['thread'] })
  worker.pulse({ running: tasks.slice(1), runningForMs: [1, 1] })
  assert.ok(!worker.unread.includes('stop-tasks'))
})

test('a value that came to where its task still runs for nobody is not freed with that', () => {
  const { scheduler, client, worker, tasks } = started()
  const other = scheduler.worker()
  client.want(tasks[0])
  worker.send({ type: 'tasks-returned', tasks: tasks.slice(0, 1), attempts: [], begun: [] })
  other.finish(other.takeTasks(), { sizeBytes: 1_000_000, attempts: [2] })
  worker.send({ type: 'copies-held', tasks: [tasks[0]], sizes: [1_000_000] })
  for (let i = 0; i < 3; i++) worker.pulse({ running: tasks, runningForMs: [1, 1, 1] })
  assert.ok(!worker.unread.includes('free-tasks'))
  const { tasks: stopped, attempts } = worker.take('stop-tasks')
  assert.deepEqual([stopped, attempts], [[tasks[0]], [1]])
})

test('a worker that leaves is asked too, or it would never be done', () => {
  const { scheduler, client, worker, tasks } = started()
  client.want(...tasks)
  const other = scheduler.worker({ threads: 4 })
  worker.send({ type: 'leaving' })
  worker.pulse()
  worker.pulse()
  tell(worker, [])
  assert.deepEqual(other.takeTasks(), tasks)
})

test('a view that nobody asked for changes nothing', () => {
  const { scheduler, worker } = started()
  worker.send({ type: 'view', tasks: [], attempts: [], leftovers: [], leftoverAttempts: [], values: [] })
  assert.equal(scheduler.tasks.processing, 3)
})
