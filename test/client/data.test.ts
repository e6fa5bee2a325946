/** What calls about data say to the scheduler, and what its answers mean. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { Future } from '../../client/future.js'
import { generatedKey } from '../../protocol/ids.js'
import { FakeScheduler } from './fake-scheduler.js'

const settled = async (future: PromiseLike<unknown>): Promise<unknown> => await future

test('a future is published as itself, and anything else as a task that gives it, with the futures in it', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const x = client.submit(() => 1)
  const first = client.publish('one', x)
  x.release() // Right behind: by then the scheduler holds it.
  const [asked] = await scheduler.until('publish')
  assert.deepEqual({ name: asked!.name, task: asked!.task }, { name: 'one', task: scheduler.submitted[0] })
  scheduler.send({ type: 'published', request: asked!.request, outcome: 'done' })
  await first
  await scheduler.until('release')
  const types = scheduler.messages.map(({ type }) => type)
  assert.ok(types.indexOf('release') > types.indexOf('publish'))

  const y = client.submit(() => 2)
  const both = client.publish('both', { y, rows: [1] })
  const [, second] = await scheduler.until('publish', 2)
  assert.equal(second!.task, scheduler.submitted[2])
  assert.deepEqual(scheduler.all('submit').at(-1)!.inputs, [scheduler.submitted[1]])
  scheduler.send({ type: 'published', request: second!.request, outcome: 'taken' })
  await assert.rejects(both, { code: 'ERR_HEDDLE_KEY_CONFLICT', message: /"both" already/ })
  await scheduler.until('release', 2)
  assert.ok(scheduler.released.includes(scheduler.submitted[2]!))
})

test('a future that failed here can’t be published, and says why', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const broken = client.module<{ f(): number }>(new URL('file:///absent/tasks.ts')).f()
  const publishing = client.publish('broken', broken)
  const [asked] = await scheduler.until('publish')
  scheduler.send({ type: 'published', request: asked!.request, outcome: 'gone' })
  await assert.rejects(publishing, { code: 'ERR_HEDDLE_MODULE' })
  await assert.rejects(client.publish('', 1), { code: 'ERR_HEDDLE_INVALID_OPTION' })
})

test('a dataset is one more future, also as an argument, and fails if there is none', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const rates: Future<number> = client.dataset<number>('rates')
  client.submit((x: number) => x + 1, rates)
  const [opened] = await scheduler.until('open-dataset')
  assert.equal(opened!.name, 'rates')
  await scheduler.untilSubmitted(1)
  const [input] = scheduler.all('submit')[0]!.inputs
  assert.equal(rates.key, generatedKey('dataset', input!))
  const value = rates.result()
  await scheduler.until('want')
  scheduler.values([[input!, 3]])
  assert.equal(await value, 3)

  const absent = client.dataset('absent')
  const failing = settled(absent)
  await scheduler.until('open-dataset', 2)
  const [, id] = (await scheduler.until('want', 2)).flatMap(({ tasks }) => tasks)
  scheduler.refused([id!], 'ERR_HEDDLE_NO_DATASET', 'Nothing is published under the name "absent".')
  await assert.rejects(failing, { code: 'ERR_HEDDLE_NO_DATASET' })
})

test('who has what is told by key, of many values a part at a time', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const futures = client.map(
    (x: number) => x,
    Array.from({ length: 9_000 }, (_, i) => i),
  )
  const asking = client.whoHas(futures)
  const asked = await scheduler.until('who-has', 2)
  assert.deepEqual(
    asked.map(({ tasks }) => tasks.length),
    [8_192, 808],
  )
  for (const { request, tasks } of asked.toReversed()) {
    scheduler.send({ type: 'held-by', request, workers: tasks.map((task) => [`w${task % 2}`]) })
  }
  const holders = await asking
  assert.deepEqual(holders[futures[8_999]!.key], ['w1'])
  assert.equal(Object.keys(holders).length, 9_000)
})

test('workers that are not there are not retired, nor restarted those that nobody starts again', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const retiring = client.retireWorkers('w9')
  const [retire] = await scheduler.until('retire-workers')
  assert.deepEqual(retire!.workers, ['w9'])
  const nothing = { values: 0, sizeBytes: 0, cutShort: [] }
  scheduler.send({ type: 'retired', request: retire!.request, unknown: ['w9'], ...nothing })
  await assert.rejects(retiring, { code: 'ERR_HEDDLE_INVALID_OPTION', message: /no worker "w9"/ })
  await assert.rejects(client.retireWorkers([]), { code: 'ERR_HEDDLE_INVALID_OPTION' })
  await assert.rejects(client.retireWorkers('w1', { deadlineMs: -1 }), { message: /deadlineMs is -1/ })
  const draining = client.retireWorkers('w1', { deadlineMs: 1_500.5 })
  const [, drain] = await scheduler.until('retire-workers', 2)
  assert.equal(drain!.deadlineMs, 1_501)
  const moved = { values: 2, sizeBytes: 30, cutShort: ['w1'] }
  scheduler.send({ type: 'retired', request: drain!.request, unknown: [], ...moved })
  assert.deepEqual(await draining, moved)

  const restarting = client.restart()
  const [restart] = await scheduler.until('restart')
  assert.equal(restart!.timeoutMs, 60_000)
  scheduler.send({ type: 'restarted', request: restart!.request, unwatched: ['w1'], absent: [] })
  await assert.rejects(restarting, { code: 'ERR_HEDDLE_INVALID_OPTION', message: /"w1" again/ })
  await assert.rejects(client.restart({ timeoutMs: 0 }), { code: 'ERR_HEDDLE_INVALID_OPTION' })
  const again = client.restart({ timeoutMs: 20 })
  const [, second] = await scheduler.until('restart', 2)
  scheduler.send({ type: 'restarted', request: second!.request, unwatched: [], absent: ['w2'] })
  await assert.rejects(again, { name: 'TimeoutError', message: /"w2" did not come back in 20 ms/ })
})
