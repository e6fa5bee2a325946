/** All to all: each of n tasks makes a piece for each of n others. */
import assert from 'node:assert/strict'
import type { Future } from '../../client/index.js'
import { letGo, type ClusterWorkload } from '../workload.js'

/** What one source has for each of so many targets. */
export const split = (source: number, count: number): number[] =>
  Array.from({ length: count }, (_, target) => source * count + target)

export const shuffle: ClusterWorkload<'partitions'> = {
  type: 'on-cluster',
  name: 'shuffle',
  summary: 'n tasks that make n pieces each, n × n that pick one, n that combine those meant for them',
  unit: 's',
  parameters: { partitions: { initial: 64, lowest: 1, highest: 1_024 } },
  runs: 5,
  prepare: (client, { partitions }) => {
    const numbers = Array.from({ length: partitions }, (_, index) => index)
    const pick = (pieces: readonly number[], target: number): number | undefined => pieces[target]
    const combine = (pieces: readonly (number | undefined)[]): number =>
      pieces.reduce<number>((a, b) => a + (b ?? NaN), 0)
    return async () => {
      const sources = client.map(split, numbers, { args: [partitions] })
      const columns = numbers.map((target) => sources.map((source) => client.submit(pick, source, target)))
      const targets = columns.map((column) => client.submit(combine, column))
      const sums = await client.gather(targets)
      const finish = async (): Promise<void> => {
        // Target t gets s × n + t from each source s.
        const sumOfSources = (partitions * (partitions - 1)) / 2
        assert.deepEqual(
          sums,
          numbers.map((target) => partitions * (sumOfSources + target)),
        )
        const futures: Future<unknown>[] = [...sources, ...columns.flat(), ...targets]
        await letGo(client, futures)
      }
      return { finish }
    }
  },
  valueOf: ({ seconds }) => seconds,
}
