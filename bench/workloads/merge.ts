/** Many tasks into one: a task with as many inputs as there are tasks. */
import assert from 'node:assert/strict'
import { letGo, type ClusterWorkload } from '../workload.js'

export const merge: ClusterWorkload<'tasks'> = {
  type: 'on-cluster',
  name: 'merge',
  summary: 'tasks by map, and one task that gets all their values as an array',
  unit: 's',
  parameters: { tasks: { initial: 25_000, lowest: 1, highest: 1_000_000 } },
  runs: 5,
  prepare: (client, { tasks }) => {
    const items = Array.from({ length: tasks }, (_, index) => index)
    return async () => {
      const parts = client.map((item: number) => item + 1, items)
      const total = client.submit((values: readonly number[]) => values.reduce((a, b) => a + b, 0), parts)
      const sum = await total
      const finish = async (): Promise<void> => {
        assert.equal(sum, (tasks * (tasks + 1)) / 2)
        await letGo(client, [...parts, total])
      }
      return { finish }
    }
  },
  valueOf: ({ seconds }) => seconds,
}
