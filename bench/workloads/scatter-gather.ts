/** A large value from the client to a worker, and one from a worker to the client. */
import assert from 'node:assert/strict'
import { GIB, MIB } from '../bytes.js'
import { letGo, type ClusterWorkload } from '../workload.js'

/** Every page of memory is written and looked at. */
const PAGE_BYTES = 4_096

export const scatterGather: ClusterWorkload<'mib'> = {
  type: 'on-cluster',
  name: 'scatter-gather',
  summary: 'a buffer scattered into a task, and one gathered from another; the slower way of the two',
  unit: 'GiB/s',
  parameters: { mib: { initial: 256, lowest: 1, highest: 1_024 } },
  runs: 5,
  prepare: (client, { mib }) => {
    const length = mib * MIB
    const make = (size: number, step: number): Uint8Array => {
      const bytes = new Uint8Array(size)
      for (let i = 0; i < size; i += step) bytes[i] = (i / step) % 251
      return bytes
    }
    const sumOf = (bytes: Uint8Array, step: number): number => {
      let sum = 0
      for (let i = 0; i < bytes.length; i += step) sum += bytes[i]!
      return sum
    }
    const sent = make(length, PAGE_BYTES)
    const expected = sumOf(sent, PAGE_BYTES)
    return async () => {
      const scatteredAtMs = performance.now()
      const scattered = client.scatter(sent)
      const summed = client.submit(sumOf, scattered, PAGE_BYTES)
      const sum = await summed
      const scatterMs = performance.now() - scatteredAtMs

      const made = client.submit(make, length, PAGE_BYTES)
      const located = client.submit((bytes: Uint8Array) => bytes.length, made)
      assert.equal(await located, length)
      const gatheredAtMs = performance.now()
      const received = await made
      const gatherMs = performance.now() - gatheredAtMs
      const finish = async (): Promise<void> => {
        assert.equal(sum, expected)
        assert.equal(received.length, length)
        assert.equal(sumOf(received, PAGE_BYTES), expected)
        await letGo(client, [scattered, summed, made, located])
      }
      return { figures: { scatterGibPerSecond: rate(mib, scatterMs), gatherGibPerSecond: rate(mib, gatherMs) }, finish }
    }
  },
  valueOf: ({ figures }) => Math.min(figures['scatterGibPerSecond']!, figures['gatherGibPerSecond']!),
}

function rate(mib: number, ms: number): number {
  return (mib * MIB) / GIB / (ms / 1000)
}
