/** Work goes on, and its answer is right, whatever becomes of the processes that do it. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, delayed, LocalCluster, type Delayed } from '../../client/index.js'
import { eventually } from '../support/eventually.js'
import { killIfAlive } from '../support/processes.js'

const LEAVES = 256
const NUMBERS = 10_000

test('workers are killed while they reduce 256 large leaves, and the sum is right', { timeout: 120_000 }, async () => {
  await using cluster = await LocalCluster.start({ workers: 3, threadsPerWorker: 1, logLevel: 'error' })
  await using client = await connect(cluster)
  const make = delayed((leaf: number, count: number) => new Float64Array(count).fill(leaf))
  const add = delayed(async (a: Float64Array, b: Float64Array) => {
    await new Promise((resolve) => setTimeout(resolve, 3))
    return a.map((number, i) => number + b[i]!)
  })
  let layer: Delayed<Float64Array>[] = Array.from({ length: LEAVES }, (_, leaf) => make(leaf, NUMBERS))
  while (layer.length > 1) {
    layer = Array.from({ length: layer.length / 2 }, (_, pair) => add(layer[2 * pair]!, layer[2 * pair + 1]!))
  }
  const sum = client.compute(layer[0]!, { fuse: false })

  for (let kill = 1; kill <= 3; kill++) {
    await eventually('work goes on', async () => (await client.info()).totals.finished >= 100 * kill)
    const { workers } = await client.info()
    if (workers.length > 0) killIfAlive(workers[kill % workers.length]!.pid)
  }

  const expected = (LEAVES * (LEAVES - 1)) / 2
  assert.ok((await sum).every((number) => number === expected))
})
