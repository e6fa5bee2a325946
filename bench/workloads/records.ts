/** Records as arguments: what it costs to get a thousand bytes of data to a task that hardly does anything with them. */
import assert from 'node:assert/strict'
import { letGo, type ClusterWorkload } from '../workload.js'

const RECORD_BYTES = 1_000

export const records: ClusterWorkload<'records'> = {
  type: 'on-cluster',
  name: 'records',
  summary: 'tasks with a record of 1 KB as argument each, by map, all values gathered',
  unit: 'records/s',
  parameters: { records: { initial: 10_000, lowest: 1, highest: 1_000_000 } },
  runs: 5,
  prepare: (client, { records: count }) => {
    const text = 'x'.repeat(RECORD_BYTES)
    const items = Array.from({ length: count }, (_, id) => ({ id, text }))
    const expected = items.map(({ id }) => id + RECORD_BYTES)
    return async () => {
      const futures = client.map((record: { id: number; text: string }) => record.id + record.text.length, items)
      const values = await client.gather(futures)
      const finish = async (): Promise<void> => {
        assert.deepEqual(values, expected)
        await letGo(client, futures)
      }
      return { finish }
    }
  },
  valueOf: ({ seconds }, { records: count }) => count / seconds,
}
