/** Tasks that are cancelled: they fail at once, and their client hears when their slots are free. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayId, taskId, type TaskId } from '../../protocol/ids.js'
import { NO_RETRIES } from '../../protocol/messages/rules.js'
import { findTask } from '../../scheduler/core/tasks/task-array.js'
import { SchedulerHarness, type TestClient } from '../support/scheduler-harness.js'

const ERROR = Uint8Array.of(99)

/** As a client does: it cancels, and lets go in the same breath. */
function cancel(client: TestClient, tasks: readonly TaskId[], request = 1): void {
  client.send({ type: 'cancel', request, tasks, graceMs: 500, error: ERROR }, { type: 'release', tasks })
}

function twoOnOneWorker() {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const template = client.define()
  const ids = client.map(template, 50)
  const sent = worker.takeTasks()
  assert.ok(sent.length < ids.length, 'all tasks were sent ahead')
  return { scheduler, client, worker, template, sent, queued: ids.filter((id) => !sent.includes(id)) }
}

test('what is queued goes without a word to anybody', () => {
  const { client, worker, queued, scheduler } = twoOnOneWorker()
  cancel(client, queued)
  assert.deepEqual(
    client.take('cancelled').stoppedBy,
    queued.map(() => 'queue'),
  )
  assert.deepEqual(
    worker.unread.filter((type) => type === 'stop-tasks'),
    [],
  )
  assert.equal(scheduler.tasks.ready, 0)
})

test('what runs is stopped where it runs, and the client hears once it has', () => {
  const { scheduler, client, worker, sent, queued } = twoOnOneWorker()
  cancel(client, [...sent, queued[0]!])
  assert.deepEqual(worker.take('stop-tasks'), {
    type: 'stop-tasks',
    tasks: sent,
    attempts: sent.map(() => 1),
    graceMs: 500,
  })
  assert.equal(client.unread.includes('cancelled'), false)
  worker.send({ type: 'tasks-stopped', tasks: sent, attempts: [], stoppedBy: sent.map(() => 'thread') })
  assert.deepEqual(client.take('cancelled').stoppedBy, [...sent.map(() => 'thread'), 'queue'])
  // Its slots are for others meanwhile.
  assert.ok(worker.takeTasks().length > 0)
  assert.equal(scheduler.tasks.failed, 0)
})

test('whatever needs a cancelled task fails with its error', () => {
  const { client, template, sent } = twoOnOneWorker()
  const [dependant] = client.submit(template, [{ inputs: [sent[0]!] }])
  client.want(dependant!)
  cancel(client, [sent[0]!])
  const failed = client.take('failed')
  assert.deepEqual(failed.tasks.includes(dependant!), true)
  assert.equal(failed.code, 'ERR_HEDDLE_TASK_CANCELLED')
  assert.deepEqual(failed.error, ERROR)
})

test('a finished task, one that was let go and one of somebody else are not stopped', () => {
  const { scheduler, client, worker, sent, queued } = twoOnOneWorker()
  worker.finish([sent[0]!])
  client.release(queued[0]!)
  cancel(client, [sent[0]!, queued[0]!])
  assert.deepEqual(client.take('cancelled').stoppedBy, ['none', 'none'])
  const other = scheduler.client('other')
  cancel(other, [queued[1]!])
  assert.deepEqual(other.take('cancelled').stoppedBy, ['none'])
  assert.equal(scheduler.tasks.failed, 0)
})

test('the client is not told what it said itself, and no records are made for that', () => {
  const { scheduler, client, sent, queued } = twoOnOneWorker()
  client.send({ type: 'cancel', request: 1, tasks: [...sent, ...queued], graceMs: 500, error: ERROR })
  assert.equal(client.unread.includes('failed'), false)
  // Cancelled is let go of.
  client.want(queued[0]!)
  assert.equal(client.take('failed').code, 'ERR_HEDDLE_RELEASED')
  assert.equal(scheduler.tasks.ready + scheduler.tasks.failed, 0)
})

test('a task that another client holds too goes on', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const [one, other] = [scheduler.client('one'), scheduler.client('other')]
  const [ofOne] = one.submit(one.define(), [{ key: 'shared', arg: 1 }])
  const [ofOther] = other.submit(other.define(), [{ key: 'shared', arg: 1 }])
  assert.deepEqual(worker.takeTasks(), [ofOne])
  cancel(one, [ofOne!])
  assert.deepEqual(one.take('cancelled').stoppedBy, ['none'])
  other.want(ofOther!)
  worker.finish([ofOne!])
  assert.deepEqual([...other.takeValues().keys()], [ofOther])
  cancel(other, [ofOther!])
  other.leave()
  one.leave()
  scheduler.expectEmpty()
})

