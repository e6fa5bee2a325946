/** All to all, as `shuffle` does it, with tasks that have an output for each of the others: no task picks a piece. */
import assert from 'node:assert/strict'
import { letGo, type ClusterWorkload } from '../workload.js'
import { split } from './shuffle.js'

export const shuffleOutputs: ClusterWorkload<'partitions'> = {
  type: 'on-cluster',
  name: 'shuffle-outputs',
  summary: 'n tasks with n outputs each, n that combine those meant for them',
  unit: 's',
  parameters: { partitions: { initial: 64, lowest: 1, highest: 1_023 } },
  runs: 5,
  prepare: (client, { partitions }) => {
    const numbers = Array.from({ length: partitions }, (_, index) => index)
    const splitter = client.with({ outputs: partitions })
    const combine = (pieces: readonly number[]): number => pieces.reduce((a, b) => a + b, 0)
    return async () => {
      const rows = splitter.map(split, numbers, { args: [partitions] })
      const targets = numbers.map((target) =>
        client.submit(
          combine,
          rows.map((row) => row[target]!),
        ),
      )
      const sums = await client.gather(targets)
      const finish = async (): Promise<void> => {
        // Target t gets s × n + t from each source s.
        const sumOfSources = (partitions * (partitions - 1)) / 2
        assert.deepEqual(
          sums,
          numbers.map((target) => partitions * (sumOfSources + target)),
        )
        await letGo(client, [...rows.flat(), ...targets])
      }
      return { finish }
    }
  },
  valueOf: ({ seconds }) => seconds,
}
