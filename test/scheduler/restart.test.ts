/** A restart: all work of all clients is cancelled, and every worker process is a new one. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayOf } from '../../protocol/ids.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

test('everything is cancelled, and who asked hears of it when as many workers are back', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker({ isWatched: true, name: 'a' })
  const b = scheduler.worker({ isWatched: true, name: 'b' })
  const client = scheduler.client()
  const other = scheduler.client()
  const f = client.define()
  const [done] = client.map(f, 1)
  for (const worker of [a, b]) worker.finish(worker.takeTasks())
  const pending = client.map(f, 300)
  const [after] = client.submit(f, [{ inputs: [done!, pending[299]!] }])
  const { producer: _, outputs } = other.split(other.define('split', { outputs: 2 }), 2)
  client.send({ type: 'publish', request: 1, name: 'kept', task: done! })
  scheduler.skip()

  client.send({ type: 'restart', request: 9, timeoutMs: 60_000 })
  assert.deepEqual([a.take('restart').type, b.take('restart').type], ['restart', 'restart'])
  const failed = client.take('failed')
  assert.equal(failed.code, 'ERR_HEDDLE_TASK_CANCELLED')
  assert.match(failed.reason, /restarted by client "client"/)
  assert.deepEqual([...failed.tasks].sort(), [done!, ...pending, after!].sort())
  assert.deepEqual(other.take('failed').tasks.toSorted(), outputs.toSorted())
  assert.equal(scheduler.state.datasets.size, 0)
  assert.ok(!a.unread.includes('farewell'))

  a.leave()
  // The new process may be there before the end of the old one is seen.
  const again = scheduler.worker({ isWatched: true, name: 'b', incarnation: b.join.incarnation })
  assert.ok(!client.unread.includes('restarted'))
  scheduler.worker({ isWatched: true, name: 'a', incarnation: a.join.incarnation })
  assert.deepEqual(client.take('restarted'), { type: 'restarted', request: 9, unwatched: [], absent: [] })

  client.release(done!, ...pending, after!)
  other.release(...outputs)
  scheduler.expectEmpty()
  const [next] = client.map(f, 1)
  assert.deepEqual([...again.takeTasks(), ...again.takeTasks()].length <= 1 && next !== undefined, true)
})

test('a future from before the restart lets go of nothing that came after it', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ isWatched: true, name: 'a' })
  const client = scheduler.client()
  const f = client.define()
  const [before] = client.submit(f, [{ key: 'model', arg: 1 }])
  worker.takeTasks()
  client.send({ type: 'restart', request: 1, timeoutMs: 60_000 })
  worker.leave()
  const again = scheduler.worker({ isWatched: true, name: 'a', incarnation: worker.join.incarnation })
  const [after] = client.submit(f, [{ key: 'model', arg: 1 }])
  assert.deepEqual(again.takeTasks(), [after])

  client.release(before!)

  assert.ok(!again.unread.includes('free-tasks'))
  again.finish([after!])
  client.want(after!)
  assert.deepEqual([...client.takeValues().keys()], [after])
})

test('where nobody would start a worker again, nothing happens', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ name: 'alone' })
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  scheduler.skip()
  client.send({ type: 'restart', request: 1, timeoutMs: 60_000 })
  assert.deepEqual(client.take('restarted').unwatched, ['alone'])
  assert.deepEqual(worker.unread, [])
  worker.finish([x!])
  assert.equal(scheduler.tasks['in-memory'], 1)
})

test('a scattered value under way is cancelled too, and a client that goes is not answered', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ isWatched: true })
  const client = scheduler.client()
  const [future] = client.submission(client.define(), [{}]).ids // The place in an array of its own.
  const array = arrayOf(future!)
  client.send({ type: 'scatter', array, sizeBytes: 1_000, copies: 'one', workers: [] })
  client.send({ type: 'restart', request: 1, timeoutMs: 60_000 })
  assert.equal(client.take('failed').code, 'ERR_HEDDLE_TASK_CANCELLED')
  assert.equal(client.take('scattered').tasks.length, 1)
  client.leave()
  worker.leave()
  scheduler.worker({ isWatched: true })
  assert.equal(scheduler.state.restarts.size, 0)
})

test('a worker that stays away is named when the time is over', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker({ isWatched: true, name: 'a' })
  const b = scheduler.worker({ isWatched: true, name: 'b' })
  scheduler.worker({ isWatched: true, name: 'c' })
  const client = scheduler.client()
  client.send({ type: 'restart', request: 4, timeoutMs: 5_000 })
  a.leave()
  b.leave()
  scheduler.worker({ isWatched: true, name: 'a', incarnation: a.join.incarnation })
  assert.ok(!client.unread.includes('restarted'))
  while (!client.unread.includes('restarted')) scheduler.wakeUp()
  assert.deepEqual(client.take('restarted').absent, ['b', 'c'])
  assert.equal(scheduler.state.restarts.size, 0)
})
