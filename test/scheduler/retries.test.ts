/** Tasks that fail and are tried again: how often, when, and what else counts as a failure. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { Rng } from '../../common/rng.js'
import { NO_RETRIES, type RetryRules } from '../../protocol/messages/rules.js'
import { delayOf } from '../../scheduler/core/tasks/retries.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

/** One worker, and one task that it was sent. */
function oneTask(retries: Partial<RetryRules>) {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const rules = { retries: { ...NO_RETRIES, maxDelayMs: 60_000, ...retries } }
  const template = client.define('flaky', { rules })
  const [task] = client.submit(template, [{}])
  assert.deepEqual(worker.takeTasks(), [task])
  return { scheduler, client, worker, template, task: task! }
}

test('a task that fails is tried again at once, as often as it may be, and then fails with its last error', () => {
  const { scheduler, client, worker, task } = oneTask({ count: 2 })
  client.want(task)
  for (const attempt of [1, 2]) {
    worker.fail(task, attempt)
    const { tasks, attempts } = worker.take('run-tasks')
    assert.deepEqual([tasks, attempts], [[task], [attempt + 1]])
    assert.deepEqual(client.unread, [])
  }
  worker.fail(task, 3)
  assert.deepEqual(client.take('failed').attempt, 3)
  const { submitted, failed, retried } = scheduler.state.totals
  assert.deepEqual([submitted, failed, retried], [1, 1, 2])
})

test('a retried task keeps its futures and its dependants, and may end well', () => {
  const { scheduler, client, worker, template, task } = oneTask({ count: 1 })
  const [dependant] = client.submit(template, [{ inputs: [task] }])
  client.want(task, dependant!)
  worker.fail(task)
  assert.equal(scheduler.tasks.waiting, 1)
  worker.takeTasks()
  worker.finish([task], { attempts: [2] })
  assert.deepEqual([...client.takeValues().keys()], [task])
  // What it gave is as good as that of a first run: its failures are forgotten.
  assert.equal(scheduler.state.totals.failed, 0)
  assert.deepEqual(worker.takeTasks(), [dependant])
})

test('each task of a map has tries of its own', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker({ threads: 3 })
  const template = client.define('flaky', { rules: { retries: { ...NO_RETRIES, count: 1 } } })
  const [twice, once, never] = client.map(template, 3)
  worker.fail(twice!)
  worker.fail(once!)
  worker.fail(twice!, 2)
  worker.finish([once!], { attempts: [2] })
  worker.finish([never!])
  assert.deepEqual(client.take('failed').tasks, [twice])
  assert.deepEqual([scheduler.tasks.failed, scheduler.tasks['in-memory']], [1, 2])
})

test('a task that says so, or whose filter says so, is not tried again', () => {
  const { client, worker, task } = oneTask({ count: 5 })
  worker.fail(task, 1, true)
  assert.equal(client.take('failed').attempt, 1)
})

test('a time-out and a thread that ended are failures of the task', () => {
  const { client, worker, task } = oneTask({ count: 2 })
  worker.send({ type: 'tasks-timed-out', tasks: [task], attempts: [1], goOn: [] })
  worker.takeTasks()
  worker.send({
    type: 'task-exited',
    task,
    attempt: 2 as never,
    exitCode: 1,
    reason: 'it exited',
    isOutOfMemory: false,
  })
  worker.takeTasks()
  worker.send({ type: 'tasks-timed-out', tasks: [task], attempts: [3], goOn: [] })
  assert.equal(client.take('failed').code, 'ERR_HEDDLE_TASK_TIMEOUT')
})

test('what goes wrong around a task is none of its failures', () => {
  const { scheduler, client, worker, task } = oneTask({ count: 1 })
  worker.send({ type: 'tasks-returned', tasks: [task], attempts: [1], begun: [] })
  assert.deepEqual(worker.takeTasks(), [task])
  worker.leave()
  const other = scheduler.worker()
  assert.deepEqual(other.takeTasks(), [task])
  other.fail(task, 3)
  assert.deepEqual(other.takeTasks(), [task])
  assert.deepEqual(client.unread, [])
})

