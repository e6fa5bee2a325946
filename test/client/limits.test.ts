/** Limits as a client declares and takes them, against a scheduler that says what the test wants. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { once } from 'node:events'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import { resolveNeeds } from '../../client/needs.js'
import { FakeScheduler } from './fake-scheduler.js'

const DB = { name: 'db', kind: 'semaphore', units: 2, perSecond: 0 }

test('a limit is declared once, before what is submitted later', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const db = client.semaphore('db', 2)
  client.semaphore('db', 2)
  client.rateLimit('api', { perSecond: 250 })
  client.with({ limits: { db: 1 } }).submit(() => 1)
  await scheduler.untilSubmitted(1)

  assert.deepEqual([db.name, db.units], ['db', 2])
  const types = scheduler.messages.map(({ type }) => type)
  assert.ok(types.indexOf('declare-limit') < types.indexOf('define-template'))
  const api = { name: 'api', kind: 'rate', units: 3, perSecond: 250 }
  assert.deepEqual(
    scheduler.all('declare-limit').map(({ limit }) => limit),
    [DB, api],
  )
  assert.deepEqual(scheduler.all('define-template')[0]?.needs, { ...NO_NEEDS, limits: [{ name: 'db', units: 1 }] })
})

test('another limit under a name that this client knows is refused at once', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  client.semaphore('db', 2)
  const conflict = { code: 'ERR_HEDDLE_LIMIT_CONFLICT' }
  assert.throws(() => client.semaphore('db', 3), {
    ...conflict,
    message: /declared "db" as a semaphore of 2, not a sem/,
  })
  assert.throws(() => client.rateLimit('db', { perSecond: 1 }), conflict)
})

test('where the cluster has another limit under the name, the client warns, and refuses from then on', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const db = client.semaphore('db', 2)
  const warned = once(process, 'warning')
  await scheduler.until('declare-limit')
  scheduler.send({ type: 'limit-refused', name: 'db', reason: 'The cluster knows better.' })
  const [warning] = (await warned) as [Error & { code: string }]
  assert.deepEqual([warning.message, warning.code], ['The cluster knows better.', 'ERR_HEDDLE_LIMIT_CONFLICT'])
  assert.throws(() => client.semaphore('db', 2), { message: 'The cluster knows better.' })
  const taking = db.acquire()
  const request = (await scheduler.until('take-unit'))[0]!.request
  scheduler.send({ type: 'unit-refused', request, reason: 'No.' })
  await assert.rejects(taking, { code: 'ERR_HEDDLE_LIMIT_CONFLICT', message: 'No.' })
})

test('a unit that was acquired is given back once, by the end of its scope', async () => {
  await using scheduler = await FakeScheduler.start()
  const db = scheduler.client.semaphore('db', 2)
  {
    const taking = db.acquire()
    const { request, limit } = (await scheduler.until('take-unit'))[0]!
    assert.deepEqual(limit, DB)
    scheduler.send({ type: 'unit-taken', request })
    await using held = await taking
    assert.equal(scheduler.all('return-unit').length, 0)
    await held.release()
  }
  await scheduler.until('return-unit')
})

test('who gives up waiting says so, and gets nothing', async () => {
  await using scheduler = await FakeScheduler.start()
  const api = scheduler.client.rateLimit('api', { perSecond: 1, burst: 5 })
  await assert.rejects(api.acquire({ timeoutMs: 1 }), { name: 'TimeoutError', message: /^No unit of "api" was free/ })
  await assert.rejects(api.acquire({ signal: AbortSignal.abort(new Error('enough')) }), { message: 'enough' })
  const [taken] = await scheduler.until('take-unit')
  const [given] = await scheduler.until('return-unit')
  assert.equal(given?.request, taken?.request)
})

test('wrong limits, and workers that are none, are refused with what would be right', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const wrong: readonly (readonly [() => unknown, RegExp])[] = [
    [() => client.semaphore('', 1), /The name of a limit is ""; give a text/],
    [() => client.semaphore('db', 0), /has 0 units; give a whole number from 1 up/],
    [() => client.rateLimit('db', { perSecond: 0 }), /perSecond is 0; give a number above 0/],
    [() => client.rateLimit('db', { perSecond: 1, burst: 0.5 }), /burst is 0.5; give a whole number/],
    [() => client.rateLimit('db', { perSecond: 1, per: 1 } as never), /has no option "per"/],
    [() => client.with({ limits: { db: 1.5 } }), /limits.db is 1.5; give a whole number/],
    [() => client.with({ limits: ['db'] as never }), /limits is an array; give an object/],
    [() => client.with({ workers: 'a' as never }), /workers is "a"; give a list of names/],
    [() => client.with({ workers: [''] }), /workers has ""; give names/],
    [() => client.with({ allowOtherWorkers: true }), /workers names none/],
    [
      () => client.with({ workers: ['a'], allowOtherWorkers: 1 as never }),
      /allowOtherWorkers is 1; give true or false/,
    ],
    [() => client.on('block' as never, () => undefined), /has no event "block"; it has "blocked"/],
  ]
  for (const [call, message] of wrong) assert.throws(call, { code: 'ERR_HEDDLE_INVALID_OPTION', message })
})

test('limits and workers go along with other options, and equal ones are the same', () => {
  const base = resolveNeeds({ resources: { gpu: 1 }, limits: { b: 1, a: 2 } }, NO_NEEDS)
  const limits = [
    { name: 'a', units: 2 },
    { name: 'b', units: 1 },
  ]
  assert.deepEqual([base.limits, base.others.length], [limits, 1])
  const wished = resolveNeeds({ workers: ['b', 'a', 'b'], allowOtherWorkers: true }, base)
  assert.deepEqual([wished.workers, wished.allowsOthers, wished.limits], [['a', 'b'], true, limits])
  assert.equal(resolveNeeds({ workers: ['c'] }, wished).allowsOthers, false)
  assert.equal(resolveNeeds({ limits: {}, workers: [], resources: {} }, wished), NO_NEEDS)
  assert.equal(resolveNeeds({}, base), base)
})

test('what is blocked is told to whoever listens', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const told: unknown[] = []
  const heard = new Promise<void>((resolve) => {
    client.on('blocked', (blocked) => {
      told.push(blocked)
      resolve()
    })
  })
  scheduler.send({ type: 'blocked', needs: 'gpu=1', reason: 'none has', functions: ['train'] })
  await heard
  assert.deepEqual(told, [{ needs: 'gpu=1', reason: 'none has', functions: ['train'] }])
})
