/**
 * What it costs that people look: a map of tasks that do nothing, with so many status pages open and with none, in turn; its
 * throughput, and how late the scheduler's loop is one time in a hundred.
 */
import assert from 'node:assert/strict'
import { fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { connect, type Client } from '../../client/index.js'
import type { StandaloneWorkload } from '../workload.js'

const PROGRAM = fileURLToPath(new URL('../core/viewers-process.js', import.meta.url))
const HEDDLE = fileURLToPath(new URL('../../cli/main.js', import.meta.url))

export const viewers: StandaloneWorkload<'tasks' | 'pages' | 'rounds' | 'maps'> = {
  type: 'standalone',
  name: 'viewers',
  summary: 'noop-map with so many status pages open, as a share of that with none; and how late the scheduler is',
  unit: 'efficiency',
  parameters: {
    tasks: { initial: 100_000, lowest: 1_000, highest: 10_000_000 },
    pages: { initial: 10, lowest: 1, highest: 200 },
    rounds: { initial: 5, lowest: 1, highest: 100 },
    maps: { initial: 4, lowest: 1, highest: 100 },
  },
  measure: async ({ tasks, pages, rounds, maps }, onProgress) => {
    const scheduler = fork(PROGRAM, ['scheduler'])
    const { address } = (await answerOf(scheduler)) as { address: string }
    const worker = spawn(process.execPath, [
      HEDDLE,
      'worker',
      'join',
      address,
      '--threads',
      '2',
      '--log-level',
      'error',
    ])
    const client = await connect(address)
    const passes = { alone: [] as Pass[], watched: [] as Pass[] }
    try {
      await client.waitForWorkers(1, { timeoutMs: 30_000 })
      onProgress('warming up')
      await pass(client, scheduler, tasks, maps)
      for (let round = 1; round <= rounds; round++) {
        onProgress(`round ${round} of ${rounds}`)
        // In turn, and each first as often as the other: what else the machine does falls on both.
        for (const isWatched of round % 2 === 0 ? [true, false] : [false, true]) {
          const watchers = isWatched ? fork(PROGRAM, ['pages', address, String(pages)]) : undefined
          if (watchers !== undefined) await answerOf(watchers)
          passes[isWatched ? 'watched' : 'alone'].push(await pass(client, scheduler, tasks, maps))
          if (watchers !== undefined) {
            const { frames } = (await ask(watchers)) as { frames: number }
            assert.ok(frames >= pages, 'pages were told nothing')
            await end(watchers)
          }
        }
      }
    } finally {
      await client.close()
      await Promise.all([end(worker), end(scheduler)])
    }
    const rate = (of: readonly Pass[]): number => median(of.map(({ tasksPerSecond }) => tasksPerSecond))
    const delay = (of: readonly Pass[]): number => median(of.map(({ delayMs }) => delayMs))
    return {
      value: rate(passes.watched) / rate(passes.alone),
      figures: {
        tasksPerSecondAlone: rate(passes.alone),
        tasksPerSecondWatched: rate(passes.watched),
        loopDelayP99MsAlone: delay(passes.alone),
        loopDelayP99MsWatched: delay(passes.watched),
      },
    }
  },
}

interface Pass {
  readonly tasksPerSecond: number
  readonly delayMs: number
}

async function pass(client: Client, scheduler: ChildProcess, tasks: number, maps: number): Promise<Pass> {
  const items = Array.from({ length: tasks }, (_, index) => index)
  await ask(scheduler) // What was before does not count.
  const startedAtMs = performance.now()
  for (let map = 0; map < maps; map++) {
    const futures = client.map((item: number) => item, items)
    assert.deepEqual(await client.gather(futures), items)
    client.release(futures)
  }
  const seconds = (performance.now() - startedAtMs) / 1_000
  const { delayMs } = (await ask(scheduler)) as { delayMs: number }
  return { tasksPerSecond: (tasks * maps) / seconds, delayMs }
}

async function ask(child: ChildProcess): Promise<unknown> {
  child.send('how')
  return await answerOf(child)
}

async function answerOf(child: ChildProcess): Promise<unknown> {
  const [message] = (await once(child, 'message')) as [unknown]
  return message
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
