/**
 * How long a program that submits very many tasks at once is kept from its other work: the longest turn of its event loop,
 * in a fresh process, where the first submission is the first that any code is compiled for.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { percentile } from '../percentile.js'
import type { StandaloneWorkload } from '../workload.js'

const PROGRAM = fileURLToPath(new URL('./submit-program.js', import.meta.url))
const execute = promisify(execFile)

interface LongestTurns {
  /** Of each `map`, in their order. */
  readonly mapMs: readonly number[]
  /** Of each graph. */
  readonly graphMs: readonly number[]
}

export const submit: StandaloneWorkload<'tasks' | 'runs'> = {
  type: 'standalone',
  name: 'submit',
  summary: 'the longest turn of the client that submits so many tasks by map, and as a graph',
  unit: 'ms',
  parameters: {
    tasks: { initial: 1_000_000, lowest: 1, highest: 10_000_000 },
    runs: { initial: 3, lowest: 1, highest: 100 },
  },
  measure: async ({ tasks, runs }, onProgress) => {
    const turns: LongestTurns[] = []
    for (let run = 1; run <= runs; run++) {
      onProgress(`run ${run} of ${runs}`)
      const { stdout } = await execute(process.execPath, [PROGRAM, String(tasks)])
      turns.push(JSON.parse(stdout) as LongestTurns)
    }
    const median = (of: (turns: LongestTurns) => number): number => percentile(turns.map(of), 50)
    return {
      value: median(({ mapMs, graphMs }) => Math.max(...mapMs, ...graphMs)),
      figures: {
        firstMapMs: median(({ mapMs }) => mapMs[0]!),
        laterMapsMs: median(({ mapMs }) => Math.max(...mapMs.slice(1))),
        firstGraphMs: median(({ graphMs }) => graphMs[0]!),
        laterGraphsMs: median(({ graphMs }) => Math.max(...graphMs.slice(1))),
        longestMs: Math.max(...turns.flatMap(({ mapMs, graphMs }) => [...mapMs, ...graphMs])),
      },
    }
  },
}
