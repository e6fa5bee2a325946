import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { askScheduler } from '../../deploy/ask-scheduler.js'
import { connect, LocalCluster } from '../../client/index.js'
import type { WorkerStatus } from '../../protocol/messages/status.js'
import { eventually } from '../support/eventually.js'
import { SmallDisk } from '../support/small-disk.js'

const MIB = 2 ** 20
const GIB = 2 ** 30
const NUMBERS = (16 * MIB) / 8

async function workerOf({ address }: LocalCluster): Promise<WorkerStatus> {
  const question = { type: 'ask-status', request: 1 } as const
  const { status } = await askScheduler(address, { name: 'test', timeoutMs: 60_000, question, answer: 'status' })
  return status.workers[0]!
}

/** What the process has in memory now (VmRSS), or had at most (VmHWM). */
function mebibytesOf(field: 'VmRSS' | 'VmHWM', pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Math.round(Number(new RegExp(`^${field}:\\s*(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024)
}

/** 16 MiB that no two items have in common. */
function make(item: number, count: number): Float64Array {
  const numbers = new Float64Array(count)
  for (let i = 0; i < count; i++) numbers[i] = (i * 31 + item * 7) % 1009
  return numbers
}

function merge([left, right]: readonly [Float64Array, Float64Array]): Float64Array {
  return left.map((number, i) => number + right[i]!)
}

test('data three times as large as the memory limit passes through a worker, right to the byte', async () => {
  await using cluster = await LocalCluster.start({
    workers: 1,
    threadsPerWorker: 1,
    memoryLimit: '256MiB',
    logLevel: 'error',
  })
  await using client = await connect(cluster)
  const items = Array.from({ length: 48 }, (_, item) => item)
  const made = client.map(make, items, { args: [NUMBERS] })
  await eventually('all are made', async () => (await workerOf(cluster)).storedCount >= items.length)
  await eventually('most are on disk', async () => (await workerOf(cluster)).spilledBytes > 500 * MIB)

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
  const peakMib = mebibytesOf('VmHWM', workerPid!)
  assert.ok(peakMib < 500, `the worker took ${peakMib} MiB`)
  // A value that is on disk is served from there.
  const first = await made[0]!.result()
  assert.deepEqual(first, make(0, NUMBERS))
})

test('a value of 1 GiB is there once, however many tasks of the worker read it', async () => {
  await using cluster = await LocalCluster.start({
    workers: 1,
    threadsPerWorker: 2,
    memoryLimit: '4GiB',
    logLevel: 'error',
  })
  await using client = await connect(cluster)
  const made = client.submit((count: number) => new Float64Array(count).fill(1), GIB / 8)
  assert.equal(await client.submit((numbers: Float64Array) => numbers.byteLength, made), GIB)
  const read = (numbers: Float64Array): number => {
    let sum = 0
    for (let i = 0; i < numbers.length; i += 512) sum += numbers[i]!
    return sum
  }
  const sums = Array.from({ length: 8 }, () => client.submit(read, made))
  assert.deepEqual(await client.gather(sums), new Array(8).fill(GIB / 4096))
  const mib = mebibytesOf('VmRSS', cluster.pids[1]!)
  assert.ok(mib < 1.25 * 1024, `the worker takes ${mib} MiB`)
})

test('values that are made and dropped one after another take no more than a few of them', async () => {
  await using cluster = await LocalCluster.start({
    workers: 1,
    threadsPerWorker: 1,
    memoryLimit: '4GiB',
    logLevel: 'error',
  })
  await using client = await connect(cluster)
  for (let round = 0; round < 60; round++) {
    const made = client.submit((count: number) => new Float64Array(count).fill(1), NUMBERS)
    assert.equal(await client.submit((numbers: Float64Array) => numbers.length, made), NUMBERS)
    made.release()
  }
  const mib = mebibytesOf('VmHWM', cluster.pids[1]!)
  assert.ok(mib < 400, `the worker took ${mib} MiB`)
})

/** Makes so much that memory and disk are full, and lets it go: then it must go on, and spill again. */
async function fillAndGoOn(cluster: LocalCluster): Promise<void> {
  await using client = await connect(cluster)
  // Three of 16 MiB fit on disk, and more than 80 % of memory is taken by the others.
  const items = Array.from({ length: 16 }, (_, item) => item)
  const made = client.map(make, items, { args: [NUMBERS] })
  await eventually('all are made, and the disk is full', async () => {
    const { storedCount, isDiskFull, pausedBy } = await workerOf(cluster)
    return storedCount === items.length && isDiskFull && pausedBy === 'values'
  })
  for (const future of made) future.release()
  await eventually('it has room again', async () => (await workerOf(cluster)).pausedBy === '')
  const again = client.map(make, items.slice(0, 10), { args: [NUMBERS] })
  await eventually('values are spilled again', async () => {
    const { spilledBytes, isDiskFull } = await workerOf(cluster)
    return spilledBytes > 0 && !isDiskFull
  })
  assert.deepEqual(await again[2]!.result(), make(2, NUMBERS))
}

const FULL = { workers: 1, threadsPerWorker: 2, memoryLimit: '256MiB', logLevel: 'error' } as const

test('a reached disk limit is told, work goes on one task at a time, and values are spilled when there is room', async () => {
  await using cluster = await LocalCluster.start({ ...FULL, diskLimit: '56MiB' })
  await fillAndGoOn(cluster)
})

test('so is a disk that is full', { skip: process.getuid?.() !== 0 }, async () => {
  await using disk = await SmallDisk.mount('56m')
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = disk.path
  try {
    await using cluster = await LocalCluster.start({ ...FULL, diskLimit: '1GiB' })
    await fillAndGoOn(cluster)
  } finally {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  }
})
