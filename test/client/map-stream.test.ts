/** `map` over an asynchronous source: futures in its order, and the source read no faster than results leave. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { Future } from '../../client/future.js'
import { FakeScheduler } from './fake-scheduler.js'

/** Counts from 0 up to `end`, and knows how often it was asked and whether it was closed. */
class Source implements AsyncIterable<number> {
  reads = 0
  isClosed = false
  readonly #end: number

  constructor(end = Infinity) {
    this.#end = end
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<number> {
    try {
      for (let n = 0; n < this.#end; n++) {
        this.reads++
        yield await Promise.resolve(n)
      }
    } finally {
      this.isClosed = true
    }
  }
}

const double = (n: number): number => n * 2

/** Lets everything happen that leads from what was done. */
async function calm(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve))
}

test('the source is read as far as tasks may be in flight, and on as they end and are taken', async () => {
  await using scheduler = await FakeScheduler.start()
  const source = new Source()
  const stream = scheduler.client.map(double, source, { inFlight: 3 })
  await calm()
  assert.equal(source.reads, 0, 'nobody has asked for anything')

  const first = await stream.next()
  const ids = await scheduler.untilSubmitted(3)
  await calm()
  assert.equal(source.reads, 3)
  scheduler.send({ type: 'finished', tasks: [ids[1]!] })
  await calm()
  assert.equal(source.reads, 3, 'the second is over, and nobody has taken it')
  const second = await stream.next()
  await calm()
  assert.equal(source.reads, 4)
  const third = await stream.next()
  await calm()
  assert.equal(source.reads, 4, 'all that runs was taken, and runs')
  scheduler.values([[ids[0]!, 0]])
  assert.equal(await first.value!, 0)
  await calm()
  assert.equal(source.reads, 5)
  assert.ok(second.value !== undefined && third.value !== undefined)
  await stream.return()
})

test('futures come in the order of the source, then the end; what the source throws comes in its place', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  async function* failing(): AsyncGenerator<number> {
    yield await Promise.resolve(1)
    yield 2
    throw new Error('the disk is gone')
  }
  const seen: string[] = []
  const keys: string[] = []
  const loop = async (): Promise<void> => {
    for await (const future of client.map(double, failing(), { key: (n, i) => `double-${String(n)}-${i}` })) {
      const made: Future<number> = future
      keys.push(made.key)
      seen.push(made.status)
    }
  }
  await assert.rejects(loop(), { message: 'the disk is gone' })
  assert.deepEqual(
    [keys, seen],
    [
      ['double-1-0', 'double-2-1'],
      ['pending', 'pending'],
    ],
  )

  const stream = client.map(double, new Source(1))
  assert.equal((await stream.next()).done, false)
  assert.deepEqual(await stream.next(), { done: true, value: undefined })
  assert.deepEqual(await stream.next(), { done: true, value: undefined })
})

test('leaving the loop closes the source, and lets go of what nobody took', async () => {
  await using scheduler = await FakeScheduler.start()
  const source = new Source()
  let taken: Future<number> | undefined
  for await (const future of scheduler.client.map(double, source, { inFlight: 4 })) {
    taken = future
    await scheduler.untilSubmitted(4)
    break
  }
  assert.equal(source.isClosed, true)
  await scheduler.until('release')
  assert.equal(scheduler.released.length, 3)
  assert.equal(taken?.status, 'pending')
})

test('constants are sent once, and an item that can’t be sent ends the stream in its place', async () => {
  await using scheduler = await FakeScheduler.start()
  async function* items(): AsyncGenerator<number> {
    yield await Promise.resolve(1)
    yield 2
    yield (() => 3) as never
  }
  const add = (n: number, more: { readonly by: number }): number => n + more.by
  const stream = scheduler.client.map(add, items(), { args: [{ by: 5 }] })
  assert.equal((await stream.next()).done, false)
  assert.equal((await stream.next()).done, false)
  await assert.rejects(stream.next(), { name: 'NotSerializableError', path: 'items[2]' })
  assert.equal((await stream.next()).done, true)
  await scheduler.untilSubmitted(2)
  assert.equal(scheduler.all('define-template').length, 1)
})

test('when its signal aborts, the tasks are cancelled and the stream ends with the reason, whatever the source does', async () => {
  await using scheduler = await FakeScheduler.start()
  const stop = new AbortController()
  async function* stuck(): AsyncGenerator<number> {
    yield await Promise.resolve(1)
    await new Promise(() => undefined)
  }
  const stream = scheduler.client.map(double, stuck(), { signal: stop.signal })
  const first = await stream.next()
  const second = stream.next()
  await scheduler.untilSubmitted(1)
  stop.abort(new Error('enough'))
  await assert.rejects(second, { message: 'enough' })
  assert.equal(first.value?.status, 'cancelled')
  assert.equal((await stream.next()).done, true)

  const late = scheduler.client.map(double, new Source(), { signal: stop.signal })
  await assert.rejects(late.next(), { message: 'enough' })
})

test('leaving the loop does not wait for a source that has no next item', async () => {
  await using scheduler = await FakeScheduler.start()
  async function* stuck(): AsyncGenerator<number> {
    yield await Promise.resolve(1)
    await new Promise(() => undefined)
  }
  for await (const _ of scheduler.client.map(double, stuck())) break
})

test('after as many failures as maxFailures says nothing more is read, and the stream ends', async () => {
  await using scheduler = await FakeScheduler.start()
  const source = new Source()
  const stream = scheduler.client.map(double, source, { inFlight: 2, maxFailures: 2 })
  const statuses: string[] = []
  const reading = (async () => {
    for await (const future of stream) {
      await future.error()
      statuses.push(future.status)
    }
  })()
  const ids = await scheduler.untilSubmitted(2)
  assert.equal(scheduler.all('define-template')[0]!.rules.maxFailures, 2)
  scheduler.threw([ids[0]!], new Error('no'))
  scheduler.threw([ids[1]!], new Error('no'))
  await reading
  assert.deepEqual(statuses.slice(0, 2), ['error', 'error'])
  assert.equal(source.isClosed, true)
})

test('futures of one stream are items of the next', async () => {
  await using scheduler = await FakeScheduler.start()
  const doubled = scheduler.client.map(double, new Source(2))
  const keys: string[] = []
  for await (const future of scheduler.client.map(double, doubled, { key: (_, i) => `twice-${i}` }))
    keys.push(future.key)
  assert.deepEqual(keys, ['twice-0', 'twice-1'])
  const [first, , third] = await scheduler.untilSubmitted(4)
  assert.ok(first !== third)
})

test('with a client that was closed the stream ends with an error', async () => {
  const scheduler = await FakeScheduler.start()
  const stream = scheduler.client.map(double, new Source(), { inFlight: 1 })
  await stream.next()
  const ended = assert.rejects(stream.next(), { code: 'ERR_HEDDLE_CLOSED' })
  await scheduler[Symbol.asyncDispose]()
  await ended
})

test('what it can’t do is refused at once', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const invalid = { code: 'ERR_HEDDLE_INVALID_OPTION' }
  assert.throws(() => client.map(double, new Source(), { inFlight: 0 }), { ...invalid, message: /inFlight is 0; give/ })
  assert.throws(() => client.map(double, [1], { inFlight: 2 } as never), { ...invalid, message: /async/ })
  const splitter = client.with({ outputs: 2 })
  assert.throws(() => splitter.map((n: number) => [n, n], new Source() as never), { ...invalid, message: /outputs/ })
})
