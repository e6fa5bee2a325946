/** The futures of a large `map`: an array like any other, that makes its futures when somebody looks at them. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { inspect } from 'node:util'
import type { Future } from '../../client/future.js'
import { collectGarbage } from '../../common/node/garbage.js'
import { eventually } from '../support/eventually.js'
import { FakeScheduler } from './fake-scheduler.js'

/** Three task arrays, the last one not full. */
const COUNT = 2_500
const ITEMS = Array.from({ length: COUNT }, (_, i) => i)
const double = (x: number): number => 2 * x

type Futures = Future<number>[]

/** Has its future been made? */
const isMade = (futures: Futures, place: number): boolean => Object.hasOwn(futures, place)

const mapWithKeys = ({ client }: FakeScheduler): Futures =>
  client.map(double, ITEMS, { key: (item) => `item-${String(item)}` })

const keyOf = (future: unknown): unknown => (future as Future<number> | undefined)?.key

/** What a program may do with an array, and what it gets: keys in the place of futures. */
const USES: Record<string, (futures: Futures) => unknown> = {
  'an element': (futures) => [futures[0], futures[2_000], futures[COUNT], futures.at(-1), futures.at(COUNT)].map(keyOf),
  'for … of': (futures) => {
    const keys: unknown[] = []
    for (const future of futures) keys.push(future.key)
    return keys
  },
  in: (futures) => [0, COUNT - 1, COUNT, -1, 0.5].map((place) => place in futures),
  'strange names': (futures) => ['01', '1.0', ' 1', '-0', 'length'].map((name) => keyOf(Reflect.get(futures, name))),
  spread: (futures) => [...futures].map(keyOf),
  'Array.from': (futures) => Array.from(futures, keyOf),
  map: (futures) => futures.map(keyOf),
  forEach: (futures) => {
    const keys: unknown[] = []
    futures.forEach((future, place) => keys.push([place, future.key]))
    return keys
  },
  filter: (futures) => futures.filter((_, place) => place % 700 === 0).map(keyOf),
  find: (futures) => [futures.find((_, place) => place === 1_500), futures.findLast(() => true)].map(keyOf),
  reduce: (futures) => futures.reduce((sum, future) => sum + future.key.length, 0),
  entries: (futures) => [...futures.entries()].map(([place, future]) => [place, future.key]),
  keys: (futures) => [...futures.keys()],
  slice: (futures) => futures.slice(1_000, 1_030).map(keyOf),
  concat: (futures) => futures.concat(futures.slice(0, 2)).map(keyOf),
  flat: (futures) => [futures].flat().map(keyOf),
  with: (futures) => futures.with(3, futures[4]!).map(keyOf),
  toSpliced: (futures) => futures.toSpliced(5, 2_000).map(keyOf),
  toReversed: (futures) => futures.toReversed().map(keyOf),
  indexOf: (futures) => [
    futures.indexOf(futures[2_100]!),
    futures.includes(futures[3]!),
    futures.lastIndexOf(futures[1]!),
  ],
  push: (futures) => futures.push(futures[1]!),
  pop: (futures) => [keyOf(futures.pop()), keyOf(futures.pop()), keyOf(futures[COUNT - 1])],
  shift: (futures) => [keyOf(futures.shift()), keyOf(futures.shift())],
  unshift: (futures) => futures.unshift(futures[5]!),
  splice: (futures) => futures.splice(1_020, 10).map(keyOf),
  reverse: (futures) => keyOf(futures.reverse()[0]),
  sort: (futures) => keyOf(futures.sort((a, b) => (a.key < b.key ? 1 : -1))[0]),
  fill: (futures) => keyOf(futures.fill(futures[2]!, 1_000, 2_400)[0]),
  copyWithin: (futures) => keyOf(futures.copyWithin(0, 1_500)[0]),
  'a shorter length': (futures) => (futures.length = 1_030),
  'no length': (futures) => (futures.length = 0),
  'an element set': (futures) => keyOf((futures[1_300] = futures[7]!)),
  'an element behind the end': (futures) => keyOf((futures[COUNT + 5] = futures[7]!)),
  'a frozen list': (futures) => Object.freeze(futures).map(keyOf),
  'JSON of a list': (futures) => JSON.stringify(futures).length,
  inspect: (futures) => inspect(futures),
  'inspect of a part': (futures) => [keyOf(futures[1_100]), inspect(futures, { maxArrayLength: 3 })],
  destructuring: ([first, second, ...others]) => [first, second, others.at(-1)].map(keyOf),
}

for (const [name, use] of Object.entries(USES)) {
  test(`a list that nobody has looked into is like any array: ${name}`, async () => {
    await using ours = await FakeScheduler.start()
    await using theirs = await FakeScheduler.start()
    const list = mapWithKeys(ours)
    const array = [...mapWithKeys(theirs)]
    assert.deepEqual(use(list), use(array))
    assert.deepEqual(list.map(keyOf), array.map(keyOf))
    assert.equal(list.length, array.length)
  })
}

