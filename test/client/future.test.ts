import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import test from 'node:test'
import { collectGarbage } from '../../common/node/garbage.js'
import { interruptible } from '../../client/interruptible.js'
import { SchedulerUnreachableError, TaskCancelledError, WorkerLostError } from '../../protocol/errors.js'
import { taskId } from '../../protocol/ids.js'
import { eventually } from '../support/eventually.js'
import { FakeScheduler } from './fake-scheduler.js'

const double = (x: number): number => x * 2
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Rejections as `assert.rejects` wants them. */
const settled = async (future: PromiseLike<unknown>): Promise<unknown> => await future

test('awaiting a future asks for its value', async () => {
  await using scheduler = await FakeScheduler.start()
  const future = scheduler.client.submit(double, 4)
  const [id] = await scheduler.untilSubmitted(1)
  await nextTurn()
  assert.deepEqual(scheduler.wanted, [])
  assert.equal(future.status, 'pending')

  const value = future.then((x) => x + 1)
  await scheduler.until('want')
  assert.deepEqual(scheduler.wanted, [id])
  scheduler.values([[id!, 8]])
  assert.equal(await value, 9)
  assert.equal(future.status, 'finished')
  assert.equal(await future, 8)
  assert.deepEqual(scheduler.wanted, [id])
})

test('futures awaited in one turn are asked for in one message', async () => {
  await using scheduler = await FakeScheduler.start()
  const futures = [1, 2, 3].map((x) => scheduler.client.submit(double, x))
  const all = Promise.all(futures)
  const first = Promise.race(futures)
  const [want] = await scheduler.until('want')
  const ids = scheduler.submitted
  assert.deepEqual(want!.tasks, ids)
  scheduler.values(ids.map((id, i) => [id, (i + 1) * 2]))
  assert.deepEqual(await all, [2, 4, 6])
  assert.equal(await first, 2)
  assert.equal(scheduler.all('want').length, 1)
})

test('allSettled and any take futures as they take promises', async () => {
  await using scheduler = await FakeScheduler.start()
  const futures = scheduler.client.map(double, [1, 2])
  const ids = await scheduler.untilSubmitted(2)
  const both = Promise.allSettled(futures)
  const any = Promise.any(futures)
  await scheduler.until('want')
  const bad = new RangeError('no')
  scheduler.threw([ids[0]!], bad)
  scheduler.values([[ids[1]!, 4]])
  assert.equal(await any, 4)
  const [first, second] = await both
  assert.ok(first!.status === 'rejected' && (first!.reason as Error).message === 'no')
  assert.deepEqual(second, { status: 'fulfilled', value: 4 })
})

test('the status of a future tells what became known without awaiting it', async () => {
  await using scheduler = await FakeScheduler.start()
  const [a, b, c, d] = scheduler.client.map(double, [1, 2, 3, 4])
  const ids = await scheduler.untilSubmitted(4)
  scheduler.send({ type: 'finished', tasks: [ids[0]!] })
  scheduler.threw([ids[1]!], new RangeError('no'))
  scheduler.refused([ids[2]!], 'ERR_HEDDLE_TASK_CANCELLED', 'It was cancelled.')
  await eventually('news', () => c!.status !== 'pending')
  assert.deepEqual(
    [a, b, c, d].map((future) => future!.status),
    ['finished', 'error', 'cancelled', 'pending'],
  )
  assert.equal(inspect(a), `Future { ${a!.key}: finished }`)
  await assert.rejects(settled(c!), TaskCancelledError)
  await assert.rejects(settled(c!), { name: 'AbortError' })
})

test('a failed task rejects with the error it threw, and where it ran and was submitted', async () => {
  await using scheduler = await FakeScheduler.start()
  const cause = new Error('the cause')
  const thrown = Object.assign(new TypeError('boom', { cause }), { detail: 7 })
  function submitHere() {
    return scheduler.client.submit(double, 1)
  }
  const future = submitHere()
  const [id] = await scheduler.untilSubmitted(1)
  scheduler.threw([id!], thrown, 'double-1')

  const error = (await future.error()) as TypeError & Record<string, unknown>
  assert.ok(error instanceof TypeError)
  assert.equal(error.message, 'boom')
  assert.equal((error.cause as Error).message, 'the cause')
  assert.equal(error['detail'], 7)
  assert.equal(error['taskKey'], 'double-1')
  assert.equal(error['worker'], 'w1')
  assert.equal(error['attempt'], 2)
  assert.ok(error.stack!.startsWith(thrown.stack!))
  assert.match(error.stack!.slice(thrown.stack!.length), /^\n {2}submitted\n {4}at submitHere .*future\.test/)
  await assert.rejects(future.result(), (again) => again === error)
  assert.equal(await future.catch((reason: unknown) => reason), error)
  let isOver = false
  await assert.rejects(future.finally(() => (isOver = true)))
  assert.ok(isOver)
})

