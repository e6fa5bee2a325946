/** Tasks with needs on real processes. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, LocalCluster } from '../../client/index.js'

interface Stay {
  readonly beganAtMs: number
  readonly endedAtMs: number
}

test('of tasks that need the one gpu of a worker none runs beside another, while others do', async () => {
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 3, resources: { gpu: 1 } })
  await using client = await connect(cluster)
  const stay = async (): Promise<Stay> => {
    const beganAtMs = Date.now()
    await new Promise((resolve) => setTimeout(resolve, 20))
    return { beganAtMs, endedAtMs: Date.now() }
  }

  const exclusive = client.with({ resources: { gpu: 1 } }).map(stay, new Array(8).fill(0))
  const wide = client.with({ resources: { threads: 3, memory: '10MiB' } }).submit(stay)
  const plain = client.map(stay, new Array(20).fill(0))

  const alone = (await client.gather(exclusive)).sort((a, b) => a.beganAtMs - b.beganAtMs)
  for (const [i, { beganAtMs }] of alone.entries()) {
    assert.ok(i === 0 || beganAtMs >= alone[i - 1]!.endedAtMs, 'two tasks had the gpu at once')
  }
  const { beganAtMs, endedAtMs } = await wide
  for (const other of [...alone, ...(await client.gather(plain))]) {
    assert.ok(other.endedAtMs <= beganAtMs || other.beganAtMs >= endedAtMs, 'a task ran on a thread of another')
  }
  assert.deepEqual((await client.info()).workers[0]?.resources, ['gpu=1'])
})

test('a task waits for a worker that has what it needs, and says so', async () => {
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1, logLevel: 'error' })
  await using client = await connect(cluster)

  const waiting = client.with({ resources: { gpu: 1 } }).submit(() => 1)
  assert.equal(await client.submit(() => 2), 2)
  const { blocked } = await client.info()

  assert.deepEqual(blocked, [{ needs: 'gpu=1', reason: 'needs gpu=1, which none of 1 workers has' }])
  waiting.release()
})
