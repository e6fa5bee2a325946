import assert from 'node:assert/strict'
import test from 'node:test'
import { asCompleted } from '../../client/as-completed.js'
import { delayed } from '../../client/delayed.js'
import type { Future } from '../../client/future.js'
import { wait } from '../../client/wait.js'
import { collectGarbage } from '../../common/node/garbage.js'
import type { TaskId } from '../../protocol/ids.js'
import { encodeValue } from '../../protocol/values/encode.js'
import { eventually } from '../support/eventually.js'
import { FakeScheduler } from './fake-scheduler.js'

const double = (x: number): number => x * 2

async function mapped(scheduler: FakeScheduler, items: readonly number[]): Promise<[Future<number>[], TaskId[]]> {
  const before = scheduler.submitted.length
  const futures = scheduler.client.map(double, items)
  const ids = await scheduler.untilSubmitted(before + items.length)
  return [futures, ids.slice(before)]
}

async function rest<T>(stream: { next(): Promise<IteratorResult<T, undefined>> }): Promise<T[]> {
  const all: T[] = []
  for (let next = await stream.next(); next.done !== true; next = await stream.next()) all.push(next.value)
  return all
}

async function valuesOf<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const value of iterable) all.push(value)
  return all
}

test('futures come in the order in which they end, failed ones too, the very objects, and no value is asked for', async () => {
  await using scheduler = await FakeScheduler.start()
  const [futures, ids] = await mapped(scheduler, [0, 1, 2, 3])
  const [a, b, c, d] = futures
  const completed = asCompleted(futures)
  assert.equal(completed.left, 4)
  scheduler.send({ type: 'finished', tasks: [ids[2]!] })
  assert.equal((await completed.next()).value, c)
  scheduler.threw([ids[0]!], new Error('no'))
  assert.equal((await completed.next()).value, a)
  const last = rest(completed)
  scheduler.send({ type: 'finished', tasks: [ids[3]!, ids[1]!] })
  assert.deepEqual(await last, [d, b])
  assert.equal(completed.left, 0)
  assert.deepEqual(scheduler.wanted, [])
})

test('what is cancelled, released or lost comes too, and does not hang the loop', async () => {
  const scheduler = await FakeScheduler.start()
  const [[a, b, c]] = await mapped(scheduler, [0, 1, 2])
  const all = rest(asCompleted([a!, b!, c!]))
  b!.release()
  b!.release()
  void a!.cancel().catch(() => undefined)
  await scheduler.until('cancel')
  scheduler.cut()
  assert.deepEqual(await all, [b, a, c])
  assert.deepEqual([a!.status, b!.status, c!.status], ['cancelled', 'lost', 'lost'])
  assert.deepEqual(await rest(asCompleted([c!, a!])), [c, a])
  await scheduler[Symbol.asyncDispose]()
})

test('futures that are over come at once, in the order given, and twice if they were given twice', async () => {
  await using scheduler = await FakeScheduler.start()
  const [[a, b], ids] = await mapped(scheduler, [0, 1])
  scheduler.send({ type: 'finished', tasks: ids })
  await eventually('both', () => b!.status === 'finished')
  assert.deepEqual(await rest(asCompleted([b!, a!, b!])), [b, a, b])
  assert.deepEqual(await rest(asCompleted([])), [])
})

test('futures are added while the loop goes on, one or several, of another client too', async () => {
  await using one = await FakeScheduler.start()
  await using two = await FakeScheduler.start()
  const [[a, b], ids] = await mapped(one, [0, 1])
  const [[c], [idOfC]] = await mapped(two, [2])
  const completed = asCompleted(new Set([a!]))
  one.send({ type: 'finished', tasks: [ids[0]!] })
  const seen: Future<number>[] = []
  for await (const future of completed) {
    seen.push(future)
    if (future === a) {
      completed.add(c!)
      two.send({ type: 'finished', tasks: [idOfC!] })
    } else if (future === c) {
      completed.add([b!])
      one.send({ type: 'finished', tasks: [ids[1]!] })
    }
  }
  assert.deepEqual(seen, [a, c, b])
  // An empty stream that gets more goes on.
  completed.add(a!)
  assert.equal((await completed.next()).value, a)
})

test('leaving the loop lets go, and nothing can be added any more', async () => {
  await using scheduler = await FakeScheduler.start()
  const [futures, ids] = await mapped(scheduler, [0, 1])
  const completed = asCompleted(futures)
  scheduler.send({ type: 'finished', tasks: [ids[1]!] })
  for await (const future of completed) {
    assert.equal(future, futures[1])
    break
  }
  assert.equal(completed.left, 0)
  assert.throws(() => completed.add(futures[0]!), { code: 'ERR_HEDDLE_CLOSED' })
  assert.deepEqual(await completed.next(), { done: true, value: undefined })
})

