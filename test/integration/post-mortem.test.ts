/** What killed a worker is told to whoever awaits the task that ran there. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, LocalCluster, WorkerLostError } from '../../client/index.js'
import { DurableCluster } from '../support/durable-cluster.js'
import { eventually } from '../support/eventually.js'

test('the error says how the worker process ended, and what it said last', { timeout: 180_000 }, async () => {
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1, logLevel: 'error' })
  await using client = await connect(cluster)
  const wait = async (signal: string): Promise<void> => {
    console.log(`about to die of ${signal}`)
    await new Promise(() => undefined)
  }
  for (const signal of ['SIGKILL', 'SIGABRT'] as const) {
    const line = `about to die of ${signal}`
    const failure = client.with({ allowedFailures: 1 }).submit(wait, signal).error()
    await eventually('it said so', async () => (await client.logs()).some(({ text }) => text === line))
    // The worker tells its nanny of a line at the end of the turn in which it notes it for others: by its next answer it has.
    await client.logs()
    process.kill((await client.info()).workers[0]!.pid, signal)
    const error = await failure
    assert.ok(error instanceof WorkerLostError, String(error))
    assert.deepEqual([error.signal, error.exitCode], [signal, undefined])
    assert.ok(error.lastLogLines.includes(line), error.lastLogLines.join('\n'))
    assert.match(error.message, new RegExp(`ended by ${signal}`))
  }
})

test('one whose nanny was killed with it fails with what is known', { timeout: 180_000 }, async () => {
  await using cluster = await DurableCluster.start({ workers: 1 })
  await using client = await connect(cluster.address)
  const waiting = client.with({ allowedFailures: 1 }).submit(() => new Promise(() => undefined))
  await eventually('it runs', async () => (await client.info()).tasks.processing === 1)
  cluster.workers[0]!.process.kill('SIGKILL')
  const error = await waiting.error()
  assert.ok(error instanceof WorkerLostError, String(error))
  assert.deepEqual([error.signal, error.exitCode, error.lastLogLines], [undefined, undefined, []])
})
