/** The program that `submit` measures: it prints the longest turns of its event loop while it submits many tasks. */
import assert from 'node:assert/strict'
import { connect, delayed, LocalCluster, type Delayed } from '../../client/index.js'
import { threadCpuMs } from '../cpu-time.js'

/** As many as can be told from the first, for which nothing was compiled yet. */
const ROUNDS = 3

/** What was submitted last: a future that nobody holds is let go of. */
let held: unknown
const tasks = Number(process.argv[2])
const items = Array.from({ length: tasks }, (_, index) => index)
await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
await using client = await connect(cluster)

const mapMs: number[] = []
for (let round = 0; round < ROUNDS; round++) {
  mapMs.push(await longestTurn(() => client.map((item: number) => item, items)))
}
const graphMs: number[] = []
for (let round = 0; round < ROUNDS; round++) {
  const sum = sumOf(Math.ceil(tasks / 2))
  graphMs.push(await longestTurn(() => client.compute(sum)))
}
console.log(JSON.stringify({ mapMs, graphMs }))

/**
 * Of the turns from the call until the scheduler has all it submitted, in milliseconds of the main thread's processor
 * time: what other programs take of the machine meanwhile is not the client's doing.
 */
async function longestTurn(submit: () => unknown): Promise<number> {
  let longestMs = 0
  let isDone = false
  const done = new Promise<void>((resolve) => {
    let lastMs = threadCpuMs()
    const tick = (): void => {
      longestMs = Math.max(longestMs, threadCpuMs() - lastMs)
      if (isDone) return resolve()
      lastMs = threadCpuMs()
      setImmediate(tick)
    }
    setImmediate(tick)
  })
  held = submit()
  await client.datasets() // It is asked behind all that was submitted, and answered before that has run.
  isDone = true
  await done
  await client.submit(() => undefined) // It runs behind all of that: none of it is left to the next that is measured.
  assert.ok(held !== undefined)
  held = undefined // Letting go of it is part of the next turn that is measured.
  return longestMs
}

/** Leaves that are added in pairs, and their sums in pairs, until one is left. */
function sumOf(leaves: number): Delayed<number> {
  const leaf = delayed((value: number) => value)
  const add = delayed((a: number, b: number) => a + b)
  let level: Delayed<number>[] = Array.from({ length: leaves }, (_, index) => leaf(index))
  while (level.length > 1) {
    const pairs = Array.from({ length: Math.floor(level.length / 2) }, (_, i) => add(level[2 * i]!, level[2 * i + 1]!))
    level = level.length % 2 === 0 ? pairs : [...pairs, level.at(-1)!]
  }
  return level[0]!
}
