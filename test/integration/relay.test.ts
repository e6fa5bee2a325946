/** Values that cross where two members of a cluster can't reach each other: by way of the scheduler. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { connect } from '../../client/connect.js'
import { Command } from '../cli/command.js'
import { eventually } from '../support/eventually.js'
import { makeStar, noHosts, runOnHost } from '../support/hosts.js'

const PROGRAM = fileURLToPath(new URL('./programs/across-hosts.js', import.meta.url))
const JSON_LOG = ['--log-format', 'json']

test('workers that reach the scheduler and not each other share values', { skip: noHosts() }, async () => {
  using star = makeStar()
  const env = { HEDDLE_TOKEN: 'a-token-of-this-test' }
  await using scheduler = new Command(['scheduler', '--host', '0.0.0.0', '--port', '0', ...JSON_LOG], {
    env,
    prefix: star.on('middle'),
  })
  const { address } = await scheduler.logged('scheduler is up')
  const { port } = new URL(String(address))
  const worker = (name: string, side: 'left' | 'right'): Command => {
    const join = ['worker', 'join', `ws://${star.middle[side]}:${port}`, '--threads', '1', '--name', name, ...JSON_LOG]
    return new Command(join, { env, prefix: star.on(side) })
  }
  await using a = worker('a', 'left')
  await using b = worker('b', 'right')

  // The client is on the right, and can't reach the left worker.
  const to = `ws://${star.middle.right}:${port}`
  const output = await runOnHost(star.on('right'), [PROGRAM, to], env)
  const { total, last, workers } = JSON.parse(output) as { total: number; last: unknown; workers: unknown }
  assert.equal(total, 240)
  assert.deepEqual(last, [100_000, 15])
  assert.deepEqual(workers, [
    ['a', '10.213.8.2'],
    ['b', '10.213.9.2'],
  ])
  await eventually('one tells that it could not reach the other', () =>
    `${a.stderr}${b.stderr}`.includes('out of reach'),
  )
})

test('workers that open no port exchange values with each other and with clients', async () => {
  await using scheduler = new Command(['scheduler', '--port', '0', ...JSON_LOG])
  const { address } = await scheduler.logged('scheduler is up')
  const join = ['worker', 'join', String(address), '--threads', '1', '--no-listen', ...JSON_LOG]
  await using _a = new Command([...join, '--name', 'a'])
  await using _b = new Command([...join, '--name', 'b'])
  await using client = await connect(String(address))
  await client.waitForWorkers(2, { timeoutMs: 60_000 })
  const { workers } = await client.info()
  assert.deepEqual(
    workers.map((worker) => worker.address),
    ['', ''],
  )

  // Larger than what a relay may have on its way: it crosses piece by piece.
  const length = 3_000_000
  const parts = client.map((i: number) => new Float64Array(3_000_000).fill(i), [1, 2, 3, 4])
  const sums = parts.map((_, i) => {
    const add = (x: Float64Array, y: Float64Array): number => x[0]! + x[x.length - 1]! + y[0]! + y[y.length - 1]!
    return client.submit(add, parts[i]!, parts[(i + 1) % 4]!)
  })
  assert.deepEqual(await client.gather(sums), [6, 10, 14, 10])
  const values = await client.gather(parts)
  assert.deepEqual(
    values.map((value) => [value.length, value[0], value[length - 1]]),
    [1, 2, 3, 4].map((i) => [length, i, i]),
  )
})
