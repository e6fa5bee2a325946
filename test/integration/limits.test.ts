/** Limits, I/O tasks and certain workers in a real cluster: processes, threads, and a worker that dies. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import type { Client } from '../../client/client.js'
import type { LocalCluster } from '../../deploy/local-cluster.js'
import { eventually } from '../support/eventually.js'
import { sharedCluster } from '../support/shared-cluster.js'

const TWO = sharedCluster({ workers: 2, threadsPerWorker: 1, logLevel: 'error' })
const ONE = sharedCluster({ workers: 1, threadsPerWorker: 1, logLevel: 'error' })

async function withCluster(
  start: () => Promise<LocalCluster>,
  check: (given: { readonly client: Client; readonly cluster: LocalCluster }) => Promise<void>,
): Promise<void> {
  const cluster = await start()
  await using client = await connect(cluster)
  await check({ client, cluster })
}

test('I/O tasks run at once beside the threads, and each knows itself though they share one', async () => {
  await withCluster(TWO, async ({ client }) => {
    const who = async (n: number) => {
      const { task } = await import('heddle/task')
      const before = task.key
      await new Promise((resolve) => setTimeout(resolve, n % 7))
      console.log(`I/O task ${n}`)
      return { before, after: task.key, attempt: task.attempt, name: task.name }
    }
    const futures = client.map(who, [...Array(100).keys()], { resources: { threads: 0 }, name: 'who' })
    const seen = await client.gather(futures)
    assert.deepEqual(
      seen,
      futures.map(({ key }) => ({ before: key, after: key, attempt: 1, name: 'who' })),
    )

    // Each waits until all of one worker's have begun, which no two threads could do.
    const meet = async (count: number) => {
      const shared = globalThis as { here?: number }
      shared.here = (shared.here ?? 0) + 1
      while (shared.here < count) await new Promise((resolve) => setImmediate(resolve))
      return shared.here
    }
    const one = { resources: { threads: 0 }, workers: [(await client.info()).workers[0]!.name] }
    const met = await client.gather(client.map(meet, new Array<number>(50).fill(50), one))
    assert.equal(met.length, 50)
  })
})

test('an I/O task that is cancelled hears of it, or is abandoned; its neighbours stay', async () => {
  await withCluster(ONE, async ({ client }) => {
    const io = client.with({ resources: { threads: 0 } })
    const neighbour = io.submit(async () => {
      const shared = globalThis as { isOver?: true }
      while (shared.isOver !== true) await new Promise((resolve) => setTimeout(resolve, 1))
      return 'still here'
    })
    const polite = io.submit(async () => {
      const { task } = await import('heddle/task')
      ;(globalThis as { isUp?: true }).isUp = true
      await new Promise((_, reject) => task.signal.addEventListener('abort', () => reject(task.signal.reason as Error)))
    })
    const deaf = io.submit(async () => {
      ;(globalThis as { isDeaf?: true }).isDeaf = true
      await new Promise(() => undefined)
    })
    const areUp = () => {
      const shared = globalThis as { isUp?: true; isDeaf?: true }
      return shared.isUp === true && shared.isDeaf === true
    }
    await eventually('both run', async () => await io.submit(areUp))
    const errors = Promise.all([polite.error(), deaf.error()])
    assert.deepEqual(await polite.cancel({ graceMs: 60_000 }), { stoppedBy: 'signal' })
    assert.deepEqual(await deaf.cancel({ graceMs: 1 }), { stoppedBy: 'abandoned' })
    for (const error of await errors) assert.equal((error as Error).name, 'AbortError')
    await io.submit(() => void ((globalThis as { isOver?: true }).isOver = true))
    assert.equal(await neighbour, 'still here')
  })
})

test('an exception that an I/O task does not catch, and its process.exit(), are its own', async () => {
  await withCluster(ONE, async ({ client }) => {
    const io = client.with({ resources: { threads: 0 } })
    const starts = io.submit(async () => {
      const { task } = await import('heddle/task')
      if (task.attempt > 1) return task.attempt
      ;(globalThis as { isBegun?: true }).isBegun = true
      return await new Promise<number>(() => undefined)
    })
    await eventually('it runs', async () => await io.submit(() => (globalThis as { isBegun?: true }).isBegun === true))
    const thrower = io.submit(async () => {
      setTimeout(() => {
        throw new RangeError('nobody caught this')
      }, 1)
      await new Promise(() => undefined)
    })
    await assert.rejects(Promise.resolve(thrower), { name: 'RangeError', message: 'nobody caught this' })
    const quitter = io.submit(() => process.exit(3))
    await assert.rejects(Promise.resolve(quitter), { code: 'ERR_HEDDLE_TASK_EXITED' })
    assert.equal(await starts, 2, 'its neighbour began anew')
  })
})

test('in one thread with its client, I/O tasks interleave all the same', async () => {
  await using client = await connect('inline:')
  const who = async (n: number) => {
    const { task } = await import('heddle/task')
    await new Promise((resolve) => setTimeout(resolve, n))
    return task.key
  }
  const futures = client.map(who, [3, 2, 1], { resources: { threads: 0 } })
  assert.deepEqual(
    await client.gather(futures),
    futures.map(({ key }) => key),
  )
  const alone = client.submit(who, 0)
  assert.equal(await alone, alone.key)
})

test('no more tasks hold a unit than there are, though a worker dies with some; and none is lost', async () => {
  await withCluster(TWO, async ({ client, cluster }) => {
    client.semaphore('db', 1)
    const suicidal = async (n: number) => {
      const { task } = await import('heddle/task')
      if (n === 3 && task.attempt === 1) process.kill(process.pid, 'SIGKILL')
      return n
    }
    const results = await client.gather(client.map(suicidal, [1, 2, 3, 4, 5, 6], { limits: { db: 1 } }))
    assert.deepEqual(results, [1, 2, 3, 4, 5, 6])

    const gone = await connect(cluster)
    await gone.semaphore('db', 1).acquire()
    const waiting = client.with({ limits: { db: 1 } }).submit(() => 'got it')
    assert.match((await waiting.explain()).reason, /waits for the limit "db": 1 of 1 units are taken/)
    await gone.close()
    assert.equal(await waiting, 'got it')
  })
})

test('a key that nobody knows, and one that waits, are explained', async () => {
  await withCluster(ONE, async ({ client }) => {
    assert.equal((await client.explain('nobody-1')).state, 'unknown')
    const told = new Promise<string>((resolve) => client.on('blocked', ({ reason }) => resolve(reason)))
    const future = client.with({ workers: ['zone=nowhere'] }).submit(() => 1)
    assert.equal(await told, 'may run only on zone=nowhere, which none of 1 workers is')
    const { state, reason, workers } = await client.explain(future.key)
    assert.equal(state, 'ready')
    assert.match(reason, /may run only on zone=nowhere, which none of 1 workers is\.$/)
    assert.equal(workers[0]?.reason, 'is not one that it may run on')
    await future.cancel()
  })
})
