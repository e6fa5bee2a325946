import assert from 'node:assert/strict'
import test from 'node:test'
import { delayed } from '../../client/delayed.js'
import { FakeScheduler } from './fake-scheduler.js'

const double = (x: number): number => x * 2
const list = (...xs: unknown[]): unknown[] => xs

test('the same code and arguments are the same key, in every client and by submit and map alike', async () => {
  await using one = await FakeScheduler.start()
  await using two = await FakeScheduler.start()
  const pure = one.client.with({ pure: true })
  const { key } = pure.submit(double, 3)
  assert.match(key, /^double-[0-9a-f]{32}$/)
  assert.equal(pure.submit(double, 3).key, key)
  assert.equal(pure.submit((0, eval)(`(${double.toString()})`) as typeof double, 3).key.slice(-32), key.slice(-32))
  assert.equal(two.client.with({ pure: true, name: 'other', priority: 3 }).submit(double, 3).key, key)
  assert.deepEqual(
    two.client.map(double, [2, 3], { pure: true }).map((future) => future.key === key),
    [false, true],
  )
  assert.notEqual(one.client.submit(double, 3).key, key)
  assert.notEqual(pure.with({ pure: false }).submit(double, 3).key, key)
  await one.untilSubmitted(4)
  const [submit] = one.all('submit')
  assert.ok(submit!.keys.filter((each) => each.key === key).length >= 2)
})

test('other code, arguments, constants or inputs are other keys', async () => {
  await using scheduler = await FakeScheduler.start()
  const pure = scheduler.client.with({ pure: true })
  const [a, b] = scheduler.client.map(double, [1, 1])
  const futures = [
    pure.submit(list, 1),
    pure.submit(list, 1, 2),
    pure.submit(list, [1, 2]),
    pure.submit(list, '1'),
    pure.submit((...xs: unknown[]): unknown[] => xs.reverse(), 1),
    pure.map(list, [1], { args: [2] })[0]!,
    pure.map(list, [1], { args: [3] })[0]!,
    pure.submit(list, a),
    pure.submit(list, b),
    pure.submit(list, a, b),
    pure.submit(list, b, a),
    pure.map(list, [1], { args: [a] })[0]!,
  ]
  const keys = futures.map(({ key }) => key)
  assert.equal(new Set(keys).size, keys.length)
  assert.equal(pure.submit(list, { deep: [a] }).key, pure.submit(list, { deep: [a] }).key)
})

test('futures of the same pure task count as the same argument', async () => {
  await using one = await FakeScheduler.start()
  await using two = await FakeScheduler.start()
  const keys = [one, two].map(({ client }) => {
    const pure = client.with({ pure: true })
    return pure.submit(list, [pure.submit(double, 4)], pure.submit(double, 4)).key
  })
  assert.equal(keys[0], keys[1])
})

test('a large map and a graph get their keys when they are sent', async () => {
  await using scheduler = await FakeScheduler.start()
  const pure = scheduler.client.with({ pure: true })
  const items = Array.from({ length: 1_500 }, (_, i) => i)
  const many = pure.map(double, items)
  assert.doesNotMatch(many[7]!.key, /-[0-9a-f]{32}$/)
  await scheduler.untilSubmitted(1_500)
  const { key } = pure.submit(double, 7)
  assert.equal(many[7]!.key, key)

  const later = delayed(double, { pure: true })
  const twice = scheduler.client.compute([later(7), delayed(list)(later(7), later(8))])
  await scheduler.untilSubmitted(1_504)
  assert.equal(twice[0].key, key)
  const graphKeys = scheduler.all('submit').at(-1)!.keys
  const all = scheduler.all('submit').flatMap(({ keys }) => keys.map((each) => each.key))
  assert.ok(graphKeys.length >= 0 && all.includes(pure.submit(double, 8).key))
})

test('purity goes with no key of its own, no outputs, and is true or false', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const invalid = { code: 'ERR_HEDDLE_INVALID_OPTION' }
  assert.throws(() => client.with({ pure: true, key: 'k' }), invalid)
  assert.throws(() => client.with({ pure: true }).with({ key: 'k' }), invalid)
  assert.throws(() => client.with({ pure: true }).with({ outputs: 2 }), invalid)
  assert.throws(() => client.map(double, [1], { pure: true, key: String }), invalid)
  // @ts-expect-error No text.
  assert.throws(() => client.with({ pure: 'yes' }), { message: 'pure is "yes"; give true or false.' })
  // @ts-expect-error No text.
  assert.throws(() => delayed(double, { pure: 'yes' }), invalid)
})
