/** Tasks that may wait only so long for their start. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import { NO_RETRIES, type Rules } from '../../protocol/messages/rules.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

const HURRIED: Partial<Rules> = { queueTimeoutMs: 100 }

test('what no worker has started in time fails, and what runs goes on', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const template = client.define('hurried', { rules: HURRIED })
  const ids = client.map(template, 20)
  const sent = worker.takeTasks()
  const [waiting] = client.submit(template, [{ inputs: [sent[0]!] }])
  const queued = ids.filter((id) => !sent.includes(id))
  client.want(...ids, waiting!)
  assert.equal(scheduler.wakeUp(), 100)
  const failed = new Map([client.take('failed'), client.take('failed')].map((each) => [each.tasks[0]!, each]))
  assert.ok(failed.has(queued[0]!) && !failed.has(sent[0]!))
  const messages = [...failed.values()]
  while (client.unread.includes('failed')) messages.push(client.take('failed'))
  assert.deepEqual(messages.flatMap(({ tasks }) => tasks).sort(), [...queued, waiting!].sort())
  for (const { code, reason, attempt, tasks } of messages) {
    assert.deepEqual([code, attempt], ['ERR_HEDDLE_QUEUE_TIMEOUT', 0])
    const why = tasks[0] === waiting ? /: tasks that it needs had not ended;/ : /: no worker had room for it;/
    assert.match(reason, /^Task hurried-\S+ was not started within its queueTimeoutMs of 100: /)
    assert.match(reason, why)
  }
  // What was sent may not have started: it is wanted back.
  assert.deepEqual(worker.take('recall').tasks, sent)
  worker.finish(sent)
  assert.equal(scheduler.tasks['in-memory'], sent.length)
})

test('what was sent and comes back unstarted fails then, and not if it started', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker({ threads: 2 })
  const template = client.define('hurried', { rules: { ...HURRIED, retries: { ...NO_RETRIES, count: 1 } } })
  const [unstarted, started] = client.map(template, 2)
  assert.equal(worker.takeTasks().length, 2)
  scheduler.wakeUp()
  worker.take('recall')
  worker.send({ type: 'tasks-returned', tasks: [unstarted!], attempts: [1], begun: [] })
  assert.deepEqual(client.take('failed').tasks, [unstarted])
  worker.fail(started!)
  assert.deepEqual(worker.takeTasks(), [started])
  worker.send({ type: 'tasks-returned', tasks: [started!], attempts: [2], begun: [] })
  assert.deepEqual(worker.takeTasks(), [started])
  assert.deepEqual(client.unread, [])
})

test('before its time a task that comes back unstarted waits on', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const [task] = client.submit(client.define('hurried', { rules: HURRIED }), [{}])
  worker.takeTasks()
  worker.send({ type: 'tasks-returned', tasks: [task!], attempts: [1], begun: [] })
  assert.deepEqual(worker.takeTasks(), [task])
  worker.finish([task!], { attempts: [2], sizeBytes: 1_000_000 })
  // Its value is lost and made again: it has had its start.
  worker.leave()
  assert.equal(scheduler.tasks.ready, 1)
  scheduler.wakeUp()
  assert.equal(scheduler.tasks.ready, 1)
  assert.deepEqual(scheduler.worker().takeTasks(), [task])
})

test('a task that no worker can take is unsatisfiable, and the reason says what it needs', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const needs = { ...NO_NEEDS, others: [{ name: 'gpu', thousandths: 1_000 }] }
  const [lonely] = client.submit(client.define('f', { rules: HURRIED }), [{}])
  scheduler.wakeUp()
  const alone = client.take('failed')
  assert.deepEqual([alone.tasks, alone.code], [[lonely], 'ERR_HEDDLE_UNSATISFIABLE'])
  assert.match(alone.reason, /: the cluster has no worker; start one\.$/)

  scheduler.worker()
  const [hungry] = client.submit(client.define('g', { rules: HURRIED, needs }), [{}])
  scheduler.wakeUp()
  const blocked = client.take('failed')
  assert.deepEqual([blocked.tasks, blocked.code], [[hungry], 'ERR_HEDDLE_UNSATISFIABLE'])
  assert.match(
    blocked.reason,
    /: it needs gpu=1, which none of 1 workers has; start a worker that has it, or ask for something else\.$/,
  )
})

test('tasks that are let go take their deadline along', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const template = client.define('hurried', { rules: HURRIED })
  const ids = client.map(template, 3)
  assert.equal(scheduler.state.queueDeadlines.length, 1)
  client.release(...ids)
  assert.equal(scheduler.state.queueDeadlines.length, 0)
  scheduler.expectEmpty()
})

test('of a task with several outputs all fail', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const template = client.define('split', { outputs: 2, rules: HURRIED })
  const { outputs } = client.split(template, 2)
  scheduler.wakeUp()
  assert.deepEqual(client.take('failed').tasks, outputs)
})
