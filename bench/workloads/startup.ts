/**
 * From nothing to a first result: `connect()` without an address, in a fresh process, imports apart. Beside it, what the
 * processes of a cluster hold of memory when they have run one task and have nothing to do.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { connect, LocalCluster } from '../../client/index.js'
import { residentBytes } from '../bytes.js'
import { percentile } from '../percentile.js'
import type { StandaloneWorkload } from '../workload.js'

const PROGRAM = fileURLToPath(new URL('./startup-program.js', import.meta.url))
const execute = promisify(execFile)
/** So long a process may still clear up what it needed to start. */
const SETTLE_MS = 1_000

export const startup: StandaloneWorkload<'runs'> = {
  type: 'standalone',
  name: 'startup',
  summary: 'connect() with a cluster of its own until the first result, in a fresh process, imports apart',
  unit: 's',
  parameters: { runs: { initial: 5, lowest: 1, highest: 1_000 } },
  measure: async ({ runs }, onProgress) => {
    const connected: number[] = []
    const answered: number[] = []
    await start() // Brings the files into the machine's memory.
    for (let run = 1; run <= runs; run++) {
      onProgress(`run ${run} of ${runs}`)
      const { connectMs, resultMs } = await start()
      connected.push(connectMs)
      answered.push(resultMs)
    }
    onProgress('idle')
    const figures = { connectMs: percentile(connected, 50), ...(await idleMemory()) }
    return { value: percentile(answered, 50) / 1000, figures }
  },
}

/** A local cluster's nannies are part of its client. */
async function idleMemory(): Promise<{ idleSchedulerMb: number; idleWorkerMb: number }> {
  await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
  await using client = await connect(cluster)
  await Promise.all(client.map((x: number) => x + 1, [1, 2, 3, 4]))
  await wait(SETTLE_MS)
  const [scheduler, ...workers] = cluster.pids.map((pid) => residentBytes(pid) / 1e6)
  return { idleSchedulerMb: scheduler!, idleWorkerMb: Math.max(...workers) }
}

async function start(): Promise<{ connectMs: number; resultMs: number }> {
  const { stdout } = await execute(process.execPath, [PROGRAM])
  const { connectMs, resultMs, answer } = JSON.parse(stdout) as Record<string, number>
  assert.equal(answer, 42)
  return { connectMs: connectMs!, resultMs: resultMs! }
}
