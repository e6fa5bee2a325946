/** What killed a worker is told to whoever awaits the task that ran there. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, LocalCluster, WorkerLostError } from '../../client/index.js'
import { DurableCluster } from '../support/durable-cluster.js'
import { eventually } from '../support/eventually.js'

test('the error says how the worker process ended, and what it said last', { timeout: 60_000 }, async () => {
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1, logLevel: 'error' })
  await using client = await connect(cluster)
  const die = async (signal: string): Promise<void> => {
    console.log(`about to die of ${signal}`)
    // The line leaves the process before the process ends.
    await new Promise((resolve) => setTimeout(resolve, 100))
    process.kill(process.pid, signal)
    await new Promise(() => undefined)
  }
  for (const signal of ['SIGKILL', 'SIGABRT']) {
    const error = await client.with({ allowedFailures: 1 }).submit(die, signal).error()
    assert.ok(error instanceof WorkerLostError, String(error))
    assert.deepEqual([error.signal, error.exitCode], [signal, undefined])
    assert.ok(error.lastLogLines.includes(`about to die of ${signal}`), error.lastLogLines.join('\n'))
    assert.match(error.message, new RegExp(`ended by ${signal}`))
  }
})

test('one whose nanny was killed with it fails with what is known', { timeout: 60_000 }, async () => {
  await using cluster = await DurableCluster.start({ workers: 1 })
  await using client = await connect(cluster.address)
  const waiting = client.with({ allowedFailures: 1 }).submit(() => new Promise(() => undefined))
  await eventually('it runs', async () => (await client.info()).tasks.processing === 1)
  cluster.workers[0]!.process.kill('SIGKILL')
  const error = await waiting.error()
  assert.ok(error instanceof WorkerLostError, String(error))
  assert.deepEqual([error.signal, error.exitCode, error.lastLogLines], [undefined, undefined, []])
})
