/** What can be said of tasks that take too long, or fail: what is taken, what is refused, and how errors come back. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { delayed, TaskTimeoutError, UnsatisfiableError } from '../../client/index.js'
import type { FailureOptions } from '../../client/failure-options.js'
import { DEFAULT_TASK_OPTIONS, resolveMapOptions, resolveTaskOptions } from '../../client/task-options.js'
import { NO_RULES } from '../../protocol/messages/rules.js'
import { FakeScheduler } from './fake-scheduler.js'

const rulesOf = (given: unknown) => resolveTaskOptions(given as FailureOptions, DEFAULT_TASK_OPTIONS).rules
const double = (x: number): number => x * 2

test('rules hold for the client they are given to, for one map, and for a delayed function', async () => {
  assert.equal(rulesOf({}), NO_RULES)
  assert.equal(rulesOf({ timeoutMs: Infinity, allowedFailures: 3 }), NO_RULES)
  const base = resolveTaskOptions({ timeoutMs: 0.5 }, DEFAULT_TASK_OPTIONS)
  assert.equal(base.rules.timeoutMs, 1)
  assert.equal(resolveTaskOptions({ priority: 1 }, base).rules, base.rules)
  assert.equal(resolveTaskOptions({ timeoutMs: Infinity }, base).rules, NO_RULES)
  assert.deepEqual(resolveMapOptions('client.map()', { allowedFailures: 1 }, base).rules, {
    ...NO_RULES,
    timeoutMs: 1,
    allowedFailures: 1,
  })

  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const slow = delayed(double, { timeoutMs: 70 })
  // Each call has its own time, so they are no one task.
  const futures = [
    client.with({ timeoutMs: 50 }).submit(double, 1),
    ...client.map(double, [1, 2], { timeoutMs: 60 }),
    client.compute(slow(slow(1))),
    client.with({ allowedFailures: 1 }).compute(delayed(double)(delayed(double)(1))),
    client.submit(double, 1),
  ]
  await scheduler.untilSubmitted(futures.length + 2)
  assert.deepEqual(
    scheduler.all('define-template').map(({ rules }) => [rules.timeoutMs, rules.allowedFailures]),
    [[50, 3], [60, 3], [70, 3], [0, 1], [0, 3]], // prettier-ignore
  )
})

test('what is wrong with these options is said in one sentence that names it', () => {
  const wrong: [unknown, RegExp][] = [
    [{ timeoutMs: 0 }, /^timeoutMs is 0; give milliseconds above 0 and up to 2147483647, or Infinity for no end\.$/],
    [{ timeoutMs: -1 }, /^timeoutMs is -1;/],
    [{ timeoutMs: '5s' }, /^timeoutMs is "5s";/],
    [{ timeoutMs: NaN }, /^timeoutMs is NaN;/],
    [{ timeoutMs: 2 ** 31 }, /^timeoutMs is 2147483648;/],
    [{ queueTimeoutMs: 0 }, /^queueTimeoutMs is 0; give milliseconds above 0/],
    [{ allowedFailures: 0 }, /^allowedFailures is 0; give a whole number from 1 to 1000:/],
    [{ allowedFailures: 1.5 }, /^allowedFailures is 1\.5;/],
  ]
  for (const [given, message] of wrong) {
    assert.throws(() => rulesOf(given), { code: 'ERR_HEDDLE_INVALID_OPTION', message })
    assert.throws(() => delayed(double, given as FailureOptions), { code: 'ERR_HEDDLE_INVALID_OPTION', message })
  }
})

test('a task that had its time fails with a TaskTimeoutError that names it', async () => {
  await using scheduler = await FakeScheduler.start()
  const future = scheduler.client.with({ timeoutMs: 5 }).submit(double, 1)
  const [id] = await scheduler.untilSubmitted(1)
  const failed = future.error()
  await scheduler.until('want')
  scheduler.refused([id!], 'ERR_HEDDLE_TASK_TIMEOUT', 'Task double-1 ran longer than its timeoutMs of 5.')
  const error = await failed
  assert.ok(error instanceof TaskTimeoutError)
  assert.deepEqual([error.name, error.code], ['TaskTimeoutError', 'ERR_HEDDLE_TASK_TIMEOUT'])
  assert.equal(future.status, 'error')
})

test('retries are a number, or how often, when, and after which errors', async () => {
  const minute = { delayMs: 0, isExponential: false, maxDelayMs: 60_000, jitterThousandths: 0, filter: '' }
  assert.deepEqual(rulesOf({ retries: 3 }).retries, { ...minute, count: 3 })
  assert.equal(rulesOf({ retries: 0 }), NO_RULES)
  const growing = { count: 2, backoff: 'exponential', jitter: true, maxDelayMs: 5_000 }
  assert.deepEqual(rulesOf({ retries: growing }).retries, {
    count: 2,
    delayMs: 100,
    isExponential: true,
    maxDelayMs: 5_000,
    jitterThousandths: 1_000,
    filter: '',
  })
  // A long delay that was asked for is not cut off by the usual bound.
  assert.equal(rulesOf({ retries: { count: 1, delayMs: 100_000 } }).retries.maxDelayMs, 100_000)

  await using scheduler = await FakeScheduler.start()
  const on = (error: Error): boolean => error.name === 'RangeError'
  const { client } = scheduler
  client.with({ retries: { count: 1, on } }).submit(double, 1)
  client.with({ retries: { count: 1, on } }).submit(double, 2)
  client.with({ retries: 1 }).submit(double, 3)
  await scheduler.untilSubmitted(3)
  const [first, second] = scheduler.all('define-template')
  const filter = scheduler.all('define-code').find(({ source }) => Buffer.from(source).includes('RangeError'))
  assert.deepEqual([first!.rules.retries.filter, second!.rules.retries.filter], [filter!.code, ''])
  assert.equal(scheduler.all('define-template').length, 2)
})

test('what is wrong with retries is said in one sentence that names it', () => {
  const surrounding = 'x'
  const wrong: [unknown, RegExp][] = [
    ['3', /^retries is "3"; give a number, or an object as in \{ count: 3, delayMs: 100 \}\.$/],
    [-1, /^retries is -1; give a whole number from 0 to 1000000\.$/],
    [Infinity, /^retries is Infinity;/],
    [{}, /^retries is undefined; give a whole number/],
    [{ count: 1, delay: 5 }, /delay/],
    [{ count: 1, delayMs: -1 }, /^retries\.delayMs is -1;/],
    [{ count: 1, maxDelayMs: NaN }, /^retries\.maxDelayMs is NaN;/],
    [{ count: 1, backoff: 'linear' }, /^retries\.backoff is "linear"; give "exponential", or leave it out\.$/],
    [{ count: 1, jitter: 2 }, /^retries\.jitter is 2;/],
    [{ count: 1, on: 'ECONNRESET' }, /^retries\.on is "ECONNRESET"; give a function of the error/],
  ]
  for (const [retries, message] of wrong) {
    assert.throws(() => rulesOf({ retries }), { code: 'ERR_HEDDLE_INVALID_OPTION', message })
  }
  assert.throws(() => rulesOf({ retries: { count: 1, on: () => surrounding === 'x' } }), {
    code: 'ERR_HEDDLE_FUNCTION_NOT_PORTABLE',
  })
})

test('maxFailures is of one call, which has a template of its own', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  client.map(double, [1, 2], { maxFailures: 2 })
  client.map(double, [1, 2], { maxFailures: 2 })
  client.map(double, [1, 2], { maxFailures: Infinity })
  await scheduler.untilSubmitted(6)
  assert.deepEqual(
    scheduler.all('define-template').map(({ rules }) => rules.maxFailures),
    [2, 2, 0],
  )
  assert.equal((await scheduler.until('forget-templates'))[0]!.templates.length, 2)
  for (const maxFailures of [0, 1.5, '1']) {
    assert.throws(() => client.map(double, [1], { maxFailures: maxFailures as number }), {
      message: /^maxFailures is .*; give a whole number from 1 up\.$/,
    })
  }
  // @ts-expect-error It is of a call of many tasks.
  assert.throws(() => client.with({ maxFailures: 1 }), { code: 'ERR_HEDDLE_INVALID_OPTION' })
})

test('a task that waited too long fails with an error that says whether a worker could have taken it', async () => {
  await using scheduler = await FakeScheduler.start()
  const [late, blocked] = scheduler.client.map(double, [1, 2], { queueTimeoutMs: 5 })
  const [first, second] = await scheduler.untilSubmitted(2)
  assert.equal(scheduler.all('define-template')[0]!.rules.queueTimeoutMs, 5)
  const errors = Promise.all([late!.error(), blocked!.error()])
  await scheduler.until('want')
  scheduler.refused([first!], 'ERR_HEDDLE_QUEUE_TIMEOUT', 'no room')
  scheduler.refused([second!], 'ERR_HEDDLE_UNSATISFIABLE', 'no gpu')
  const [timeout, unsatisfiable] = await errors
  assert.ok(timeout instanceof TaskTimeoutError && timeout.code === 'ERR_HEDDLE_QUEUE_TIMEOUT')
  assert.ok(unsatisfiable instanceof UnsatisfiableError && unsatisfiable.message.startsWith('no gpu'))
})
