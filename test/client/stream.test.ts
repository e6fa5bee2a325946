/** Streams as whoever reads them sees them. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { WorkerLostError } from '../../protocol/errors.js'
import type { TaskId } from '../../protocol/ids.js'
import { encodeValue } from '../../protocol/values/encode.js'
import { FakeScheduler } from './fake-scheduler.js'

async function* count(to: number): AsyncGenerator<number> {
  for (let i = 0; i < to; i++) yield await Promise.resolve(i)
}

function give(scheduler: FakeScheduler, task: TaskId, values: readonly unknown[], first = 0): void {
  values.forEach((value, i) => {
    scheduler.send({ type: 'stream-chunk', task, index: first + i, value: encodeValue(value, { path: 'value' }) })
  })
}

test('values are read in order, and the task hears how many were taken', async () => {
  await using scheduler = await FakeScheduler.start()
  const stream = scheduler.client.stream(count, 20)
  const [task] = await scheduler.untilSubmitted(1)
  assert.equal(scheduler.all('define-template')[0]!.rules.isStream, true)
  give(
    scheduler,
    task!,
    Array.from({ length: 20 }, (_, i) => i),
  )
  const read: number[] = []
  const reading = (async () => {
    for await (const value of stream) read.push(value)
  })()
  const taken = await scheduler.until('stream-taken', 2)
  assert.deepEqual(
    taken.map((message) => message.taken),
    [16, 20],
  )
  await scheduler.until('want')
  scheduler.values([[task!, 20]])
  await reading
  assert.deepEqual(
    read,
    Array.from({ length: 20 }, (_, i) => i),
  )
})

test('an error comes behind the values that came before it', async () => {
  await using scheduler = await FakeScheduler.start()
  const stream = scheduler.client.stream(count, 3)
  const [task] = await scheduler.untilSubmitted(1)
  const first = stream.next()
  await scheduler.until('want')
  give(scheduler, task!, [1, 2])
  scheduler.refused([task!], 'ERR_HEDDLE_WORKER_LOST', 'gone')
  assert.deepEqual(await first, { done: false, value: 1 })
  assert.deepEqual(await stream.next(), { done: false, value: 2 })
  await assert.rejects(stream.next(), WorkerLostError)
  assert.deepEqual(await stream.next(), { done: true, value: undefined })
})

test('whoever leaves the loop stops the task, and waits until it has stopped', async () => {
  await using scheduler = await FakeScheduler.start()
  const stream = scheduler.client.stream(count, 3)
  const [task] = await scheduler.untilSubmitted(1)
  give(scheduler, task!, [1, 2])
  let isLeft = false
  const reading = (async () => {
    for await (const value of stream) if (value === 1) break
    isLeft = true
  })()
  const [message] = await scheduler.until('cancel')
  assert.deepEqual(message!.tasks, [task])
  assert.equal(isLeft, false)
  scheduler.send({ type: 'cancelled', request: message!.request, stoppedBy: ['signal'] })
  await reading
  give(scheduler, task!, [3], 2)
  assert.deepEqual(await stream.next(), { done: true, value: undefined })
})

test('a value that was left out, or a count that is another, breaks the stream behind what is right', async () => {
  await using scheduler = await FakeScheduler.start()
  const broken = { code: 'ERR_HEDDLE_STREAM_BROKEN', retryable: true }
  const [gapped, short] = [scheduler.client.stream(count, 3), scheduler.client.stream(count, 3)]
  const [first, second] = await scheduler.untilSubmitted(2)
  const reads = [gapped.next(), short.next()]
  await scheduler.until('want')
  give(scheduler, first!, [1])
  give(scheduler, first!, [3], 2)
  assert.deepEqual(await reads[0], { done: false, value: 1 })
  await assert.rejects(gapped.next(), broken)
  const [cancel] = await scheduler.until('cancel')
  assert.deepEqual(cancel!.tasks, [first])

  give(scheduler, second!, [1])
  scheduler.values([[second!, 2]])
  assert.deepEqual(await reads[1], { done: false, value: 1 })
  await assert.rejects(short.next(), broken)
})

test('what a stream was is let go of when it has ended', async () => {
  await using scheduler = await FakeScheduler.start()
  const stream = scheduler.client.stream(count, 1)
  const [task] = await scheduler.untilSubmitted(1)
  const first = stream.next()
  await scheduler.until('want')
  give(scheduler, task!, [1])
  scheduler.values([[task!, 1]])
  await first
  assert.equal((await stream.next()).done, true)
  await scheduler.until('release')
  assert.deepEqual(scheduler.released, [task])
})

test('a stream has neither key nor outputs, and is not pure', async () => {
  await using scheduler = await FakeScheduler.start()
  assert.throws(() => scheduler.client.with({ key: 'k' }).stream(count, 1), { code: 'ERR_HEDDLE_INVALID_OPTION' })
  assert.throws(() => scheduler.client.with({ pure: true }).stream(count, 1), { code: 'ERR_HEDDLE_INVALID_OPTION' })
})

test('whoever waits for a value is told when the client closes', async () => {
  await using scheduler = await FakeScheduler.start()
  const next = scheduler.client.stream(count, 1).next()
  await scheduler.untilSubmitted(1)
  const rejected = assert.rejects(next, { code: 'ERR_HEDDLE_CLOSED' })
  await scheduler.client.close()
  await rejected
})