test('a task waits for its next try, and its slot is for others meanwhile', () => {
  const { scheduler, client, worker, template, task } = oneTask({ count: 3, delayMs: 100, isExponential: true })
  const [other] = client.submit(template, [{}])
  worker.fail(task)
  assert.deepEqual(worker.takeTasks(), [other])
  assert.equal(scheduler.tasks.delayed, 1)
  worker.finish([other!])
  const waited: number[] = []
  for (const attempt of [2, 3, 4]) {
    waited.push(scheduler.wakeUp())
    assert.deepEqual(worker.takeTasks(), [task])
    worker.fail(task, attempt)
  }
  assert.deepEqual(waited, [100, 200, 400])
  assert.equal(scheduler.tasks.failed, 1)
})

test('a task that waits for its next try and is let go, or cancelled, leaves nothing behind', () => {
  for (const end of ['release', 'cancel', 'leave'] as const) {
    const { scheduler, client, worker, task } = oneTask({ count: 3, delayMs: 100 })
    worker.fail(task)
    if (end === 'leave') client.leave()
    else {
      const error = Uint8Array.of(1)
      if (end === 'cancel') client.send({ type: 'cancel', request: 1, tasks: [task], graceMs: 0, error })
      client.release(task)
    }
    if (end === 'cancel') assert.deepEqual(client.take('cancelled').stoppedBy, ['queue'])
    assert.equal(scheduler.state.delayed.length, 0)
    scheduler.expectEmpty()
  }
})

test('a value that is made again may fail as often as the first time', () => {
  const { client, worker, task, scheduler } = oneTask({ count: 1 })
  worker.fail(task)
  worker.takeTasks()
  worker.finish([task], { attempts: [2], sizeBytes: 1_000_000 })
  worker.leave()
  const other = scheduler.worker()
  assert.deepEqual(other.takeTasks(), [task])
  other.fail(task, 3)
  assert.deepEqual(other.takeTasks(), [task])
  assert.deepEqual(
    client.unread.filter((type) => type === 'failed'),
    [],
  )
})

test('a task with several outputs is tried again as a whole', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const retries = { ...NO_RETRIES, count: 1, delayMs: 5, maxDelayMs: 5 }
  const template = client.define('split', { outputs: 2, rules: { retries } })
  const { producer, outputs } = client.split(template, 2)
  worker.takeTasks()
  worker.fail(producer)
  assert.equal(scheduler.wakeUp(), 5)
  assert.deepEqual(worker.takeTasks(), [producer])
  worker.fail(producer, 2)
  assert.deepEqual(client.take('failed').tasks, outputs)
})

test('delays grow up to their bound, and chance shortens them, the same for the same seed', () => {
  const rules = { ...NO_RETRIES, count: 9, delayMs: 100, isExponential: true, maxDelayMs: 1_000 }
  const delays = (given: RetryRules): number[] =>
    [1, 2, 3, 4, 5, 2_000].map((failures) => delayOf(given, failures, new Rng(1)))
  assert.deepEqual(delays(rules), [100, 200, 400, 800, 1_000, 1_000])
  assert.deepEqual(delays({ ...rules, isExponential: false }), new Array(6).fill(100))
  const rng = new Rng(7)
  const drawn = Array.from({ length: 100 }, () => delayOf({ ...rules, jitterThousandths: 500 }, 1, rng))
  assert.ok(drawn.every((delayMs) => delayMs >= 50 && delayMs <= 100))
  assert.ok(new Set(drawn).size > 20)
})

test('the code of a filter goes to a worker before the first task that may need it, and goes with its last template', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const filter = 'hash of on'
  client.send({
    type: 'define-code',
    code: filter as never,
    kind: 'function',
    source: Uint8Array.of(2),
    sourceMap: undefined,
  })
  const template = client.define('f', { rules: { retries: { ...NO_RETRIES, count: 1, filter } } })
  client.submit(template, [{}])
  assert.deepEqual([worker.take('define-code').code, worker.take('define-code').code], ['hash of f', filter])
  assert.equal(worker.take('define-template').retryFilter, filter)
  client.leave()
  assert.equal(scheduler.state.codes.size, 0)
})

test('a template whose filter has no code is refused', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  client.define('f', { rules: { retries: { ...NO_RETRIES, count: 1, filter: 'nowhere' } } })
  assert.equal(scheduler.takeClosing().type, 'close-client')
})
