/** From nothing to a first result: `connect()` without an address, in a fresh process, imports apart. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { percentile } from '../percentile.js'
import type { StandaloneWorkload } from '../workload.js'

const PROGRAM = fileURLToPath(new URL('./startup-program.js', import.meta.url))
const execute = promisify(execFile)

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
    return { value: percentile(answered, 50) / 1000, figures: { connectMs: percentile(connected, 50) } }
  },
}

async function start(): Promise<{ connectMs: number; resultMs: number }> {
  const { stdout } = await execute(process.execPath, [PROGRAM])
  const { connectMs, resultMs, answer } = JSON.parse(stdout) as Record<string, number>
  assert.equal(answer, 42)
  return { connectMs: connectMs!, resultMs: resultMs! }
}
