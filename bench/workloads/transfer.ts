/** A large value from one worker to the other. */
import assert from 'node:assert/strict'
import type { Client } from '../../client/index.js'
import { GIB, MIB } from '../bytes.js'
import { letGo, type ClusterWorkload } from '../workload.js'

/** So long the maker's thread is busy: when the consumer is placed, it must look as if that would take longer than a transfer. */
const BUSY_MS_PER_MIB = 15
const LEAST_BUSY_MS = 100
const MOST_BUSY_MS = 1_000
/** The consumer looks at every page of memory, and so has all of it. */
const ITEMS_PER_PAGE = 512

export const transfer: ClusterWorkload<'mib' | 'callers'> = {
  type: 'on-cluster',
  name: 'transfer',
  summary: 'an array that one worker made, into a task on the other; from its submission to its result',
  unit: 'GiB/s',
  // A caller makes one call after another meanwhile: what a large transfer costs those who have nothing to do with it.
  parameters: { mib: { initial: 64, lowest: 1, highest: 1_024 }, callers: { initial: 0, lowest: 0, highest: 1 } },
  runs: 7,
  warmUps: 3,
  prepare: (client, { mib, callers }) => {
    const length = (mib * MIB) / 8
    const make = (count: number) => {
      const numbers = new Float64Array(count)
      for (let i = 0; i < count; i++) numbers[i] = i
      return numbers
    }
    const locate = (_: Float64Array): number => process.pid
    const keepBusy = (_: Float64Array, ms: number): number => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
      return process.pid
    }
    const consume = (numbers: Float64Array, step: number): { sum: number; length: number; pid: number } => {
      let sum = 0
      for (let i = 0; i < numbers.length; i += step) sum += numbers[i]!
      return { sum, length: numbers.length, pid: process.pid }
    }
    const busyMs = Math.min(MOST_BUSY_MS, Math.max(LEAST_BUSY_MS, mib * BUSY_MS_PER_MIB))
    const pages = Math.ceil(length / ITEMS_PER_PAGE)
    const expectedSum = (ITEMS_PER_PAGE * pages * (pages - 1)) / 2
    return async () => {
      const made = client.submit(make, length)
      const located = client.submit(locate, made)
      const makerPid = await located
      const busy = client.submit(keepBusy, made, busyMs)
      const startedAtMs = performance.now()
      const consumed = client.submit(consume, made, ITEMS_PER_PAGE)
      let isOver = callers === 0
      const calling = callUntil(client, () => isOver)
      const { sum, length: consumedLength, pid } = await consumed
      const transferMs = performance.now() - startedAtMs
      isOver = true
      const latenciesMs = await calling
      const finish = async (): Promise<void> => {
        assert.deepEqual({ sum, length: consumedLength }, { sum: expectedSum, length })
        assert.equal(await busy, makerPid)
        assert.notEqual(pid, makerPid, 'the value did not have to move')
        await letGo(client, [made, located, busy, consumed])
      }
      return { latenciesMs, figures: { transferMs }, finish }
    }
  },
  valueOf: ({ figures }, { mib }) => (mib * MIB) / GIB / (figures['transferMs']! / 1000),
}

/** Returns how long each call took. The first ones may wait for the thread that is kept busy. */
async function callUntil(client: Client, isOver: () => boolean): Promise<number[]> {
  const latenciesMs: number[] = []
  while (!isOver()) {
    const calledAtMs = performance.now()
    await client.submit((x: number) => x, 1)
    latenciesMs.push(performance.now() - calledAtMs)
  }
  return latenciesMs
}