test('a signal ends the loop with its reason', async () => {
  await using scheduler = await FakeScheduler.start()
  const [futures] = await mapped(scheduler, [0, 1])
  const aborter = new AbortController()
  const completed = asCompleted(futures, { signal: aborter.signal })
  const next = completed.next()
  aborter.abort(new Error('enough'))
  await assert.rejects(next, { message: 'enough' })
  await assert.rejects(completed.next(), { message: 'enough' })
  await assert.rejects(asCompleted(futures, { signal: AbortSignal.abort(new Error('before')) }).next(), /before/)
})

test('only futures and known options are taken', async () => {
  await using scheduler = await FakeScheduler.start()
  const [futures] = await mapped(scheduler, [0])
  // @ts-expect-error No future.
  assert.throws(() => asCompleted([3]), { message: /Entry 0 given to asCompleted\(\) is 3/ })
  // @ts-expect-error No list.
  assert.throws(() => asCompleted(futures[0]!), { message: /takes a list of futures/ })
  // @ts-expect-error No such option.
  assert.throws(() => asCompleted(futures, { timeoutMs: 3 }), { code: 'ERR_HEDDLE_INVALID_OPTION' })
  // @ts-expect-error No signal.
  assert.throws(() => asCompleted(futures, { signal: 3 }), { code: 'ERR_HEDDLE_INVALID_OPTION' })
  // @ts-expect-error No such mode.
  assert.throws(() => asCompleted.results(futures, { errors: 'no' }), { code: 'ERR_HEDDLE_INVALID_OPTION' })
})

test('results gives values in the order in which futures end, and treats errors as it is told', async () => {
  await using scheduler = await FakeScheduler.start()
  const [futures, ids] = await mapped(scheduler, [0, 1, 2])
  const thrown = asCompleted.results(futures)
  const skipped = valuesOf(asCompleted.results(futures, { errors: 'skip' }))
  const settled = asCompleted.results(futures, { errors: 'settle' })
  scheduler.send({ type: 'finished', tasks: [ids[2]!] })
  const first = thrown.next()
  const [want] = await scheduler.until('want')
  assert.deepEqual(want!.tasks, [ids[2]])
  scheduler.values([[ids[2]!, 4]])
  assert.deepEqual(await first, { done: false, value: 4 })
  scheduler.threw([ids[0]!], new RangeError('no'))
  await assert.rejects(thrown.next(), RangeError)
  assert.deepEqual(await settled.next(), { done: false, value: { status: 'fulfilled', value: 4 } })
  const { value: failure } = (await settled.next()) as { value: PromiseRejectedResult }
  assert.equal(failure.status, 'rejected')
  assert.ok(failure.reason instanceof RangeError)
  await settled.return!()
  scheduler.send({ type: 'finished', tasks: [ids[1]!] })
  await scheduler.until('want', 2)
  scheduler.values([[ids[1]!, 2]])
  assert.deepEqual(await skipped, [4, 2])
})

test('results asks for few values ahead of the loop', async () => {
  await using scheduler = await FakeScheduler.start()
  const items = Array.from({ length: 100 }, (_, i) => i)
  const [futures, ids] = await mapped(scheduler, items)
  scheduler.send({ type: 'finished', tasks: ids })
  await eventually('all', () => futures[99]!.status === 'finished')
  const seen: number[] = []
  const loop = (async () => {
    for await (const value of asCompleted.results(futures)) seen.push(value)
  })()
  await scheduler.until('want')
  assert.deepEqual(scheduler.wanted, ids.slice(0, 16))
  for (let asked = 0; asked < ids.length;) {
    const wanted = scheduler.wanted.slice(asked)
    scheduler.values(wanted.map((id) => [id, ids.indexOf(id)]))
    asked += wanted.length
    if (asked < ids.length) await scheduler.until('want', scheduler.all('want').length + 1)
  }
  await loop
  assert.deepEqual(seen, items)
})

test('wait says which are over, in the order given', async () => {
  await using scheduler = await FakeScheduler.start()
  const [[a, b, c, d], ids] = await mapped(scheduler, [0, 1, 2, 3])
  const two = wait([d!, c!, b!, a!], { count: 2, timeoutMs: 600_000 })
  const all = wait(new Set([a!, b!, c!, d!]))
  scheduler.send({ type: 'finished', tasks: [ids[0]!] })
  scheduler.threw([ids[3]!], new Error('no'))
  assert.deepEqual(await two, { done: [d, a], pending: [c, b] })
  b!.release()
  scheduler.values([[ids[2]!, 4]])
  assert.deepEqual(await all, { done: [a, b, c, d], pending: [] })
  assert.deepEqual(await wait([]), { done: [], pending: [] })
  assert.deepEqual(await wait([a!], { count: 0 }), { done: [a], pending: [] })
})

