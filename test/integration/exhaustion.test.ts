/** Workers whose tasks use memory up, and disks that are full. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, LocalCluster, OutOfMemoryError, WorkerLostError } from '../../client/index.js'

test('a task that uses memory up fails with the reason, and neither its worker nor the work of others is lost', async () => {
  await using cluster = await LocalCluster.start({
    workers: 1,
    threadsPerWorker: 1,
    memoryLimit: '256MiB',
    logLevel: 'error',
  })
  await using client = await connect(cluster)
  // Buffers, which no heap limit counts; then it waits, so that the machine does not suffer.
  const greedy = client.submit(() => {
    const hold: Buffer[] = []
    for (let i = 0; i < 40; i++) hold.push(Buffer.alloc(16 * 2 ** 20, 1))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    return hold.length
  })
  const others = client.map((n: number) => n + 1, [1, 2, 3])
  const error = await greedy.error()
  assert.ok(error instanceof WorkerLostError, String(error))
  assert.match(error.message, /took [\d.]+ MiB of memory, with a limit of 256 MiB/)
  assert.deepEqual(await client.gather(others), [2, 3, 4])
})

test('a task that fills the heap of its thread fails for want of memory, and nothing else does', async () => {
  await using cluster = await LocalCluster.start({
    workers: 1,
    threadsPerWorker: 2,
    threadHeap: '32MiB',
    ioTasks: 4,
    logLevel: 'error',
  })
  await using client = await connect(cluster)
  const { pid } = (await client.info()).workers[0]!
  const grow = (n: number): number => {
    let chain: unknown
    while (n === 3) chain = [chain, new Array<number>(1_000).fill(n)]
    return n
  }
  const items = Array.from({ length: 12 }, (_, n) => n)
  const results = await client.gather(client.map(grow, items), { errors: 'settle' })
  results.forEach((result, n) => {
    if (n !== 3) assert.deepEqual(result, { status: 'fulfilled', value: n })
    else {
      assert.ok(result.status === 'rejected' && result.reason instanceof OutOfMemoryError, JSON.stringify(result))
      assert.match(
        result.reason.message,
        /^Task grow-\S+ ran out of memory on local-1: the heap of 32 MiB .*--thread-heap\.$/,
      )
    }
  })
  const beside = await client
    .with({ resources: { threads: 0 } })
    .submit(grow, 3)
    .error()
  assert.ok(beside instanceof OutOfMemoryError, String(beside))
  assert.equal(await client.with({ retries: 2 }).submit(grow, 4), 4)
  const after = (await client.info()).workers[0]!
  assert.deepEqual([after.pid, after.processing], [pid, 0])
  assert.deepEqual(await client.gather(client.map((n: number) => n, [1, 2])), [1, 2])
})
