/** What the death of a worker costs: two layers of tasks, with and without a SIGKILL in their middle. */
import assert from 'node:assert/strict'
import { asCompleted, connect, LocalCluster, type Client } from '../../client/index.js'
import { percentile } from '../percentile.js'
import type { StandaloneWorkload } from '../workload.js'

const LAYERS = 2

export const workerLoss: StandaloneWorkload<'tasks' | 'ms' | 'runs'> = {
  type: 'standalone',
  name: 'worker-loss',
  summary: 'so many tasks in two layers; the time that the SIGKILL of one of two workers in their middle adds',
  unit: 's',
  parameters: {
    tasks: { initial: 200, lowest: 4, highest: 1_000_000 },
    ms: { initial: 50, lowest: 1, highest: 60_000 },
    runs: { initial: 5, lowest: 1, highest: 1_000 },
  },
  measure: async ({ tasks, ms, runs }, onProgress) => {
    await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1, logLevel: 'error' })
    await using client = await connect(cluster)
    const perLayer = Math.ceil(tasks / LAYERS)
    const undisturbed: number[] = []
    const added: number[] = []
    for (let run = 1; run <= runs; run++) {
      onProgress(`run ${run} of ${runs}`)
      // A worker that was just started loads and compiles what it needs.
      await twoLayers(client, perLayer, ms)
      const aloneSeconds = await twoLayers(client, perLayer, ms)
      const seconds = await twoLayers(client, perLayer, ms, async () => {
        const { pid } = (await client.info()).workers[run % 2]!
        process.kill(pid, 'SIGKILL')
      })
      undisturbed.push(aloneSeconds)
      added.push(seconds - aloneSeconds)
      await client.waitForWorkers(2)
    }
    return { value: percentile(added, 50), figures: { undisturbedSeconds: percentile(undisturbed, 50) } }
  },
}

/** Returns how many seconds they took. `amid` is called when half of the first layer is done. */
async function twoLayers(client: Client, count: number, ms: number, amid?: () => Promise<void>): Promise<number> {
  const nap = async (x: number, napMs: number): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, napMs))
    return x + 1
  }
  const items = Array.from({ length: count }, (_, i) => i)
  const startedAtMs = performance.now()
  const first = client.map(nap, items, { args: [ms] })
  const second = client.map(nap, first, { args: [ms] })
  if (amid !== undefined) {
    let left = Math.floor(count / 2)
    for await (const _ of asCompleted(first)) if (--left <= 0) break
    await amid()
  }
  const values = await client.gather(second)
  const seconds = (performance.now() - startedAtMs) / 1000
  assert.deepEqual(
    values,
    items.map((i) => i + LAYERS),
  )
  client.release([...first, ...second])
  return seconds
}
