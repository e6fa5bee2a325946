/** A data set that is larger than memory: made, kept on disk, merged in pairs, and reduced. */
import assert from 'node:assert/strict'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { connect, LocalCluster, type Client, type Future } from '../../client/index.js'
import { GIB, MIB } from '../bytes.js'
import { percentile } from '../percentile.js'
import type { StandaloneWorkload } from '../workload.js'

/** The data set is so many times as large as the memory limit. */
const TIMES_MEMORY = 3
const VALUE_MIB = 8
const RUNS = 3
/** How often the client looks whether all is made: to await a value would bring it here. */
const LOOK_MS = 5
const SLICE_BYTES = MIB
const BOTH_WAYS = 2

export const spill: StandaloneWorkload<'mib'> = {
  type: 'standalone',
  name: 'spill',
  summary: 'data of three times the memory limit made, merged in pairs and reduced on one worker; `mib` is the limit',
  unit: 'GiB/s',
  parameters: { mib: { initial: 512, lowest: 32, highest: 65_536 } },
  measure: async ({ mib }, onProgress) => {
    const count = 2 * Math.round((TIMES_MEMORY * mib) / VALUE_MIB / 2)
    const dataBytes = count * VALUE_MIB * MIB
    await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1, memoryLimit: mib * MIB })
    await using client = await connect(cluster)
    const { pid } = (await client.info()).workers[0]!
    const through: number[] = []
    const moved: number[] = []
    const disk: number[] = []
    let spilledBytes = 0
    const onMade = async (): Promise<void> => {
      spilledBytes = await spilledBytesOf(client, count)
    }
    for (let run = 0; run <= RUNS; run++) {
      onProgress(run === 0 ? 'warm-up' : `run ${run} of ${RUNS}`)
      const diskSeconds = await writeAndRead(dataBytes)
      const movedBefore = await movedBytesOf(pid)
      const startedAtMs = performance.now()
      await pass(client, count, run === 0 ? onMade : undefined)
      const seconds = (performance.now() - startedAtMs) / 1000
      if (run === 0) continue
      through.push(dataBytes / GIB / seconds)
      moved.push(((await movedBytesOf(pid)) - movedBefore) / GIB / seconds)
      disk.push(dataBytes / GIB / diskSeconds)
    }
    const diskGibPerSecond = percentile(disk, 50)
    const shareOfDisk = medianRatio(through, disk)
    // What the disk is busy with: each byte of the reference is written and read.
    const movedShareOfDisk = moved[0]! > 0 ? { movedShareOfDisk: medianRatio(moved, disk) / BOTH_WAYS } : {}
    return {
      value: percentile(through, 50),
      figures: { diskGibPerSecond, shareOfDisk, ...movedShareOfDisk, spilledMib: spilledBytes / MIB },
    }
  },
}

/** The median of runs, each beside its own reference. */
function medianRatio(values: readonly number[], references: readonly number[]): number {
  return percentile(
    values.map((each, i) => each / references[i]!),
    50,
  )
}

/**
 * What a process has written and read so far, with the little that sockets take. Only Linux tells; elsewhere it is 0.
 * A value goes to disk and comes back more than once: what is made of it takes room too.
 */
async function movedBytesOf(pid: number): Promise<number> {
  if (process.platform !== 'linux') return 0
  const counts = await readFile(`/proc/${pid}/io`, 'utf8')
  return [...counts.matchAll(/^[rw]char: (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0)
}

function make(item: number, length: number): Float64Array {
  const numbers = new Float64Array(length)
  for (let i = 0; i < length; i++) numbers[i] = ((i & 1023) * 31 + item * 7) % 1009
  return numbers
}

function add(left: Float64Array, right: Float64Array): Float64Array {
  const sum = new Float64Array(left.length)
  for (let i = 0; i < sum.length; i++) sum[i] = left[i]! + right[i]!
  return sum
}

/** What is on disk when all is made, which the worker tells with its next heartbeat. */
async function spilledBytesOf(client: Client, count: number): Promise<number> {
  for (;;) {
    const { storedCount, spilledBytes } = (await client.info()).workers[0]!
    if (storedCount >= count) return spilledBytes
    await setTimeout(LOOK_MS)
  }
}

/** @throws {AssertionError} when a byte of the sum is wrong. */
async function pass(client: Client, count: number, onMade?: () => Promise<void>): Promise<void> {
  const length = (VALUE_MIB * MIB) / 8
  const items = Array.from({ length: count }, (_, item) => item)
  const made = client.map(make, items, { args: [length] })
  // Nothing is merged before all is there: else the data set would never be larger than memory.
  for (const future of made) while (future.status === 'pending') await setTimeout(LOOK_MS)
  await onMade?.()
  const merged: Future<Float64Array>[] = []
  for (let i = 0; i < count; i += 2) merged.push(client.submit(add, made[i]!, made[i + 1]!))
  client.release(made)
  let total = merged[0]!
  for (const next of merged.slice(1)) {
    const sum = client.submit(add, total, next)
    // What is still held when memory is full goes to disk, and nobody wants it.
    client.release([total, next])
    total = sum
  }
  const sum = await total
  const expected = new Float64Array(length)
  for (let i = 0; i < length; i++)
    expected[i] =
      i < 1024 ? items.reduce((all, item) => all + (((i & 1023) * 31 + item * 7) % 1009), 0) : expected[i & 1023]!
  assert.ok(Buffer.from(sum.buffer, sum.byteOffset, sum.byteLength).equals(Buffer.from(expected.buffer)))
  client.release([total])
  await client.info() // Answered after what was sent before it.
}

/** What the machine's disk takes to write as much, file by file, and to read it back. Returns seconds. */
async function writeAndRead(dataBytes: number): Promise<number> {
  const folder = await mkdtemp(path.join(tmpdir(), 'heddle-bench-'))
  try {
    const bytes = new Uint8Array(VALUE_MIB * MIB).fill(7)
    const files = Array.from({ length: dataBytes / bytes.length }, (_, i) => path.join(folder, String(i)))
    const startedAtMs = performance.now()
    for (const file of files)
      await eachSlice(file, 'w', bytes.length, (handle, start) => handle.write(bytes, start, SLICE_BYTES, start))
    for (const file of files)
      await eachSlice(file, 'r', bytes.length, (handle, start) => handle.read(bytes, start, SLICE_BYTES, start))
    return (performance.now() - startedAtMs) / 1000
  } finally {
    await rm(folder, { recursive: true })
  }
}

type FileHandle = Awaited<ReturnType<typeof open>>

async function eachSlice(
  file: string,
  flags: string,
  sizeBytes: number,
  move: (handle: FileHandle, start: number) => Promise<unknown>,
): Promise<void> {
  const handle = await open(file, flags)
  try {
    for (let start = 0; start < sizeBytes; start += SLICE_BYTES) await move(handle, start)
  } finally {
    await handle.close()
  }
}