test('futures are made by task array when one of them is looked at, and stay the same', async () => {
  await using scheduler = await FakeScheduler.start()
  const futures = scheduler.client.map(double, ITEMS)
  assert.ok(Array.isArray(futures))
  assert.ok(futures instanceof Array)
  assert.ok(!ITEMS.some((place) => isMade(futures, place)))
  const future = futures[1_500]
  assert.deepEqual(
    [1_023, 1_024, 2_047, 2_048].map((place) => isMade(futures, place)),
    [false, true, true, false],
  )
  assert.equal(futures[1_500], future)
  for (const each of futures) assert.equal(each.status, 'pending')
  assert.equal(futures[1_500], future)
  assert.equal(Object.getPrototypeOf(futures), Array.prototype)
  assert.deepEqual(Object.keys(futures), Object.keys(ITEMS))
})

test('a gather makes no futures, and puts each value into its place', async () => {
  await using scheduler = await FakeScheduler.start()
  const futures = scheduler.client.map(double, ITEMS)
  const values = scheduler.client.gather(futures)
  const ids = await scheduler.untilSubmitted(COUNT)
  await scheduler.until('want')
  assert.deepEqual(scheduler.wanted, ids)
  scheduler.values(ids.map((id, place) => [id, 2 * place]))
  assert.deepEqual(await values, ITEMS.map(double))
  assert.ok(!isMade(futures, 0))
  assert.equal(futures[7]!.status, 'finished')
})

test('a list that was changed is gathered as it is', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const [first, second, third] = [client.map(double, ITEMS), client.map(double, ITEMS), client.map(double, ITEMS)]
  const one = client.submit(double, 1)
  first[2_000] = one
  second.length = 1
  third.push(one)
  const values = Promise.all([first, second, third].map(async (list) => await client.gather(list)))
  const ids = await scheduler.untilSubmitted(3 * COUNT + 1)
  await scheduler.until('want')
  scheduler.values(ids.map((id, place) => [id, place]))
  const [firsts, seconds, thirds] = await values
  const ofOne = 3 * COUNT
  assert.deepEqual(firsts, ITEMS.with(2_000, ofOne))
  assert.deepEqual(seconds, [COUNT])
  assert.deepEqual(thirds, [...ITEMS.map((place) => 2 * COUNT + place), ofOne])
})

test('a list of another client is refused, as its futures are', async () => {
  await using ours = await FakeScheduler.start()
  await using theirs = await FakeScheduler.start()
  const futures = theirs.client.map(double, ITEMS)
  await assert.rejects(ours.client.gather(futures), /Entry 0 given to client.gather\(\) is a future of another client/)
})

test('a list is an argument like any other', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  client.submit((all: number[], { more }: { more: number[] }) => all.length + more.length, client.map(double, ITEMS), {
    more: client.map(double, ITEMS),
  })
  const ids = await scheduler.untilSubmitted(2 * COUNT + 1)
  assert.deepEqual(scheduler.all('submit').at(-1)!.inputs, ids.slice(0, 2 * COUNT))
})

test('a signal cancels the tasks of a list whose futures nobody has', async () => {
  await using scheduler = await FakeScheduler.start()
  const control = new AbortController()
  const futures = scheduler.client.map(double, ITEMS, { signal: control.signal })
  const ids = await scheduler.untilSubmitted(COUNT)
  control.abort()
  const cancel = await scheduler.until('cancel')
  assert.deepEqual(
    cancel.flatMap(({ tasks }) => tasks),
    ids,
  )
  assert.ok(!isMade(futures, 0))
})

test('the tasks of a list are released when nobody can get at them any more', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const kept = (() => client.map(double, ITEMS)[1_500]!)()
  const values = (() => client.gather(client.map(double, ITEMS)))()
  const ids = await scheduler.untilSubmitted(2 * COUNT)
  const isKept = (place: number): boolean => place >= COUNT || Math.floor(place / 16) === Math.floor(1_500 / 16)
  const released = ids.filter((_, place) => !isKept(place))
  await eventually('the release of all but the neighbours of one', () => {
    collectGarbage()
    return scheduler.released.length >= released.length
  })
  assert.deepEqual(new Set(scheduler.released), new Set(released))
  assert.equal(kept.status, 'pending')
  scheduler.values(ids.slice(COUNT).map((id, place) => [id, place]))
  assert.deepEqual(await values, ITEMS)
  await eventually('the release of what was gathered', () => {
    collectGarbage()
    return scheduler.released.length === 2 * COUNT - 16
  })
  assert.equal(kept.status, 'pending', 'what is named behind a wait is held until then')
})
