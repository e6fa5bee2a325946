/** A binary reduction: tasks that wait for two others each, level upon level, down to a single one. */
import assert from 'node:assert/strict'
import type { Future } from '../../client/index.js'
import { letGo, type ClusterWorkload } from '../workload.js'

export const tree: ClusterWorkload<'depth'> = {
  type: 'on-cluster',
  name: 'tree',
  summary: 'binary reduction of 2^depth leaves, each leaf and each sum a task of its own',
  unit: 's',
  parameters: { depth: { initial: 14, lowest: 0, highest: 20 } },
  runs: 5,
  prepare: (client, { depth }) => {
    const leaves = 2 ** depth
    const items = Array.from({ length: leaves }, (_, index) => index)
    const add = (a: number, b: number): number => a + b
    return async () => {
      const futures: Future<number>[] = client.map((item: number) => item, items)
      // Each sum is appended behind what is still to be added, so the list is its own queue.
      for (let left = 0; left + 1 < futures.length; left += 2) {
        futures.push(client.submit(add, futures[left]!, futures[left + 1]!))
      }
      const root = await futures[futures.length - 1]!
      const finish = async (): Promise<void> => {
        assert.equal(root, (leaves * (leaves - 1)) / 2)
        await letGo(client, futures)
      }
      return { finish }
    }
  },
  valueOf: ({ seconds }) => seconds,
}