test('a task whose value was lost goes on when what had it before is another client’s, and ready, waits for more, or is to be tried again', () => {
  for (const dependant of ['ready', 'waiting', 'delayed'] as const) {
    for (const whose of ['other', 'one'] as const) {
      const scheduler = new SchedulerHarness()
      const worker = scheduler.worker()
      const [one, other] = [scheduler.client('one'), scheduler.client('other')]
      const [ofOne] = one.submit(one.define(), [{ key: 'shared' }])
      const [ofOther] = other.submit(other.define(), [{ key: 'shared' }])
      worker.finish(worker.takeTasks(), { sizeBytes: 5_000 })

      const owner = whose === 'other' ? other : one
      const retries = { ...NO_RETRIES, count: 1, delayMs: 5, maxDelayMs: 5 }
      const busy = dependant === 'delayed' ? [] : one.map(one.define('busy'), 1)
      const more = dependant === 'waiting' ? owner.map(owner.define('more'), 1) : []
      const [needing] = owner.submit(owner.define('needing', { rules: { retries } }), [
        { inputs: [whose === 'other' ? ofOther! : ofOne!, ...more] },
      ])
      other.release(ofOther!)
      if (dependant === 'delayed') worker.fail(needing!)
      assert.equal(findTask(scheduler.state, needing!)?.state.type, dependant)
      worker.send({ type: 'values-lost', tasks: [ofOne!] })
      worker.takeTasks()

      cancel(one, [ofOne!])
      if (whose === 'one') {
        assert.equal(findTask(scheduler.state, ofOne!)?.state.type, 'failed', dependant)
        continue
      }
      assert.deepEqual(one.take('cancelled').stoppedBy, ['none'])
      const finish = (task: TaskId): void => {
        worker.finish([task], { sizeBytes: 5_000, attempts: task === ofOne ? [2] : [] })
      }
      if (busy.length === 0) finish(ofOne!)
      else {
        worker.finish(busy)
        for (let left = 1 + more.length; left > 0; left--) for (const task of worker.takeTasks()) finish(task)
      }
      if (dependant === 'delayed') scheduler.wakeUp()
      assert.deepEqual(worker.takeTasks(), [needing])
    }
  }
})

test('a producer is stopped with the last of its outputs', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const { producer, outputs } = client.split(client.define('split', { outputs: 2 }), 2)
  assert.deepEqual(worker.takeTasks(), [producer])
  cancel(client, [outputs[0]!], 1)
  assert.deepEqual(client.take('cancelled'), { type: 'cancelled', request: 1, stoppedBy: ['queue'] })
  assert.equal(worker.unread.includes('stop-tasks'), false)
  cancel(client, [outputs[1]!], 2)
  assert.deepEqual(worker.take('stop-tasks').tasks, [producer])
  worker.send({ type: 'tasks-stopped', tasks: [producer], attempts: [], stoppedBy: ['signal'] })
  assert.deepEqual(client.take('cancelled'), { type: 'cancelled', request: 2, stoppedBy: ['signal'] })
  scheduler.expectEmpty()
})

test('each of two attempts of a task that are stopped on one worker answers its own question', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const [task] = client.submit(client.define(), [{ key: 'k' }])
  const array = arrayId(client.firstArray + 5_000)
  const again = taskId(array, 0)
  client.send({ type: 'attach', array, key: 'k' })
  assert.deepEqual(worker.takeTasks(), [task])
  cancel(client, [task!], 1)
  client.send({ type: 'retry', tasks: [again] })
  assert.deepEqual(worker.takeTasks(), [task])
  cancel(client, [again], 2)
  assert.deepEqual(worker.take('stop-tasks').attempts, [1])
  assert.deepEqual(worker.take('stop-tasks').attempts, [2])
  worker.send({ type: 'tasks-stopped', tasks: [task!], attempts: [2], stoppedBy: ['queue'] })
  assert.deepEqual(client.take('cancelled'), { type: 'cancelled', request: 2, stoppedBy: ['queue'] })
  worker.send({ type: 'tasks-stopped', tasks: [task!], attempts: [1], stoppedBy: ['thread'] })
  assert.deepEqual(client.take('cancelled'), { type: 'cancelled', request: 1, stoppedBy: ['thread'] })
  scheduler.expectEmpty()
})

test('with a worker, what it was to stop is gone', () => {
  const { client, worker, sent } = twoOnOneWorker()
  cancel(client, [sent[0]!])
  worker.leave()
  assert.deepEqual(client.take('cancelled').stoppedBy, ['process'])
})

test('a worker that leaves is dismissed once what it was to stop has stopped', () => {
  const { scheduler, client, worker, sent } = twoOnOneWorker()
  worker.send({ type: 'leaving' }, { type: 'tasks-returned', tasks: sent.slice(1), attempts: [], begun: [] })
  cancel(client, [sent[0]!])
  assert.equal(worker.unread.includes('farewell'), false)
  worker.send({ type: 'tasks-stopped', tasks: [sent[0]!], attempts: [], stoppedBy: ['thread'] })
  worker.take('farewell')
  assert.equal(scheduler.tasks.processing, 0)
})

test('an outcome that crosses with the order to stop is dropped, and its value freed', () => {
  const { client, worker, sent } = twoOnOneWorker()
  cancel(client, [sent[0]!])
  worker.take('stop-tasks')
  worker.finish([sent[0]!])
  assert.ok(worker.take('free-tasks').tasks.includes(sent[0]!))
  assert.equal(client.unread.includes('finished'), false)
})

test('nobody is told when the client that asked is gone', () => {
  const { scheduler, client, worker, sent } = twoOnOneWorker()
  cancel(client, [sent[0]!])
  client.leave()
  worker.send({ type: 'tasks-stopped', tasks: [sent[0]!], attempts: [], stoppedBy: ['thread'] })
  assert.deepEqual(
    client.unread.filter((type) => type === 'cancelled'),
    [],
  )
  scheduler.expectEmpty()
})

test('a scattered value that is cancelled on its way is dropped', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  scheduler.worker()
  const { message, ids } = client.submission(client.define(), [{}])
  if (message.type !== 'submit') assert.fail()
  client.send({ type: 'scatter', array: message.array, sizeBytes: 100, copies: 'one', workers: [] })
  client.take('scatter-to')
  cancel(client, ids)
  assert.deepEqual(client.take('scattered').tasks, ids)
  assert.deepEqual(client.take('cancelled').stoppedBy, ['queue'])
  scheduler.expectEmpty()
})
