/** Real code that takes too long, or that nobody wants any more, in real threads. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, FatalError, LocalCluster, TaskTimeoutError, UnsatisfiableError } from '../../client/index.js'
import { eventually } from '../support/eventually.js'
import { sharedCluster } from '../support/shared-cluster.js'

const one = sharedCluster({ workers: 1, threadsPerWorker: 1 })
const two = sharedCluster({ workers: 2, threadsPerWorker: 1 })

test('what has had its time is stopped, in a batch and beside others, and nothing else is', async () => {
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 2 })
  await using client = await connect(cluster)
  const loop = (x: number): number => {
    while (x % 100 === 50);
    return x
  }
  const items = Array.from({ length: 200 }, (_, i) => i)
  const beside = client.submit(() => new Promise<string>((resolve) => setTimeout(() => resolve('beside'), 300)))
  const results = await client.gather(client.map(loop, items, { timeoutMs: 1_000 }), { errors: 'settle' })
  for (const [i, result] of results.entries()) {
    if (i % 100 !== 50) assert.deepEqual(result, { status: 'fulfilled', value: i })
    else assert.ok(result.status === 'rejected' && result.reason instanceof TaskTimeoutError)
  }
  assert.equal(await beside, 'beside')
  assert.equal(await client.submit(loop, 1), 1)

  // One that takes its signal hears why, and may end in its grace: it has failed all the same.
  const polite = client.with({ timeoutMs: 50, name: 'polite' }).submit(async () => {
    const { task } = await import('heddle/task')
    await new Promise((resolve) => task.signal.addEventListener('abort', resolve))
    console.log(`heard ${(task.signal.reason as Error).name}`)
    return 1
  })
  await assert.rejects(Promise.resolve(polite), { name: 'TaskTimeoutError', message: /timeoutMs of 50/ })
  assert.deepEqual((await client.info()).tasks.processing, 0)
})

test('running work that nobody holds any more is stopped', async () => {
  await using client = await connect(await one())
  const endless = client.submit(() => {
    while (true);
  })
  await eventually('it runs', async () => (await client.info()).tasks.processing === 1)
  endless.release()
  assert.equal(await client.submit(() => 'its slot is free'), 'its slot is free')
})

test('a cluster in one thread fails a task that had its time, though nothing can stop it', async () => {
  await using client = await connect('inline:')
  const late = client
    .with({ timeoutMs: 20 })
    .submit(() => new Promise((resolve) => setTimeout(resolve, 600_000).unref()))
  await assert.rejects(Promise.resolve(late), { name: 'TaskTimeoutError' })
})

test('tasks that fail are tried again, as long as their errors and their options allow', async () => {
  await using client = await connect(await two())
  const failsUntil = async (last: number, how: string): Promise<number> => {
    const { task } = await import('heddle/task')
    const { FatalError } = await import('heddle')
    if (task.attempt >= last) return task.attempt
    if (how === 'exit') process.exit(3)
    if (how === 'hang') while (true);
    if (how === 'fatal') throw new FatalError('no use')
    throw Object.assign(new RangeError(`attempt ${task.attempt}`), { code: how })
  }
  const retries = { count: 2, delayMs: 1, backoff: 'exponential', jitter: 0.5 } as const
  const thrice = client.with({ retries })
  assert.deepEqual(
    await client.gather(thrice.starmap(failsUntil, [[3, ''], [3, 'exit'], [1, '']])), // prettier-ignore
    [3, 3, 1],
  )
  // A second attempt that a slow machine takes too long for is followed by others.
  const patient = client.with({ retries: { ...retries, count: 9 }, timeoutMs: 1_500 })
  assert.ok((await patient.submit(failsUntil, 2, 'hang')) >= 2)
  await assert.rejects(Promise.resolve(thrice.submit(failsUntil, 4, '')), { name: 'RangeError', message: 'attempt 3' })
  const fatal = await thrice.submit(failsUntil, 3, 'fatal').error()
  assert.ok(fatal instanceof FatalError)
  assert.equal((fatal as FatalError & { attempt: number }).attempt, 1)

  const onReset = client.with({ retries: { count: 5, on: (error) => error.code === 'ECONNRESET' } })
  assert.equal(await onReset.submit(failsUntil, 3, 'ECONNRESET'), 3)
  await assert.rejects(Promise.resolve(onReset.submit(failsUntil, 3, 'EOTHER')), { message: 'attempt 1' })
  const later = client.with({ retries: { count: 5, on: async (error) => (await import('node:util')).isDeepStrictEqual(error.code, 'E') } }) // prettier-ignore
  assert.equal(await later.submit(failsUntil, 2, 'E'), 2)
  const broken = client.with({ retries: { count: 5, on: (error) => error.no.such } })
  await assert.rejects(Promise.resolve(broken.submit(failsUntil, 3, 'E')), (error: Error) => {
    assert.match(error.message, /^The function retries\.on failed \(TypeError: .*\(RangeError: attempt 1\)/)
    assert.equal((error.cause as Error).message, 'attempt 1')
    return true
  })
})

test('what waits too long for its start fails, and so does what nobody can take', async () => {
  await using client = await connect(await one())
  const endless = client.submit(() => {
    while (true);
  })
  const hurried = client.with({ queueTimeoutMs: 100 })
  const late = await hurried.submit((x: number) => x, 1).error()
  assert.ok(late instanceof TaskTimeoutError && late.code === 'ERR_HEDDLE_QUEUE_TIMEOUT')
  const blocked = await hurried.with({ resources: { gpu: 1 } }).submit((x: number) => x, 1).error() // prettier-ignore
  assert.ok(blocked instanceof UnsatisfiableError)
  assert.match(blocked.message, /needs gpu=1/)
  await endless.cancel()
  assert.equal(await hurried.with({ queueTimeoutMs: 60_000 }).submit((x: number) => x, 1), 1)
})

test('a map stops after so many failures, and what runs of it too', async () => {
  await using client = await connect(await two())
  const some = (x: number): number => {
    while (x === 0);
    throw new RangeError(String(x))
  }
  const items = Array.from({ length: 5_000 }, (_, i) => i)
  const results = await client.gather(client.map(some, items, { maxFailures: 3 }), { errors: 'settle' })
  const names = results.map((result) => (result.status === 'rejected' ? (result.reason as Error).name : ''))
  assert.equal(names.filter((name) => name === 'RangeError').length, 3)
  assert.equal(names.filter((name) => name === 'AbortError').length, 4_997)
  assert.deepEqual(await client.gather(client.map((x: number) => x, [1, 2])), [1, 2])
})