test('the place of the submit is that of the call of map, of pipe and of a function of a module', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  function mapHere() {
    return client.map(double, [1])[0]!
  }
  function pipeHere() {
    return mapHere().pipe((x: number) => x)
  }
  const futures = [mapHere(), pipeHere()]
  const ids = await scheduler.untilSubmitted(3)
  scheduler.threw(ids, new Error('boom'))
  const stacks = await Promise.all(futures.map(async (future) => ((await future.error()) as Error).stack))
  assert.match(stacks[0]!, /submitted\n {4}at mapHere/)
  assert.match(stacks[1]!, /submitted\n {4}at pipeHere/)
})

test('a loop that submits thousands of tasks is known as the place of all of them', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  function submitMany() {
    return Array.from({ length: 3_000 }, (_, i) => client.submit(double, i))
  }
  function submitOther() {
    return client.submit((x: number) => x, 1)
  }
  const futures = [...submitMany(), submitOther()]
  const ids = await scheduler.untilSubmitted(3_001)
  scheduler.threw(ids.slice(-2), new Error('boom'))
  const stacks = await Promise.all(futures.slice(-2).map(async (future) => ((await future.error()) as Error).stack))
  assert.match(stacks[0]!, /submitted\n[^]*at submitMany/)
  assert.match(stacks[1]!, /submitted\n {4}at submitOther/)
})

test('whatever a task threw is thrown, an error or not', async () => {
  await using scheduler = await FakeScheduler.start()
  const futures = scheduler.client.map(double, [1, 2])
  const ids = await scheduler.untilSubmitted(2)
  scheduler.threw([ids[0]!], 'a text')
  scheduler.threw([ids[1]!], undefined)
  assert.equal(await futures[0]!.catch((reason: unknown) => reason), 'a text')
  assert.equal(
    await futures[1]!.then(
      () => 'fulfilled',
      (reason: unknown) => reason,
    ),
    undefined,
  )
})

test('a task that the cluster failed rejects with the class of its code', async () => {
  await using scheduler = await FakeScheduler.start()
  const future = scheduler.client.submit(double, 1)
  const [id] = await scheduler.untilSubmitted(1)
  scheduler.refused([id!], 'ERR_HEDDLE_WORKER_LOST', 'Its worker died 3 times.')
  await assert.rejects(settled(future), (error) => error instanceof WorkerLostError && !error.retryable)
  assert.equal(await future.error().then((error) => (error as Error).message), 'Its worker died 3 times.')
})

test('error() of a task that went well is undefined', async () => {
  await using scheduler = await FakeScheduler.start()
  const error = scheduler.client.submit(double, 1).error()
  await scheduler.until('want')
  scheduler.values([[scheduler.submitted[0]!, 2]])
  assert.equal(await error, undefined)
})

test('result() gives up after its time-out or by its signal, and the future stays good', async () => {
  await using scheduler = await FakeScheduler.start()
  const future = scheduler.client.submit(double, 1)
  await assert.rejects(future.result({ timeoutMs: 5 }), { code: 'ERR_HEDDLE_TIMEOUT', name: 'TimeoutError' })
  const aborter = new AbortController()
  const aborted = future.result({ signal: aborter.signal })
  aborter.abort(new Error('enough'))
  await assert.rejects(aborted, { message: 'enough' })
  await assert.rejects(future.result({ signal: AbortSignal.abort(new Error('before')) }), { message: 'before' })
  await assert.rejects(future.result({ timeoutMs: -1 }), { code: 'ERR_HEDDLE_INVALID_OPTION' })
  // @ts-expect-error Not an option.
  await assert.rejects(future.result({ timeout: 1 }), { message: /did you mean "timeoutMs"/ })

  const value = future.result({ timeoutMs: 60_000 })
  await scheduler.until('want')
  scheduler.values([[scheduler.submitted[0]!, 2]])
  assert.equal(await value, 2)
})

