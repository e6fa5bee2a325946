/** Pure CPU on all threads: how much of two threads is left when a cluster hands out the work. */
import assert from 'node:assert/strict'
import { percentile } from '../percentile.js'
import { letGo, type ClusterWorkload } from '../workload.js'
import { timeBare, work } from './fixed-work.js'

/** The cluster's workers have a thread each. */
const THREADS = 2
const ITERATIONS_PER_MS = 500_000
/** The fixed work is timed alone so often before each run. */
const TIMES_ALONE = 5

export const cpuScaling: ClusterWorkload<'tasks' | 'ms'> = {
  type: 'on-cluster',
  name: 'cpu-scaling',
  summary:
    'tasks of pure CPU; the time they take in one thread alone, in parts of what two threads took, and two bare processes',
  unit: 'efficiency',
  parameters: {
    tasks: { initial: 64, lowest: 1, highest: 100_000 },
    ms: { initial: 50, lowest: 1, highest: 60_000 },
  },
  runs: 5,
  warmUps: 1,
  prepare: (client, { tasks, ms }) => {
    let iterations = ms * ITERATIONS_PER_MS
    const alone = async (): Promise<{ number: number; ms: number }> => {
      using future = client.submit(work, iterations)
      return await future
    }
    return async () => {
      // About as long as was asked for on this machine; then exactly the same for every task.
      iterations = Math.round((iterations * ms) / (await alone()).ms)
      const timed: number[] = []
      for (let i = 0; i < TIMES_ALONE; i++) timed.push((await alone()).ms)
      const aloneMs = percentile(timed, 50)

      const startedAtMs = performance.now()
      const futures = client.map(work, new Array<number>(tasks).fill(iterations))
      const results = await client.gather(futures)
      const wallMs = performance.now() - startedAtMs
      const timesEach = Math.ceil(tasks / THREADS)
      const bareMs = await timeBare(THREADS, { iterations, times: timesEach })
      const finish = async (): Promise<void> => {
        const { number } = work(iterations)
        assert.ok(results.every((result) => result.number === number))
        await letGo(client, futures)
      }
      const efficiency = (aloneMs * tasks) / (THREADS * wallMs)
      return { figures: { aloneMs, wallMs, efficiency, bareEfficiency: (aloneMs * timesEach) / bareMs }, finish }
    }
  },
  valueOf: ({ figures }) => figures['efficiency']!,
}
