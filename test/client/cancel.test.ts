/** Cancelling as the client sees it: futures fail at once, and the promise is about slots. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { delayed } from '../../client/delayed.js'
import { TaskCancelledError } from '../../protocol/errors.js'
import { decodeError } from '../../protocol/values/decode.js'
import { FakeScheduler } from './fake-scheduler.js'

const double = (x: number): number => x * 2

function isCancelled(reason: unknown): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof TaskCancelledError)
    assert.equal(error.name, 'AbortError')
    assert.equal(error.code, 'ERR_HEDDLE_TASK_CANCELLED')
    assert.deepEqual(error.cause, reason)
    return true
  }
}

test('whoever awaits a cancelled future gets an AbortError at once, the slot is told of later', async () => {
  await using scheduler = await FakeScheduler.start()
  const future = scheduler.client.submit(double, 1)
  const awaited = assert.rejects(Promise.resolve(future), isCancelled('enough'))
  const [id] = await scheduler.untilSubmitted(1)
  const cancelled = future.cancel({ reason: 'enough', graceMs: 20 })
  assert.equal(future.status, 'cancelled')
  await awaited
  const [message] = await scheduler.until('cancel')
  assert.deepEqual([message!.tasks, message!.graceMs], [[id], 20])
  assert.ok(isCancelled('enough')(decodeError(message!.error)))
  await scheduler.until('release')
  assert.deepEqual(scheduler.released, [id])
  scheduler.send({ type: 'cancelled', request: message!.request, stoppedBy: ['thread'] })
  assert.deepEqual(await cancelled, { stoppedBy: 'thread' })
  await assert.rejects(Promise.resolve(future), isCancelled('enough'))
})

test('a task that needs a cancelled one fails for the same reason, and never leaves', async () => {
  await using scheduler = await FakeScheduler.start()
  const future = scheduler.client.submit(double, 1)
  void future.cancel({ reason: 'no' }).catch(() => undefined) // The client closes before an answer.
  await assert.rejects(Promise.resolve(future.pipe(double)), isCancelled('no'))
})

test('what is finished, failed or released is not cancelled, and nobody is asked', async () => {
  await using scheduler = await FakeScheduler.start()
  const futures = scheduler.client.map(double, [1, 2, 3])
  const ids = await scheduler.untilSubmitted(3)
  const [value, failed] = [futures[0]!.then((x) => x), futures[1]!.error()]
  await scheduler.until('want')
  scheduler.values([[ids[0]!, 2]])
  scheduler.threw([ids[1]!], new RangeError('no'))
  await Promise.all([value, failed])
  futures[2]!.release()
  const none = { stoppedBy: 'none' }
  assert.deepEqual(await scheduler.client.cancel(futures), [none, none, none])
  assert.equal(scheduler.all('cancel').length, 0)
  assert.equal(await futures[0], 2)
})

test('a value that crosses with its cancellation is dropped', async () => {
  await using scheduler = await FakeScheduler.start()
  const future = scheduler.client.submit(double, 1)
  const awaited = assert.rejects(Promise.resolve(future), isCancelled(undefined))
  const [id] = await scheduler.untilSubmitted(1)
  const cancelled = future.cancel()
  scheduler.values([[id!, 2]])
  const [message] = await scheduler.until('cancel')
  assert.equal(message!.graceMs, 500, 'the grace of whoever says nothing of it')
  scheduler.send({ type: 'cancelled', request: message!.request, stoppedBy: ['none'] })
  assert.deepEqual(await cancelled, { stoppedBy: 'none' })
  await awaited
  assert.equal(future.status, 'cancelled')
})

test('a signal cancels what was submitted with it and has not ended, in one question', async () => {
  await using scheduler = await FakeScheduler.start()
  const stop = new AbortController()
  const client = scheduler.client.with({ signal: stop.signal })
  const futures = [client.submit(double, 1), ...client.map(double, [2, 3])]
  const [first] = await scheduler.untilSubmitted(3)
  const value = futures[0]!.then((x) => x)
  await scheduler.until('want')
  scheduler.values([[first!, 2]])
  assert.equal(await value, 2)
  stop.abort('too late')
  await assert.rejects(Promise.resolve(futures[1]!), isCancelled('too late'))
  await assert.rejects(Promise.resolve(futures[2]!), isCancelled('too late'))
  const [message] = await scheduler.until('cancel')
  assert.deepEqual(message!.tasks, scheduler.submitted.slice(1))
  await assert.rejects(Promise.resolve(client.submit(double, 4)), isCancelled('too late'))
})

test('a signal cancels the graphs that are computed with it', async () => {
  await using scheduler = await FakeScheduler.start()
  const stop = new AbortController()
  const client = scheduler.client.with({ signal: stop.signal })
  const leaf = delayed(double)
  const futures = [...client.compute([leaf(1), leaf(leaf(2))]), ...client.submitGraph({ a: [double, 3] }, ['a'])]
  await scheduler.untilSubmitted(3)
  stop.abort('too late')
  for (const future of futures) await assert.rejects(Promise.resolve(future), isCancelled('too late'))
  const [message] = await scheduler.until('cancel')
  assert.equal(message!.tasks.length, 3)
  const ofOneFunction = { signal: stop.signal } as never
  assert.throws(() => delayed(double, ofOneFunction), /delayed\(\) has no option "signal"/)
})

test('wrong options are refused', async () => {
  await using scheduler = await FakeScheduler.start()
  const future = scheduler.client.submit(double, 1)
  await assert.rejects(future.cancel({ graceMs: -1 }), /graceMs is -1; give milliseconds from 0 to/)
  await assert.rejects(future.cancel({ grace: 5 } as never), /has no option "grace"; did you mean "graceMs"/)
  assert.throws(() => scheduler.client.with({ signal: {} as AbortSignal }), /signal is a Object; give an AbortSignal/)
  assert.equal(future.status, 'pending')
})
