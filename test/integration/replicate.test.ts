/** Copies of values on real workers. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import { LocalCluster } from '../../deploy/local-cluster.js'

test('values have as many copies as were asked for, and tasks find them everywhere', async () => {
  await using cluster = await LocalCluster.start({ workers: 3, threadsPerWorker: 1 })
  await using client = await connect(cluster)
  const table = client.submit(() => new Float64Array(500_000).fill(3))
  const small = client.map((n: number) => `value ${n}`, [1, 2, 3, 4])
  await client.replicate([table, ...small])
  const sums = client.map((seed: number, all: Float64Array) => seed + all[499_999]!, [1, 2, 3], { args: [table] })
  assert.deepEqual(await client.gather(sums), [4, 5, 6])
  await assert.rejects(client.replicate([table], { copies: 0 }), { code: 'ERR_HEDDLE_INVALID_OPTION' })
})
