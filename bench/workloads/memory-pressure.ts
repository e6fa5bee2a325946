/**
 * Tasks of little and of much memory, mixed, on workers that are killed at their limit as a container would be: once placed
 * by threads alone, once with the memory declared that they take.
 */
import assert from 'node:assert/strict'
import { connect, LocalCluster, type Future } from '../../client/index.js'
import { MIB, residentBytes } from '../bytes.js'
import type { Figures, StandaloneWorkload } from '../workload.js'

const SMALL_MIB = 50
const WORKERS = 2
const THREADS = 4
/** One task in so many is a large one. */
const LARGE_EVERY = 5
const HOLD_MS = 150
/** How often resident memory is looked at: a task holds what it takes for longer. */
const LOOK_MS = 10
/** Beside the tasks' own: a process with its threads takes some. */
const PROCESS_MIB = 200

export const memoryPressure: StandaloneWorkload<'tasks' | 'mib' | 'large'> = {
  type: 'standalone',
  name: 'memory-pressure',
  summary:
    'tasks of 50 MiB and of `large` MiB on workers killed at `mib`: memory declared, and placed by threads alone',
  unit: 's',
  parameters: {
    tasks: { initial: 40, lowest: 5, highest: 10_000 },
    mib: { initial: 1_536, lowest: 256, highest: 1_048_576 },
    large: { initial: 1_024, lowest: 51, highest: 1_048_576 },
  },
  measure: async (params, onProgress) => {
    onProgress('by threads alone')
    const threads = await pass(params, false)
    onProgress('memory declared')
    const declared = await pass(params, true)
    const named = (name: string, figures: Pass): Figures =>
      Object.fromEntries(Object.entries(figures).map(([key, value]) => [`${name}${key}`, value]))
    return { value: declared.Seconds, figures: { ...named('declared', declared), ...named('slotOnly', threads) } }
  },
}

interface Pass {
  readonly Seconds: number
  readonly Completed: number
  readonly Failed: number
  readonly Kills: number
  /** Of the worker that had most. */
  readonly PeakMib: number
}

async function pass(params: { tasks: number; mib: number; large: number }, isDeclared: boolean): Promise<Pass> {
  const { tasks, mib, large } = params
  await using cluster = await LocalCluster.start({
    workers: WORKERS,
    threadsPerWorker: THREADS,
    memoryLimit: mib * MIB,
    logLevel: 'error',
  })
  await using client = await connect(cluster)
  const container = new Container(cluster, mib)
  const startedAtMs = performance.now()
  const futures: Future<number>[] = []
  for (let i = 0; i < tasks; i++) {
    const taken = i % LARGE_EVERY === 0 ? large : SMALL_MIB
    // What a task declares is what it takes at its worst, and a part of what its process takes.
    const share = Math.floor(PROCESS_MIB / THREADS)
    const resources = isDeclared ? { memory: Math.min(mib, taken + share) * MIB } : {}
    futures.push(client.with({ resources }).submit(hold, taken, HOLD_MS))
  }
  const results = await client.gather(futures, { errors: 'settle' })
  const seconds = (performance.now() - startedAtMs) / 1000
  const { kills, peakMib } = container.close()
  const completed = results.filter(({ status }) => status === 'fulfilled').length
  for (const [i, result] of results.entries()) {
    if (result.status === 'fulfilled') assert.equal(result.value, i % LARGE_EVERY === 0 ? large : SMALL_MIB)
  }
  return { Seconds: seconds, Completed: completed, Failed: tasks - completed, Kills: kills, PeakMib: peakMib }
}

/** Takes so much memory for a while, every page of it, and returns how much it was. */
async function hold(mib: number, ms: number): Promise<number> {
  const { setTimeout } = await import('node:timers/promises')
  const parts: Uint8Array[] = []
  for (let i = 0; i < mib; i++) parts.push(new Uint8Array(1_048_576).fill(1))
  await setTimeout(ms)
  return parts.reduce((sum, part) => sum + part.at(-1)!, 0)
}

/** Kills workers whose resident memory passes the limit, as the kernel does in a container of that size. */
class Container {
  readonly #timer: NodeJS.Timeout
  #kills = 0
  #peakMib = 0

  constructor(cluster: LocalCluster, limitMib: number) {
    const killed = new Set<number>()
    this.#timer = setInterval(() => {
      for (const pid of cluster.pids.slice(1)) {
        const residentMib = residentBytes(pid) / MIB
        this.#peakMib = Math.max(this.#peakMib, residentMib)
        if (residentMib <= limitMib || killed.has(pid)) continue
        killed.add(pid)
        this.#kills++
        process.kill(pid, 'SIGKILL')
      }
    }, LOOK_MS)
  }

  close(): { readonly kills: number; readonly peakMib: number } {
    clearInterval(this.#timer)
    return { kills: this.#kills, peakMib: this.#peakMib }
  }
}
