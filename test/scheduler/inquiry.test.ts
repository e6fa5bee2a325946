/** Questions that the scheduler passes on to workers, and what it tells of itself. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { entryOf } from '../../common/packed.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

test('all workers are asked, and the client hears of it when those have answered that are still there', () => {
  const scheduler = new SchedulerHarness()
  const [a, b, c] = [scheduler.worker(), scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  scheduler.skip()
  client.send({ type: 'ask-workers', request: 4, subject: 'logs', workers: [] })
  const { question, subject } = a.take('tell')
  assert.equal(subject, 'logs')
  b.take('tell')
  b.send({ type: 'told', question, report: Uint8Array.of(2) })
  b.send({ type: 'told', question, report: Uint8Array.of(9) })
  c.leave()
  assert.deepEqual(client.unread, [])
  a.send({ type: 'told', question, report: Uint8Array.of(1) })
  const { request, workers, reports } = client.take('workers-told')
  assert.equal(request, 4)
  assert.deepEqual(workers, [b.join.name, a.join.name])
  assert.deepEqual([...entryOf(reports, 0), ...entryOf(reports, 1)], [2, 1])
  assert.equal(scheduler.state.inquiries.size, 0)
})

test('one worker is asked by its name, an unknown one is said, and nobody is bothered for a client that is gone', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker({ name: 'a' }), scheduler.worker({ name: 'b' })]
  const client = scheduler.client()
  scheduler.skip()
  client.send({ type: 'ask-workers', request: 1, subject: 'runs', workers: ['a', 'z'] })
  assert.deepEqual(client.take('workers-told').unknown, ['z'])
  client.send({ type: 'ask-workers', request: 2, subject: 'runs', workers: ['a'] })
  const { question } = a.take('tell')
  assert.deepEqual(b.unread, [])
  client.leave()
  a.send({ type: 'told', question, report: Uint8Array.of(1) })
  assert.equal(scheduler.state.inquiries.size, 0)
})

test('who only looks asks all workers, or those of a name, and is told once they have answered or gone', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker({ name: 'a' }), scheduler.worker({ name: 'b' })]
  scheduler.turn({ type: 'looker-asked', request: 3, question: { about: 'logs', workers: [] } })
  const { question } = a.take('tell')
  b.take('tell')
  a.send({ type: 'told', question, report: Uint8Array.of(7) })
  b.leave()
  const { request, answer } = scheduler.takeOrder('answer-looker')
  assert.deepEqual([request, answer.workers, [...answer.reports.bytes]], [3, ['a'], [7]])
  scheduler.turn({ type: 'looker-asked', request: 4, question: { about: 'runs', workers: ['z', 'a'] } })
  assert.deepEqual(scheduler.takeOrder('answer-looker').answer.unknown, ['z'])
  assert.equal(scheduler.state.inquiries.size, 0)
})

test('a profile is taken for who looks after the cluster, too', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker({ name: 'a' })
  const order = { durationMs: 100, intervalMicros: 500 }
  scheduler.turn({ type: 'looker-asked', request: 5, question: { about: 'profile', workers: ['a'], order } })
  const { question, ...asked } = a.take('take-profile')
  assert.deepEqual(asked, { type: 'take-profile', ...order })
  a.send({ type: 'told', question, report: Uint8Array.of(1) })
  assert.deepEqual(scheduler.takeOrder('answer-looker').answer.workers, ['a'])
})

test('every worker is asked about a task, with the inputs that it had; about none, nobody is', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const f = client.define('f')
  const [x] = client.map(f, 1)
  const [y] = client.submit(f, [{ inputs: [x!], key: 'y' }])
  scheduler.skip()
  scheduler.turn({ type: 'looker-asked', request: 1, question: { about: 'task', key: 'y' } })
  const asked = a.take('tell-of-task')
  assert.deepEqual([asked.task, asked.key, asked.inputs], [y, 'y', [x]])
  const { question } = b.take('tell-of-task')
  for (const worker of [a, b]) worker.send({ type: 'told', question, report: Uint8Array.of(1) })
  assert.equal(scheduler.takeOrder('answer-looker').answer.workers.length, 2)
  scheduler.turn({ type: 'looker-asked', request: 2, question: { about: 'task', key: 'absent' } })
  assert.deepEqual(scheduler.takeOrder('answer-looker').answer.workers, [])
})

test('a dump tells what waits for what, and neither values nor secrets', () => {
  const scheduler = new SchedulerHarness({ peerSecret: 'the-secret' })
  scheduler.worker({ name: 'a' })
  const client = scheduler.client()
  const f = client.define('f')
  const [x] = client.map(f, 1)
  client.submit(f, [{ inputs: [x!], key: 'y' }])
  client.send({ type: 'ask-dump', request: 1 })
  const { state } = client.take('dump')
  assert.ok(!state.includes('the-secret'))
  const dump = JSON.parse(state) as { pendingTasks: { key: string; state: string; inputs: string[] }[] }
  const y = dump.pendingTasks.find(({ key }) => key === 'y')
  assert.equal(y?.state, 'waiting')
  assert.match(y?.inputs[0] ?? '', /^f-.*: processing$/)
})

test('a profile is taken of the workers that are asked for, within limits', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker({ name: 'a' })
  scheduler.worker({ name: 'b' })
  const client = scheduler.client()
  const order = { durationMs: 500, intervalMicros: 1_000 }
  client.send({ type: 'ask-profile', request: 7, workers: ['a'], ...order })
  const { question, ...asked } = a.take('take-profile')
  assert.deepEqual(asked, { type: 'take-profile', ...order })
  a.send({ type: 'told', question, report: Uint8Array.of(1) })
  const { request, workers } = client.take('workers-told')
  assert.deepEqual([request, workers], [7, ['a']])
  client.send({ type: 'ask-profile', request: 8, workers: [], durationMs: 60_000, intervalMicros: 100 })
  assert.equal(scheduler.takeClosing().type, 'close-client')
})
