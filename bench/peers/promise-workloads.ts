/** The workloads as systems run them that take one function call at a time and give a promise. Each checks its answer. */
import assert from 'node:assert/strict'
import { percentile } from '../percentile.js'
import type { FunctionName } from './functions.js'

const WARM_UPS = 1
const RUNS = 3
const THREADS = 2
const ITERATIONS_PER_MS = 500_000

/** Runs one of `functions` with one argument. */
export type Call = (name: FunctionName, argument: unknown) => Promise<unknown>

type Params = Readonly<Record<string, number>>

const WORKLOADS: Readonly<Record<string, (call: Call, params: Params) => Promise<number>>> = {
  'noop-map': async (call, { tasks = 0 }) => {
    const items = numbers(tasks)
    const [values, seconds] = await timed(() => Promise.all(items.map((item) => call('identity', item))))
    assert.deepEqual(values, items)
    return tasks / seconds
  },
  'round-trip': async (call, { calls = 0 }) => {
    const latenciesMs: number[] = []
    for (let i = 0; i < calls; i++) {
      const [value, seconds] = await timed(() => call('increment', i))
      assert.equal(value, i + 1)
      latenciesMs.push(seconds * 1000)
    }
    return percentile(latenciesMs, 50)
  },
  merge: async (call, { tasks = 0 }) => {
    const [value, seconds] = await timed(async () => {
      return await call('sum', await Promise.all(numbers(tasks).map((item) => call('increment', item))))
    })
    assert.equal(value, (tasks * (tasks + 1)) / 2)
    return seconds
  },
  tree: async (call, { depth = 0 }) => {
    const leaves = 2 ** depth
    const [value, seconds] = await timed(async () => {
      let row: Promise<unknown>[] = numbers(leaves).map((item) => call('identity', item))
      while (row.length > 1) {
        const below = row
        row = numbers(below.length / 2).map(
          async (i) => await call('sum', await Promise.all(below.slice(2 * i, 2 * i + 2))),
        )
      }
      return await row[0]
    })
    assert.equal(value, (leaves * (leaves - 1)) / 2)
    return seconds
  },
  records: async (call, { records = 0 }) => {
    const items = numbers(records).map((id) => ({ id, text: 'x'.repeat(1_000) }))
    const [values, seconds] = await timed(() => Promise.all(items.map((item) => call('sizeOf', item))))
    assert.deepEqual(
      values,
      items.map(({ id }) => id + 1_000),
    )
    return records / seconds
  },
  'cpu-scaling': async (call, { tasks = 0, ms = 0 }) => {
    const spin = async (iterations: number) => (await call('spin', iterations)) as { number: number; ms: number }
    const first = await spin(ITERATIONS_PER_MS * ms)
    const iterations = Math.round((ITERATIONS_PER_MS * ms * ms) / first.ms)
    const alone: number[] = []
    for (let i = 0; i < 5; i++) alone.push((await spin(iterations)).ms)
    const [results, seconds] = await timed(() => Promise.all(numbers(tasks).map(() => spin(iterations))))
    assert.equal(new Set(results.map(({ number }) => number)).size, 1)
    return (percentile(alone, 50) * tasks) / (THREADS * seconds * 1000)
  },
}

/** The value of a workload, as the median of several runs. */
export async function measurePromises(call: Call, workload: string, params: Params): Promise<number> {
  const run = WORKLOADS[workload]
  if (run === undefined) throw new Error(`There is no workload "${workload}" for peers.`)
  const values: number[] = []
  for (let i = -WARM_UPS; i < RUNS; i++) {
    const value = await run(call, params)
    if (i >= 0) values.push(value)
  }
  return percentile(values, 50)
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const startedAtMs = performance.now()
  const value = await work()
  return [value, (performance.now() - startedAtMs) / 1000]
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}
