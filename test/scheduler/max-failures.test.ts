/** Calls of `map` that stop after so many failures. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { NO_RETRIES, type Rules } from '../../protocol/messages/rules.js'
import { SchedulerHarness, type TestClient } from '../support/scheduler-harness.js'

function mapped(rules: Partial<Rules>, count: number) {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker({ threads: 4 })
  const template = client.define('each', { rules })
  const ids = client.map(template, count)
  return { scheduler, client, worker, template, ids, sent: worker.takeTasks() }
}

function failures(client: TestClient) {
  const all = []
  while (client.unread.includes('failed')) all.push(client.take('failed'))
  return all
}

test('after so many failures the rest is cancelled, and what runs of it is stopped', () => {
  const { scheduler, client, worker, ids, sent } = mapped({ maxFailures: 2 }, 2_000)
  assert.equal(sent.length, 4)
  worker.fail(sent[0]!)
  assert.deepEqual(failures(client).length, 1)
  sent.push(...worker.takeTasks())
  worker.fail(sent[1]!)
  const [thrown, cancelled] = failures(client)
  assert.deepEqual([thrown!.tasks, thrown!.code], [[sent[1]], ''])
  assert.equal(cancelled!.code, 'ERR_HEDDLE_TASK_CANCELLED')
  assert.match(cancelled!.reason, /^It was cancelled because 2 tasks of the same call failed, as its maxFailures says; the last one is each-\w+\.$/) // prettier-ignore
  assert.equal(cancelled!.tasks.length, ids.length - 2)
  assert.deepEqual([...worker.take('free-tasks').tasks].sort(), sent.slice(2).sort())
  const { tasks } = scheduler
  assert.deepEqual([tasks.ready, tasks.processing, tasks.failed], [0, 0, 2_000])
  assert.equal(scheduler.state.totals.failed, 2)
})

test('of failures that come together, no more count than it says', () => {
  const { client, worker, sent, scheduler } = mapped({ maxFailures: 1 }, 4)
  scheduler.turn(
    ...sent.map((task) => {
      const message = {
        type: 'task-failed',
        task,
        attempt: 1 as never,
        error: Uint8Array.of(66),
        isFinal: false,
      } as const
      return { type: 'worker-message', worker: worker.id, message } as const
    }),
  )
  assert.deepEqual(failures(client).map(({ code, tasks }) => [code, tasks.length]), [['', 1], ['ERR_HEDDLE_TASK_CANCELLED', 3]]) // prettier-ignore
})

test('what finished before stays, and what comes later is cancelled too', () => {
  const { client, worker, template, sent, scheduler } = mapped({ maxFailures: 1 }, 4)
  worker.finish([sent[0]!])
  worker.fail(sent[1]!)
  assert.deepEqual(failures(client).flatMap(({ tasks }) => tasks).sort(), sent.slice(1).sort()) // prettier-ignore
  assert.equal(scheduler.tasks['in-memory'], 1)
  const more = client.map(template, 10)
  const [late] = failures(client)
  assert.deepEqual([late!.tasks, late!.code], [more, 'ERR_HEDDLE_TASK_CANCELLED'])
  assert.deepEqual(worker.takeTasks(), [])
})

test('only failures count that are no more tried, and not what was cancelled', () => {
  const { client, worker, sent } = mapped({ maxFailures: 1, retries: { ...NO_RETRIES, count: 1 } }, 4)
  worker.fail(sent[0]!)
  assert.deepEqual(worker.takeTasks(), [sent[0]])
  client.send({ type: 'cancel', request: 1, tasks: [sent[1]!], graceMs: 0, error: Uint8Array.of(1) })
  failures(client)
  worker.finish([sent[2]!])
  assert.deepEqual(failures(client), [])
  worker.fail(sent[0]!, 2)
  assert.deepEqual(failures(client).flatMap(({ tasks }) => tasks).sort(), [sent[0], sent[3]].sort()) // prettier-ignore
})

test('a call of its own is stopped, and no other one of the same function', () => {
  const { client, worker, sent, scheduler } = mapped({ maxFailures: 1 }, 2)
  const others = client.map(client.define('each'), 2)
  assert.deepEqual(worker.takeTasks(), others)
  worker.fail(sent[0]!)
  assert.deepEqual(failures(client).flatMap(({ tasks }) => tasks), sent) // prettier-ignore
  assert.equal(scheduler.tasks.processing, 2)
})
