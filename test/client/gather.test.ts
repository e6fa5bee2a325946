import assert from 'node:assert/strict'
import test from 'node:test'
import type { Future } from '../../client/future.js'
import { placesOf } from '../../client/task-array.js'
import type { TaskFuture } from '../../client/task-future.js'
import { arrayId, taskId, type TaskId } from '../../protocol/ids.js'
import { encodeValue } from '../../protocol/values/encode.js'
import { FakeScheduler } from './fake-scheduler.js'

const double = (x: number): number => x * 2

test('gather asks once for all values and puts each into its place', async () => {
  await using scheduler = await FakeScheduler.start()
  const [a, b, c] = scheduler.client.map(double, [1, 2, 3])
  const values = scheduler.client.gather([c!, a!, b!, a!] as const)
  const [want] = await scheduler.until('want')
  const ids = scheduler.submitted
  assert.deepEqual(
    want!.tasks.toSorted((x, y) => x - y),
    ids,
  )
  scheduler.values([[ids[1]!, 4]])
  scheduler.values([
    [ids[0]!, { shared: 'no' }],
    [ids[2]!, 6],
  ])
  const [third, first, second, again] = (await values) as unknown[]
  assert.deepEqual([third, first, second, again], [6, { shared: 'no' }, 4, { shared: 'no' }])
  assert.notEqual(first, again)
  assert.equal(scheduler.all('want').length, 1)
})

test('neighbours in an array that are others among the futures each get what is theirs', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const [a, b, c, d, e] = client.map(double, [0, 1, 2, 3, 4])
  const some = client.gather([b!, c!, e!, d!, a!], { errors: 'settle' })
  const alone = c!.result()
  await scheduler.until('want')
  const ids = scheduler.submitted
  d!.release()
  scheduler.values([0, 1, 2, 4].map((item) => [ids[item]!, item * 2]))
  assert.equal(await alone, 4)
  const values = (await some).map((each) => (each.status === 'fulfilled' ? each.value : 'released'))
  assert.deepEqual(values, [2, 4, 8, 'released', 0])
})

test('gather of nothing is nothing', async () => {
  await using scheduler = await FakeScheduler.start()
  assert.deepEqual(await scheduler.client.gather([]), [])
})

test('gather rejects with the first failure, settles each, or leaves failed ones out', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const futures = client.map(double, [1, 2, 3])
  const thrown = client.gather(futures)
  const settled = client.gather(futures, { errors: 'settle' })
  const skipped = client.gather(futures, { errors: 'skip' })
  await scheduler.until('want')
  const ids = scheduler.submitted
  scheduler.threw([ids[1]!], new RangeError('no'))
  scheduler.values([
    [ids[0]!, 2],
    [ids[2]!, 6],
  ])
  await assert.rejects(thrown, RangeError)
  const results = await settled
  assert.deepEqual(results[0], { status: 'fulfilled', value: 2 })
  assert.equal(results[1]?.status, 'rejected')
  assert.deepEqual(await skipped, [2, 6])
  // What failed is known: it is not asked for again.
  assert.deepEqual(await client.gather([futures[1]!], { errors: 'skip' }), [])
  assert.equal(scheduler.all('want').length, 1)
})

test('gather of a released future, or of what is none, is an error', async () => {
  await using scheduler = await FakeScheduler.start()
  const future = scheduler.client.submit(double, 1)
  future.release()
  await assert.rejects(scheduler.client.gather([future]), { code: 'ERR_HEDDLE_RELEASED' })
  // @ts-expect-error No future.
  await assert.rejects(scheduler.client.gather([3]), {
    message: /Entry 0 given to client\.gather\(\) is 3, and no future/,
  })
})

test('a gather over many thousand futures is one question and one pass', async () => {
  await using scheduler = await FakeScheduler.start()
  const count = 20_000
  const futures = scheduler.client.map(
    double,
    Array.from({ length: count }, (_, i) => i),
  )
  const values = scheduler.client.gather(futures)
  const ids = await scheduler.untilSubmitted(count)
  while (scheduler.wanted.length < count) await scheduler.until('want', scheduler.all('want').length + 1)
  for (let start = 0; start < count; start += 5_000) {
    scheduler.values(ids.slice(start, start + 5_000).map((id, i) => [id, start + i]))
  }
  assert.deepEqual(
    await values,
    Array.from({ length: count }, (_, i) => i),
  )
})

test('a large value is fetched from the worker that holds it', async () => {
  const held = new Map<TaskId, Uint8Array>()
  await using scheduler = await FakeScheduler.start({ held: { 'ws://w1': held } })
  const futures: Future<unknown>[] = scheduler.client.map(double, [1, 2, 3])
  const values = scheduler.client.gather(futures)
  await scheduler.until('want')
  const ids = scheduler.submitted
  const large = new Float64Array(100_000).fill(7)
  const other = taskId(arrayId(7), 3)
  held.set(other, encodeValue(large, { path: 'result' }))
  held.set(ids[1]!, encodeValue('small', { path: 'result' }))
  const location = { type: 'located', sizeBytes: 800_000, holders: ['ws://w1'], workers: [1] } as const
  scheduler.send({ ...location, task: ids[0]!, heldAs: other })
  scheduler.send({ ...location, task: ids[1]!, heldAs: ids[1]! })
  // The same work under the same key is held once, and comes once.
  scheduler.send({ ...location, task: ids[2]!, heldAs: other })

  assert.deepEqual(await values, [large, 'small', large])
  assert.deepEqual(scheduler.dialled, ['ws://w1'])
  assert.equal(futures[0]!.status, 'finished')
})

test('a value that its holder does not have is reported missing, and fetched where the next answer says', async () => {
  const held = new Map<TaskId, Uint8Array>()
  await using scheduler = await FakeScheduler.start({ held: { 'ws://w1': new Map(), 'ws://w3': held } })
  const future = scheduler.client.submit(double, 1)
  const value = future.result()
  await scheduler.until('want')
  const [task] = scheduler.submitted
  held.set(task!, encodeValue('found', { path: 'result' }))
  const locate = (holder: string): void =>
    scheduler.send({ type: 'located', task: task!, heldAs: task!, sizeBytes: 100_000, holders: [holder], workers: [1] })

  locate('ws://w1')
  const [first] = await scheduler.until('missing', 1)
  assert.deepEqual(first, { type: 'missing', task, holder: 'ws://w1' })
  locate('ws://w2')
  // Nobody answers there, and the scheduler has no other way.
  const [asked] = await scheduler.until('open-relay', 1)
  const request = asked!.request
  scheduler.send({ type: 'relay-closed', request, relay: 0, reason: 'There is no worker 1.' })
  const [, second] = await scheduler.until('missing', 2)
  assert.deepEqual(second, { type: 'missing', task, holder: 'ws://w2' })
  locate('ws://w3')
  assert.equal(await value, 'found')
})

test('where futures stand can be gone through more than once', async () => {
  await using scheduler = await FakeScheduler.start()
  const futures = scheduler.client.map(double, [1, 2, 3]) as TaskFuture<number>[]
  const { stretches } = placesOf(futures)
  const { array } = futures[0]!
  for (let time = 0; time < 2; time++) assert.deepEqual([...stretches], [{ array, first: 0, end: 3 }])
})
