/** Many tasks that do nothing, by one `map`: what a task costs when nothing else does. */
import assert from 'node:assert/strict'
import { letGo, type ClusterWorkload } from '../workload.js'

export const noopMap: ClusterWorkload<'tasks'> = {
  type: 'on-cluster',
  name: 'noop-map',
  summary: 'tasks that return their argument, by map, all values gathered',
  unit: 'tasks/s',
  parameters: { tasks: { initial: 100_000, lowest: 1, highest: 10_000_000 } },
  runs: 5,
  prepare: (client, { tasks }) => {
    const items = Array.from({ length: tasks }, (_, index) => index)
    return async () => {
      const futures = client.map((item: number) => item, items)
      const values = await client.gather(futures)
      const finish = async (): Promise<void> => {
        assert.deepEqual(values, items)
        await letGo(client, futures)
      }
      return { finish }
    }
  },
  valueOf: ({ seconds }, { tasks }) => tasks / seconds,
}