test('wait gives up after its time-out or by its signal, and checks what it is given', async () => {
  await using scheduler = await FakeScheduler.start()
  const [[a, b], ids] = await mapped(scheduler, [0, 1])
  scheduler.send({ type: 'finished', tasks: [ids[0]!] })
  await eventually('a', () => a!.status === 'finished')
  const message = '1 of 2 futures are over after 5 ms; wait again, or for longer.'
  await assert.rejects(wait([a!, b!], { timeoutMs: 5 }), { name: 'TimeoutError', message })
  await assert.rejects(wait([b!], { signal: AbortSignal.abort(new Error('enough')) }), /enough/)
  await assert.rejects(wait([a!], { count: 2 }), { message: /count is 2; give a whole number from 0 to the 1/ })
  // @ts-expect-error No such option.
  await assert.rejects(wait([a!], { timeout: 2 }), { message: /did you mean "timeoutMs"/ })
  // @ts-expect-error No future.
  await assert.rejects(wait([Promise.resolve()]), { message: /is a Promise, and no future/ })
})

test('a listener hears each change of the status, once of what is over, and nothing after it stopped', async () => {
  await using scheduler = await FakeScheduler.start()
  const [[a, b], ids] = await mapped(scheduler, [0, 1])
  const heard: string[] = []
  a!.onStatus((status) => heard.push(`a ${status}`))
  const stop = b!.onStatus((status) => heard.push(`b ${status}`))
  scheduler.send({ type: 'finished', tasks: [ids[0]!] })
  await eventually('a', () => heard.length > 0)
  stop()
  scheduler.threw([ids[1]!], new Error('no'))
  await eventually('b', () => b!.status === 'error')
  b!.onStatus((status) => heard.push(`late ${status}`))
  scheduler.values([[ids[0]!, 0]])
  assert.equal(await a!, 0)
  assert.deepEqual(heard, ['a finished', 'late error'])
  // @ts-expect-error No function.
  assert.throws(() => a!.onStatus('a'), { code: 'ERR_HEDDLE_INVALID_OPTION' })
})

test('wait, asCompleted and reports hold their futures until they are over', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const waits = (() => {
    const [a, b, c] = [0, 1, 2].map((x) => client.submit(double, x))
    const reports = c!.progress[Symbol.asyncIterator]()
    return [wait([a!]), asCompleted([b!]).next(), reports.next()] as const
  })()
  const lost = new WeakRef((() => client.submit(double, 3))())
  const ids = await scheduler.untilSubmitted(4)
  await eventually('the end of a future that nobody waits for', () => {
    collectGarbage()
    return lost.deref() === undefined && scheduler.released.length > 0
  })
  assert.deepEqual(scheduler.released, [ids[3]])
  scheduler.send({ type: 'finished', tasks: ids.slice(0, 3) })
  const [waited, next, reported] = await Promise.all(waits)
  assert.equal(waited.done.length, 1)
  assert.equal(next.done, false)
  assert.equal(reported.done, true)
})

test('futuresOf finds futures wherever a task would find them, each once', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const [a, b, c, d] = client.map(double, [0, 1, 2, 3])
  const nested: unknown[] = [{ a, deep: [new Map([['b', new Set([b])]]), a] }]
  nested.push(nested)
  assert.deepEqual(client.futuresOf(nested), [a, b])
  assert.deepEqual(client.futuresOf(c), [c])
  const sum = delayed((xs: number[]) => xs.length)
  assert.deepEqual(client.futuresOf(sum([sum([c!]), d!] as never)), [d, c])
  class Holder {
    readonly future = a
  }
  assert.deepEqual(client.futuresOf([new Holder(), 3, null, 'x']), [])
  await scheduler.untilSubmitted(4)
})

test('large values are fetched by one request to each worker that holds some', async () => {
  const held = new Map<TaskId, Uint8Array>()
  const asked: number[] = []
  const counted = (worker: number): ReadonlyMap<TaskId, Uint8Array> =>
    ({ get: (id: TaskId) => (asked.push(worker), held.get(id)) }) as never
  await using scheduler = await FakeScheduler.start({ held: { 'ws://1:1': counted(1), 'ws://2:1': counted(2) } })
  const items = Array.from({ length: 40 }, (_, i) => i)
  const [futures, ids] = await mapped(scheduler, items)
  const values = scheduler.client.gather(futures)
  await scheduler.until('want')
  ids.forEach((id, i) => {
    held.set(id, encodeValue(i * 2, { path: 'result' }))
    const holders = [`ws://${1 + (i % 2)}:1`]
    scheduler.send({ type: 'located', task: id, heldAs: id, sizeBytes: 8, holders, workers: [1 + (i % 2)] })
  })
  assert.deepEqual(
    await values,
    items.map((i) => i * 2),
  )
  assert.deepEqual(scheduler.dialled, ['ws://1:1', 'ws://2:1'])
})
