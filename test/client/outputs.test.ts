/** Clients with outputs: what they tell the scheduler, and which futures they give. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import type { Future } from '../../client/future.js'
import { entryOf } from '../../common/packed.js'
import { ARRAY_CAPACITY, arrayOf, indexOf } from '../../protocol/ids.js'
import { eventually } from '../support/eventually.js'
import { FakeScheduler } from './fake-scheduler.js'

const split = (x: number): number[] => [x, x + 1]
const add = (a: number, b: number): number => a + b

test('a task with outputs takes a place for itself and one for each, in one run', async () => {
  await using scheduler = await FakeScheduler.start()
  const [a, b] = scheduler.client.with({ outputs: 2 }).submit(split, 7)
  scheduler.client.submit(add, a!, b!)

  const ids = await scheduler.untilSubmitted(4)
  const [splitting, adding] = scheduler.all('define-template')
  assert.deepEqual([splitting!.outputs, adding!.outputs], [2, 0])
  const [submit] = scheduler.all('submit')
  assert.deepEqual(submit!.runs, [splitting!.template, 3, adding!.template, 1])
  assert.deepEqual(submit!.inputCounts, [0, 0, 0, 2])
  assert.deepEqual(submit!.inputs, [ids[1], ids[2]])
  assert.deepEqual(
    submit!.args.ends.map((_, place) => entryOf(submit!.args, place).length > 0),
    [true, false, false, true],
  )
})

test('one function with and without outputs is two templates', async () => {
  await using scheduler = await FakeScheduler.start()
  scheduler.client.submit(split, 1)
  scheduler.client.with({ outputs: 2 }).submit(split, 1)
  scheduler.client.with({ outputs: 2 }).submit(split, 1)
  await scheduler.untilSubmitted(7)
  assert.deepEqual(
    scheduler.all('define-template').map(({ outputs }) => outputs),
    [0, 2],
  )
  assert.equal(scheduler.all('define-code').length, 1)
})

test('each output settles, and is released, on its own; their task is never named', async () => {
  await using scheduler = await FakeScheduler.start()
  const [a, b] = scheduler.client.with({ outputs: 2 }).submit(split, 7)
  const value = b!.result()
  const ids = await scheduler.untilSubmitted(3)
  await scheduler.until('want')
  assert.deepEqual(scheduler.wanted, [ids[2]])
  scheduler.values([[ids[2]!, 8]])
  assert.equal(await value, 8)

  a!.release()
  b!.release()

  await scheduler.until('release')
  assert.deepEqual(scheduler.released, [ids[1], ids[2]])
})

test('arrays are filled with whole tasks', async () => {
  await using scheduler = await FakeScheduler.start()
  const wide = scheduler.client.with({ outputs: 500 })
  for (let i = 0; i < 3; i++) wide.submit(split, i)
  await scheduler.untilSubmitted(3 * 501)
  assert.deepEqual(
    scheduler.all('submit').map(({ args }) => args.ends.length),
    [1_002, 501],
  )
})

for (const count of [900, 1_500]) {
  test(`a map over ${count} items gives a list of futures for each`, async () => {
    await using scheduler = await FakeScheduler.start()
    const rows = scheduler.client.with({ outputs: 3 }).map(
      split,
      Array.from({ length: count }, (_, i) => i),
    )
    const ids = await scheduler.untilSubmitted(count * 4)
    assert.deepEqual([rows.length, new Set(rows.map(({ length }) => length))], [count, new Set([3])])
    const perArray = ARRAY_CAPACITY / 4
    assert.ok(scheduler.all('submit').every(({ args }) => args.ends.length % 4 === 0))
    assert.ok(ids.every((id, i) => indexOf(id) === i % (perArray * 4)))
    const last = rows.at(-1)!
    const waiting = last[2]!.result()
    await scheduler.until('want')
    assert.deepEqual(scheduler.wanted, [ids.at(-1)])
    scheduler.values([[ids.at(-1)!, 'last']])
    assert.equal(await waiting, 'last')
    scheduler.client.release(rows.flat())
    await eventually('all are released', () => scheduler.released.length === count * 3)
    assert.equal(new Set(scheduler.released.map((id) => arrayOf(id))).size, Math.ceil(count / perArray))
  })
}

test('an item that can’t be sent fails all of its outputs, and what needs one of them', async () => {
  await using scheduler = await FakeScheduler.start()
  const items = Array.from({ length: 1_500 }, (_, i): unknown => (i === 1_200 ? () => i : i))
  const rows = scheduler.client.with({ outputs: 2 }).map((x: unknown) => [x, x], items)
  const next = scheduler.client.with({ outputs: 2 }).submit(split, rows[1_200]![1] as Future<number>)
  for (const future of [...rows[1_200]!, ...next]) {
    await assert.rejects(future.result(), { code: 'ERR_HEDDLE_NOT_SERIALIZABLE', path: 'items[1200]' })
  }
  assert.equal(rows[1_199]![0]!.status, 'pending')
})

test('wrong counts, keys and modules are refused', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const wrong = { code: 'ERR_HEDDLE_INVALID_OPTION' }
  for (const outputs of [0, -1, 1.5, 1_024, '2', NaN]) {
    assert.throws(() => client.with({ outputs: outputs as number }), { ...wrong, message: /from 1 to 1023/ })
  }
  assert.throws(() => client.with({ key: 'k' }).with({ outputs: 2 }), { ...wrong, message: /can't have a key/ })
  assert.throws(() => client.with({ outputs: 2 }).with({ key: 'k' }), { ...wrong, message: /can't have a key/ })
  const keyed = { key: () => 'k' } as object
  assert.throws(() => client.with({ outputs: 2 }).map(split, [1], keyed), { ...wrong, message: /can't have a key/ })
  const splitter = client.with({ outputs: 2 }) as unknown as typeof client
  assert.throws(() => splitter.module('file:///tasks.ts'), { ...wrong, message: /no modules/ })
})

test('splitting and combining, in this thread', async () => {
  await using client = await connect('inline:')
  const splitter = client.with({ outputs: 3 })
  const byThird = (numbers: number[]): number[][] => [0, 1, 2].map((rest) => numbers.filter((n) => n % 3 === rest))
  const parts = splitter.map(byThird, [
    [1, 2, 3],
    [4, 5, 6],
  ])
  const sum = (lists: number[][]): number => lists.flat().reduce((a, b) => a + b, 0)
  const sums = [0, 1, 2].map((rest) =>
    client.submit(
      sum,
      parts.map((part) => part[rest]!),
    ),
  )
  assert.deepEqual(await client.gather(sums), [9, 5, 7])

  const [one, two] = client.with({ outputs: 2 }).submit((): [number, string] => [1, 'two'])
  assert.deepEqual([await one, await two], [1, 'two'])
  const bad = client.with({ outputs: 2 }).submit(() => [1])
  for (const future of bad) await assert.rejects(future.result(), { code: 'ERR_HEDDLE_WRONG_OUTPUTS' })
  const large = client
    .with({ outputs: 2 })
    .submit((size: number) => [new Uint8Array(size), new Uint8Array(size)], 2 ** 21)
  assert.deepEqual(
    (await client.gather(large)).map(({ length }) => length),
    [2 ** 21, 2 ** 21],
  )
  client.release([...sums, ...parts.flat(), one, two, ...bad, ...large])
  await eventually('nothing is left', async () => {
    const { tasks } = await client.info()
    return Object.values(tasks).every((count) => count === 0)
  })
})
