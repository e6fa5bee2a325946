/**
 * `node dist/bench/flames/main.js FOLDER WORKLOAD …`: runs a benchmark with every process of it sampled, and draws what
 * each did as `FOLDER/WORKLOAD-PROCESS.svg`. The rest of the command is for the benchmark.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { callTreeOf } from './call-tree.js'
import { drawFlameGraph } from './flame-graph.js'
import type { Recording } from './recorder.js'

const BENCHMARK = fileURLToPath(new URL('../main.js', import.meta.url))
const RECORDER = new URL('recorder.js', import.meta.url)

const [folder, workload, ...rest] = process.argv.slice(2)
if (folder === undefined || workload === undefined) {
  console.error('usage: node dist/bench/flames/main.js FOLDER WORKLOAD …')
  process.exitCode = 2
} else await run(folder, workload, rest)

async function run(folder: string, workload: string, rest: readonly string[]): Promise<void> {
  const recordings = mkdtempSync(path.join(tmpdir(), 'heddle-flames-'))
  try {
    await runBenchmark([workload, ...rest], recordings)
    mkdirSync(folder, { recursive: true })
    for (const { name, profile } of namedRecordings(recordings)) {
      const title = `${[workload, ...rest].join(' ')}: main thread of the ${name.replace('-', ' ')}`
      writeFileSync(path.join(folder, `${workload}-${name}.svg`), drawFlameGraph(callTreeOf(profile), title))
    }
  } finally {
    rmSync(recordings, { recursive: true })
  }
}

async function runBenchmark(args: readonly string[], recordings: string): Promise<void> {
  const options = `${process.env['NODE_OPTIONS'] ?? ''} --import=${RECORDER.href}`
  const env = { ...process.env, NODE_OPTIONS: options, HEDDLE_FLAMES_FOLDER: recordings }
  const benchmark = spawn(process.execPath, [BENCHMARK, ...args], { env, stdio: 'inherit' })
  const [code] = (await once(benchmark, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`The benchmark ended with exit code ${code}.`)
}

/** By what the process was: there are several workers. */
function namedRecordings(recordings: string): { name: string; profile: Recording['profile'] }[] {
  let workers = 0
  return readdirSync(recordings).flatMap((file) => {
    const { program, profile } = JSON.parse(readFileSync(path.join(recordings, file), 'utf8')) as Recording
    if (program.endsWith('bench/main.js')) return [{ name: 'client', profile }]
    if (program.endsWith('scheduler/main.js')) return [{ name: 'scheduler', profile }]
    return program.endsWith('worker/main.js') ? [{ name: `worker-${++workers}`, profile }] : []
  })
}