test('a released future is let go of, and awaiting it is an error that says so', async () => {
  await using scheduler = await FakeScheduler.start()
  const [a, b] = scheduler.client.map(double, [1, 2])
  const waiting = settled(a!)
  await scheduler.until('want')
  a!.release()
  a!.release()
  {
    using held = b!
    assert.equal(held.status, 'pending')
  }
  await assert.rejects(waiting, { code: 'ERR_HEDDLE_RELEASED', message: new RegExp(`${a!.key} was released`) })
  await assert.rejects(settled(b!), { code: 'ERR_HEDDLE_RELEASED' })
  await scheduler.until('release')
  assert.deepEqual(scheduler.released, scheduler.submitted)
  // Late news of them changes nothing.
  scheduler.values([[scheduler.submitted[0]!, 2]])
  const next = scheduler.client.submit(double, 3).result()
  await scheduler.until('want', 2)
  scheduler.values([[scheduler.submitted[2]!, 6]])
  assert.equal(await next, 6)
})

test('a value that was awaited before is refused too once its future is released', async () => {
  await using scheduler = await FakeScheduler.start()
  const future = scheduler.client.submit(double, 1)
  const value = settled(future)
  await scheduler.until('want')
  scheduler.values([[scheduler.submitted[0]!, 2]])
  assert.equal(await value, 2)
  future.release()
  await assert.rejects(settled(future), { code: 'ERR_HEDDLE_RELEASED' })
  assert.equal(future.status, 'finished')
})

test('futures that were collected are released, many in one message', async () => {
  await using scheduler = await FakeScheduler.start()
  const kept = scheduler.client.submit(double, 0)
  // In a function of its own: what a frame on the stack has held may stay in it.
  ;(() =>
    scheduler.client.map(
      double,
      Array.from({ length: 500 }, (_, i) => i),
    ))()
  const ids = await scheduler.untilSubmitted(501)
  await eventually('the release of what nobody holds', () => {
    collectGarbage()
    return scheduler.released.length === 500
  })
  assert.deepEqual(
    scheduler.released.toSorted((a, b) => a - b),
    ids.slice(1),
  )
  assert.ok(scheduler.all('release').length < 20)
  assert.equal(kept.status, 'pending')
})

test('futures of a large map are collected by neighbours, and only with the last of them', async () => {
  await using scheduler = await FakeScheduler.start()
  const items = Array.from({ length: 1_100 }, (_, i) => i)
  const kept = (() => scheduler.client.map(double, items)[20]!)()
  const ids = await scheduler.untilSubmitted(items.length)
  const isKept = (place: number): boolean => place >= 16 && place < 32
  await eventually('the release of all but the neighbours of one', () => {
    collectGarbage()
    return scheduler.released.length === items.length - 16
  })
  assert.deepEqual(
    scheduler.released.toSorted((a, b) => a - b),
    ids.filter((_, place) => !isKept(place)),
  )
  kept.release()
  await eventually('the release of the one', () => scheduler.released.includes(ids[20]!))
  assert.equal(scheduler.released.length, items.length - 15)
})

test('an unsettled wait holds its future', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const values = (() => [client.submit(double, 1).then((x) => x), client.gather(client.map(double, [2, 3]))])()
  const lost = new WeakRef((() => client.submit(double, 4))())
  await scheduler.until('want')
  const ids = scheduler.submitted
  await eventually('the end of a future that nobody waits for', () => {
    collectGarbage()
    return lost.deref() === undefined && scheduler.released.length > 0
  })
  assert.deepEqual(scheduler.released, [ids[3]])
  scheduler.values([
    [ids[0]!, 2],
    [ids[1]!, 4],
    [ids[2]!, 6],
  ])
  assert.deepEqual(await Promise.all(values), [2, [4, 6]])
})

test('a lost connection rejects what is pending, and says where and what to do', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const [awaited, idle, known] = client.map(double, [1, 2, 3])
  const value = settled(awaited!)
  const gathered = client.gather([awaited!])
  const info = client.info()
  const workers = client.waitForWorkers(3)
  await scheduler.until('await-workers')
  const ids = scheduler.submitted
  scheduler.threw([ids[2]!], new RangeError('known'))
  await eventually('the failure', () => known!.status === 'error')
  scheduler.cut()

  const lost = (error: unknown): boolean =>
    error instanceof SchedulerUnreachableError && /ws:\/\/fake:1 ended: .* connect again\.$/.test(error.message)
  await assert.rejects(value, lost)
  await assert.rejects(gathered, lost)
  await assert.rejects(info, lost)
  await assert.rejects(workers, lost)
  await assert.rejects(settled(idle!), lost)
  await assert.rejects(settled(known!), RangeError)
  assert.equal(idle!.status, 'lost')
  assert.throws(() => client.submit(double, 1), lost)
  idle!.release()
})

