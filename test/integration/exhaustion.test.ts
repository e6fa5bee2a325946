/** Workers whose tasks use memory up, and disks that are full. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, LocalCluster, WorkerLostError } from '../../client/index.js'

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
