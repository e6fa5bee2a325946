/** Cancelling real code in real threads: whatever it does, its slot becomes free, and nothing beside it is touched. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import { LocalCluster } from '../../deploy/local-cluster.js'
import { eventually } from '../support/eventually.js'
import { untilReported, untilRunning } from '../support/running.js'

test('running code is stopped, by its signal or by its thread, and its neighbours are not', async () => {
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 2 })
  await using client = await connect(cluster)
  const started = client.submit(() => 1)
  await started

  const polite = client.submit(async () => {
    const { task } = await import('heddle/task')
    const isTold = new Promise((resolve) => task.signal.addEventListener('abort', resolve))
    task.report(0, 'It listens.')
    await isTold
  })
  const endless = client.submit(() => {
    while (true);
  })
  const dependant = client.submit((x: unknown) => x, endless)
  // Both threads are busy for good: what comes next is queued.
  await untilReported(polite)
  await untilRunning(endless)
  const queued = client.submit(() => 3)
  assert.deepEqual(await queued.cancel(), { stoppedBy: 'queue' })
  const stopping = endless.cancel({ reason: 'too slow' })
  await assert.rejects(Promise.resolve(dependant), { name: 'AbortError', cause: 'too slow' })
  assert.deepEqual(await stopping, { stoppedBy: 'thread' })
  assert.equal(await client.submit(() => 2), 2)
  const { stoppedBy } = await polite.cancel({ graceMs: 60_000 })
  assert.equal(stoppedBy, 'signal')

  // One of a batch of tiny tasks never ends: the others have their values all the same.
  const loop = (x: number): number => {
    while (x === 50);
    return x
  }
  const tiny = client.map(
    loop,
    Array.from({ length: 200 }, (_, i) => i),
  )
  const others = tiny.filter((_, i) => i !== 50)
  assert.equal((await client.gather(others)).length, 199)
  await untilRunning(tiny[50]!)
  assert.deepEqual(await tiny[50]!.cancel(), { stoppedBy: 'thread' })
})

test('thousands of queued and endless tasks are cancelled at once, and leave an idle cluster', async () => {
  await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
  await using client = await connect(cluster)
  const spin = (): never => {
    while (true);
  }
  const jobs = client.map(spin, new Array<undefined>(10_000).fill(undefined))
  await eventually('two of them run', async () => (await client.info()).tasks.processing >= 2)
  const results = await client.cancel(jobs)
  const count = (by: string): number => results.filter(({ stoppedBy }) => stoppedBy === by).length
  assert.equal(count('queue') + count('thread'), 10_000)
  assert.ok(count('thread') <= 2)
  assert.deepEqual(await client.gather(client.map((x: number) => x, [1, 2, 3])), [1, 2, 3])
  const { tasks } = await client.info()
  assert.equal(tasks.ready + tasks.processing + tasks.waiting, 0)
})