test('a closed client refuses calls, and closing twice does no harm', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const view = client.with({ name: 'view' })
  const future = client.submit(double, 1)
  const closed = { code: 'ERR_HEDDLE_CLOSED', message: /open another one with connect/ }
  const pending = assert.rejects(settled(future), closed)
  await client.close()
  await view.close()

  await pending
  await assert.rejects(settled(client.gather([])), closed)
  await assert.rejects(client.info(), closed)
  await assert.rejects(client.waitForWorkers(1), closed)
  assert.throws(() => client.submit(double, 1), closed)
  assert.throws(() => view.map(double, [1]), closed)
  assert.throws(() => future.pipe(double), closed)
  assert.throws(() => client.module(new URL('file:///a.ts')), closed)
  future.release()
})

test('info and waitForWorkers ask the scheduler', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const info = client.info()
  const [question] = await scheduler.until('ask-status')
  const zero = { waiting: 0, ready: 0, processing: 0, 'in-memory': 0, failed: 0, released: 0, delayed: 0 }
  const status = {
    packageVersion: '0.1.0',
    nodeVersion: 'v20.0.0',
    upForMs: 5,
    clients: 1,
    workers: [],
    tasks: { ...zero, processing: 2 },
    blocked: [],
    functions: [],
    totals: {
      submitted: 2,
      finished: 0,
      failed: 0,
      retried: 0,
      cancelled: 0,
      resultBytes: 0,
      movedBytes: 0,
      repaired: 0,
    },
    tasksPerSecond: 0,
  }
  scheduler.send({ type: 'status', request: question!.request, status })
  assert.deepEqual(await info, status)

  const present = client.waitForWorkers(2, { timeoutMs: 60_000 })
  const [wait] = await scheduler.until('await-workers')
  assert.equal(wait!.count, 2)
  scheduler.send({ type: 'workers-present', request: wait!.request, count: 2 })
  await present
  await assert.rejects(client.waitForWorkers(9, { timeoutMs: 5 }), {
    code: 'ERR_HEDDLE_TIMEOUT',
    message: /Fewer than 9/,
  })
  await assert.rejects(client.waitForWorkers(-1), { code: 'ERR_HEDDLE_INVALID_OPTION' })
})

test('a bad time-out is refused before anything is asked, and ends no program', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const future = client.submit(double, 1)
  const bad = { code: 'ERR_HEDDLE_INVALID_OPTION', message: /timeoutMs is NaN/ }
  await assert.rejects(future.result({ timeoutMs: Number.NaN }), bad)
  await assert.rejects(client.waitForWorkers(1, { timeoutMs: Number.NaN }), bad)
  await scheduler.untilSubmitted(1)
  await nextTurn()
  assert.deepEqual(scheduler.wanted, [])
  assert.deepEqual(scheduler.all('await-workers'), [])

  // An unhandled rejection would fail this test.
  const work = Promise.reject(new Error('nobody asks'))
  const timedOut = (): Error => new Error('late')
  await assert.rejects(interruptible(work, { timeoutMs: -1, timedOut }), { code: 'ERR_HEDDLE_INVALID_OPTION' })
  await nextTurn()
})

test('a wait for workers that was given up is forgotten', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const giveUp = async (): Promise<WeakRef<AbortSignal>> => {
    const controller = new AbortController()
    const wait = client.waitForWorkers(2, { signal: controller.signal })
    await scheduler.until('await-workers')
    controller.abort(new Error('enough'))
    await assert.rejects(wait, { message: 'enough' })
    return new WeakRef(controller.signal)
  }
  // The open question would hold the signal.
  const signal = await giveUp()
  await eventually('the signal is collected', () => {
    collectGarbage()
    return signal.deref() === undefined
  })
  // A late answer does no harm.
  const [question] = scheduler.all('await-workers')
  scheduler.send({ type: 'workers-present', request: question!.request, count: 2 })
  await nextTurn()
})

