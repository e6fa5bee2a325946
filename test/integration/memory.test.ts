import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { askScheduler } from '../../deploy/ask-scheduler.js'
import { connect, LocalCluster } from '../../client/index.js'
import type { WorkerStatus } from '../../protocol/messages/status.js'
import { eventually } from '../support/eventually.js'

const MIB = 2 ** 20
const NUMBERS = (16 * MIB) / 8

async function workerOf({ address }: LocalCluster): Promise<WorkerStatus> {
  const question = { type: 'ask-status', request: 1 } as const
  const { status } = await askScheduler(address, { name: 'test', timeoutMs: 10_000, question, answer: 'status' })
  return status.workers[0]!
}

/** 16 MiB that no two items have in common. */
function make(item: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => (i * 31 + item * 7) % 1009)
}

function merge([left, right]: readonly [Float64Array, Float64Array]): Float64Array {
  return left.map((number, i) => number + right[i]!)
}

test('data three times as large as the memory limit passes through a worker, right to the byte', async () => {
  await using cluster = await LocalCluster.start({
    workers: 1,
    threadsPerWorker: 1,
    memoryLimit: '192MiB',
    logLevel: 'error',
  })
  await using client = await connect(cluster)
  const items = Array.from({ length: 36 }, (_, item) => item)
  const made = client.map(make, items, { args: [NUMBERS] })
  await eventually('all are made', async () => (await workerOf(cluster)).storedCount >= items.length)
  await eventually('most are on disk', async () => (await workerOf(cluster)).spilledBytes > 400 * MIB)

  const pairs = Array.from({ length: items.length / 2 }, (_, i) => [made[2 * i]!, made[2 * i + 1]!] as const)
  const merged = client.map(merge, pairs)
  const [head, ...rest] = merged
  let total = head!
  for (const next of rest) total = client.submit(merge, [total, next] as const)
  const sum = await total.result()

  const expected = new Float64Array(NUMBERS)
  for (const item of items) for (let i = 0; i < NUMBERS; i++) expected[i]! += (i * 31 + item * 7) % 1009
  assert.ok(Buffer.from(sum.buffer, sum.byteOffset, sum.byteLength).equals(Buffer.from(expected.buffer)))
  // V8 does not count the memory that values are in: without care it would hold all that ever were.
  const [, workerPid] = cluster.pids
  const peakMib = Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${workerPid}/status`, 'latin1'))?.[1]) / 1024
  assert.ok(peakMib < 500, `the worker took ${Math.round(peakMib)} MiB`)
  // A value that is on disk is served from there.
  const first = await made[0]!.result()
  assert.deepEqual(first, make(0, NUMBERS))
})

test('a full disk is told, work goes on one task at a time, and spilling goes on when there is room', async () => {
  await using cluster = await LocalCluster.start({
    workers: 1,
    threadsPerWorker: 2,
    memoryLimit: '64MiB',
    diskLimit: '40MiB',
    logLevel: 'error',
  })
  await using client = await connect(cluster)
  const items = [0, 1, 2, 3, 4, 5, 6, 7]
  const made = client.map(make, items, { args: [NUMBERS] })
  await eventually('all are made, and the disk is full', async () => {
    const { storedCount, isDiskFull, isPaused } = await workerOf(cluster)
    return storedCount === items.length && isDiskFull && isPaused
  })
  for (const future of made) future.release()
  await eventually('it has room again', async () => !(await workerOf(cluster)).isPaused)
  const again = client.map(make, [1, 2, 3], { args: [NUMBERS] })
  await eventually('values are spilled again', async () => {
    const { spilledBytes, isDiskFull } = await workerOf(cluster)
    return spilledBytes > 0 && !isDiskFull
  })
  assert.deepEqual(await again[2]!.result(), make(3, NUMBERS))
})
