/** What the client says of tasks that go on when others fail, and what it refuses. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { delayed } from '../../client/delayed.js'
import { NO_RULES } from '../../protocol/messages/rules.js'
import { FakeScheduler } from './fake-scheduler.js'

const double = (x: number): number => x * 2
const isError = (x: unknown): boolean => x instanceof Error

test('the rule goes with the template, of a client, of a map, and of a delayed function', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const one = client.submit(double, 1)
  const skipper = client.with({ onDependencyError: 'skip' })
  skipper.submit(double, one)
  skipper.map(double, [one, one], { retries: 1 })
  client.map(isError, [one], { onDependencyError: 'pass-error' })
  skipper.with({ onDependencyError: 'fail' }).submit(double, 3)
  client.compute(delayed(isError, { onDependencyError: 'pass-error' })(delayed(double)(2)))
  await scheduler.untilSubmitted(8)
  const templates = scheduler.all('define-template').map(({ name, rules }) => [name, rules.onDependencyError])
  assert.deepEqual(templates, [
    ['double', 'fail'],
    ['double', 'skip'],
    ['double', 'skip'],
    ['isError', 'pass-error'],
  ])
})

test('the same said twice is one template, and fail is as if nothing was said', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  for (let i = 0; i < 2; i++) client.with({ onDependencyError: 'skip' }).submit(double, i)
  client.with({ onDependencyError: 'fail' }).submit(double, 2)
  await scheduler.untilSubmitted(3)
  const [skips, plain, ...more] = scheduler.all('define-template').map(({ rules }) => rules)
  assert.deepEqual([skips, plain, more], [{ ...NO_RULES, onDependencyError: 'skip' }, NO_RULES, []])
})

test('pure work that goes on without its inputs has another key', async () => {
  await using scheduler = await FakeScheduler.start()
  const pure = scheduler.client.with({ pure: true })
  const keys = [pure, pure.with({ onDependencyError: 'skip' }), pure.with({ onDependencyError: 'pass-error' })].map(
    (client) => client.submit(isError, 1).key,
  )
  assert.equal(new Set(keys).size, 3)
  await scheduler.untilSubmitted(3)
})

test('what can be said of no task, or not there, is refused by a sentence that says where', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const wrong = (run: () => unknown, message: RegExp): void =>
    assert.throws(run, { code: 'ERR_HEDDLE_INVALID_OPTION', message })
  wrong(
    () => client.with({ onDependencyError: 'ignore' as never }),
    /onDependencyError is "ignore"; give "fail", "skip" or "pass-error"\.$/,
  )
  const skipper = client.with({ onDependencyError: 'skip' }) as unknown as typeof client
  wrong(() => skipper.compute(delayed(double)(1)), /said of each function of a graph, as in delayed\(fn, /)
  wrong(
    () => skipper.module('file:///tasks.js'),
    /has no modules; take the functions from the client that it was made of/,
  )
})

test('a cancelled input is known in the cluster to what was submitted before, which decides for itself', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const input = client.submit(double, 1)
  const skipped = client.with({ onDependencyError: 'skip' }).submit(double, input)
  const plain = client.submit(double, input)
  void input.cancel().catch(() => undefined)
  await assert.rejects(Promise.resolve(plain), { name: 'AbortError' })
  const value = skipped.then((x) => x)
  const [, id] = await scheduler.untilSubmitted(3)
  await scheduler.until('want')
  scheduler.values([[id!, undefined]])
  assert.equal(await value, undefined)
  // But not to what is submitted later.
  const late = client.with({ onDependencyError: 'skip' }).submit(double, input)
  await assert.rejects(Promise.resolve(late), { name: 'AbortError' })
})

test('a stream that was skipped gives no values', async () => {
  await using scheduler = await FakeScheduler.start()
  const one = scheduler.client.submit(double, 1)
  const stream = scheduler.client.with({ onDependencyError: 'skip' }).stream(function* (x: number) {
    yield x
  }, one)
  const next = stream.next()
  const [, id] = await scheduler.untilSubmitted(2)
  await scheduler.until('want')
  scheduler.values([[id!, undefined]])
  assert.deepEqual(await next, { done: true, value: undefined })
})