test('a failed task runs again, and the future is pending, then good', async () => {
  await using scheduler = await FakeScheduler.start()
  const [future, dependant] = scheduler.client.map(double, [1, 2])
  const ids = await scheduler.untilSubmitted(2)
  const heard: string[] = []
  scheduler.threw(ids, new Error('no'))
  await assert.rejects(settled(future!), /no/)
  await assert.rejects(settled(dependant!), /no/)
  future!.onStatus((status) => heard.push(status))
  assert.equal(future!.retry(), undefined)
  assert.equal(future!.status, 'pending')
  future!.retry()
  const value = settled(future!)
  const submitted = scheduler.client.submit(double, future!)
  await scheduler.until('want')
  const kinds = scheduler.messages.map(({ type }) => type).filter((type) => type !== 'define-template')
  assert.deepEqual(kinds.slice(kinds.indexOf('retry')), ['retry', 'submit', 'want'])
  assert.deepEqual(scheduler.all('retry')[0]!.tasks, [ids[0]])
  scheduler.send({ type: 'retried', tasks: ids })
  await eventually('the dependant', () => dependant!.status === 'pending')
  scheduler.values([[ids[0]!, 2]])
  assert.equal(await value, 2)
  assert.equal(await future, 2)
  assert.deepEqual(heard, ['error', 'pending', 'finished'])
  const again = settled(dependant!)
  await scheduler.until('want', 2)
  scheduler.values([[ids[1]!, 4]])
  assert.equal(await again, 4)
  assert.equal(submitted.status, 'pending')
})

test('what failed here or was let go of can not be retried, and what did not fail need not', async () => {
  await using scheduler = await FakeScheduler.start()
  const [a, b] = scheduler.client.map(double, [1, 2])
  a!.retry()
  void a!.cancel().catch(() => undefined)
  assert.throws(() => a!.retry(), { code: 'ERR_HEDDLE_RELEASED' })
  b!.release()
  assert.throws(() => b!.retry(), { code: 'ERR_HEDDLE_RELEASED' })
  const bad = scheduler.client.map(double, [...Array<number>(1_000).fill(1), Symbol() as never])[1_000]!
  await bad.error()
  assert.throws(() => bad.retry(), { code: 'ERR_HEDDLE_NOT_SERIALIZABLE' })
  assert.deepEqual(scheduler.all('retry'), [])
})

test('fire and forget is said behind the submit and before the release, and before the client closes', async () => {
  const scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const futures = client.map(double, [1, 2])
  client.fireAndForget({ deep: [futures[0]] })
  futures[0]!.release()
  assert.throws(() => client.fireAndForget(futures[0]), { code: 'ERR_HEDDLE_RELEASED' })
  assert.throws(() => client.fireAndForget([3]), { code: 'ERR_HEDDLE_INVALID_OPTION' })
  client.fireAndForget(futures[1])
  await client.close()
  await scheduler.until('detach', 2)
  const ids = scheduler.submitted
  assert.deepEqual(
    scheduler.all('detach').map(({ tasks }) => tasks),
    [[ids[0]], [ids[1]]],
  )
  const kinds = scheduler.messages.map(({ type }) => type)
  assert.ok(kinds.indexOf('submit') < kinds.indexOf('detach'))
  assert.throws(() => client.fireAndForget(futures[1]), { code: 'ERR_HEDDLE_CLOSED' })
  await scheduler[Symbol.asyncDispose]()
})

test('a future is attached to a task by its key', async () => {
  await using scheduler = await FakeScheduler.start()
  const future = scheduler.client.future<number>('model-7')
  assert.deepEqual([future.key, future.status], ['model-7', 'pending'])
  const value = settled(future)
  const [attach] = await scheduler.until('attach')
  await scheduler.until('want')
  const [id] = scheduler.wanted
  assert.deepEqual([attach!.key, attach!.array], ['model-7', Math.floor(id! / 1024)])
  scheduler.values([[id!, 7]])
  assert.equal(await value, 7)
  const unknown = scheduler.client.future('nothing')
  await scheduler.until('attach', 2)
  const other = taskId(scheduler.all('attach')[1]!.array, 0)
  scheduler.refused([other], 'ERR_HEDDLE_UNKNOWN_KEY', 'No task has the key.')
  await assert.rejects(settled(unknown), { code: 'ERR_HEDDLE_UNKNOWN_KEY' })
  assert.throws(() => scheduler.client.future(''), { code: 'ERR_HEDDLE_INVALID_OPTION' })
})
