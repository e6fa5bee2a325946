/** One task at a time: how long a program waits for the smallest answer. */
import assert from 'node:assert/strict'
import { percentile } from '../percentile.js'
import type { ClusterWorkload } from '../workload.js'
import { measureBareChain } from './bare-chain.js'

/** Of the bare hops no more are needed: they vary little. */
const MAX_BARE_CALLS = 500

export const roundTrip: ClusterWorkload<'calls'> = {
  type: 'on-cluster',
  name: 'round-trip',
  summary: 'submit a task and await it, one after another; the median call, and beside it that of the bare hops',
  unit: 'ms',
  parameters: { calls: { initial: 2_000, lowest: 1, highest: 1_000_000 } },
  // Code is compiled all through the first ten thousand calls, which take half as long again (docs/performance.md).
  warmUps: 8,
  runs: 1, // Of many calls; the percentiles are theirs.
  prepare: (client, { calls }) => {
    return async () => {
      const latenciesMs: number[] = []
      const values: number[] = []
      for (let call = 0; call < calls; call++) {
        const startedAtMs = performance.now()
        using future = client.submit((x: number) => x + 1, call)
        values.push(await future)
        latenciesMs.push(performance.now() - startedAtMs)
      }
      const finish = (): void => {
        assert.deepEqual(
          values,
          Array.from({ length: calls }, (_, call) => call + 1),
        )
      }
      const bareChainMs = await measureBareChain(Math.min(calls, MAX_BARE_CALLS))
      return { latenciesMs, figures: { bareChainMs }, finish }
    }
  },
  valueOf: ({ latenciesMs }) => percentile(latenciesMs, 50),
}
