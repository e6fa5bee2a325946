/** The workloads as systems run them that take one function call at a time and give a promise. Each checks its answer. */
import assert from 'node:assert/strict'
import { GIB, MIB } from '../bytes.js'
import { percentile } from '../percentile.js'
import { cell, type FunctionName } from './functions.js'

const RUNS = 3
/** Past so much time a workload is not run again. */
const LONG_MS = 10_000
const THREADS = 2
const ITERATIONS_PER_MS = 500_000
const WIDTH = 4
/** The range of kernels in which `metg` looks, in microseconds, and how often it halves what is left. */
const SHORTEST_US = 16
const LONGEST_US = 65_536
const HALVINGS = 4

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
  shuffle: async (call, { partitions: count = 0 }) => {
    const places = numbers(count)
    const [sums, seconds] = await timed(async () => {
      const sources = places.map((source) => call('split', { source, count }))
      const combine = async (target: number): Promise<unknown> => {
        const picked = sources.map(async (source) => await call('pick', { pieces: await source, target }))
        return await call('sum', await Promise.all(picked))
      }
      return await Promise.all(places.map(combine))
    })
    assert.deepEqual(
      sums,
      places.map((target) => count * ((count * (count - 1)) / 2 + target)),
    )
    return seconds
  },
  'scatter-gather': async (call, { mib = 0 }) => {
    const size = mib * MIB
    const sent = new Uint8Array(size).fill(120)
    const [length, scatterSeconds] = await timed(() => call('lengthOf', sent))
    const [received, gatherSeconds] = await timed(() => call('make', size))
    assert.equal(length, size)
    assert.equal((received as Uint8Array).length, size)
    return size / GIB / Math.max(scatterSeconds, gatherSeconds)
  },
  metg: async (call, { steps = 0 }) => await metg(call, steps),
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

/** What a task costs, in microseconds, when half of the machine's time goes into its kernel; as heddle's is found. */
async function metg(call: Call, steps: number): Promise<number> {
  const timings: number[] = []
  for (let i = 0; i < 5; i++) timings.push(((await call('spin', ITERATIONS_PER_MS * 10)) as { ms: number }).ms)
  const iterationsPerUs = (ITERATIONS_PER_MS * 10) / Math.min(...timings) / 1000
  const measureAt = async (kernelUs: number): Promise<{ kernelUs: number; granularityUs: number }> => {
    const iterations = Math.max(1, Math.round(kernelUs * iterationsPerUs))
    const [values, seconds] = await timed(() => runStencil(call, steps, iterations))
    let expected = numbers(WIDTH).map((place) => place + 1)
    for (let step = 0; step < steps; step++) {
      const row = expected
      expected = row.map((_, place) => cell({ iterations: 0, inputs: row.slice(Math.max(0, place - 1), place + 2) }))
    }
    assert.deepEqual(values, expected)
    return { kernelUs, granularityUs: (THREADS * seconds * 1e6) / (steps * WIDTH) }
  }
  await measureAt(SHORTEST_US) // Warms up.
  let low = await measureAt(SHORTEST_US)
  let high = low
  const isEnough = (point: typeof low): boolean => point.kernelUs >= point.granularityUs / 2
  while (!isEnough(high) && high.kernelUs < LONGEST_US) {
    low = high
    high = await measureAt(high.kernelUs * 4)
  }
  for (let i = 0; i < HALVINGS && isEnough(high) && high !== low; i++) {
    const middle = await measureAt(Math.sqrt(low.kernelUs * high.kernelUs))
    if (isEnough(middle)) high = middle
    else low = middle
  }
  return high.granularityUs
}

/** Each place goes on as soon as those that it needs are here. */
async function runStencil(call: Call, steps: number, iterations: number): Promise<unknown[]> {
  let row: Promise<unknown>[] = numbers(WIDTH).map((place) => Promise.resolve(place + 1))
  for (let step = 0; step < steps; step++) {
    const before = row
    row = numbers(WIDTH).map(async (place) => {
      const inputs = await Promise.all(before.slice(Math.max(0, place - 1), place + 2))
      return await call('cell', { iterations, inputs })
    })
  }
  return await Promise.all(row)
}

/** The value of a workload, as the median of several runs. */
export async function measurePromises(call: Call, workload: string, params: Params): Promise<number> {
  const run = WORKLOADS[workload]
  if (run === undefined) throw new Error(`There is no workload "${workload}" for peers.`)
  const values: number[] = []
  const startedAtMs = performance.now()
  const isLong = (): boolean => performance.now() - startedAtMs >= LONG_MS
  const first = await run(call, params)
  // It was to warm up, unless it took so long that it has to do.
  if (isLong()) values.push(first)
  while (values.length < RUNS && (values.length === 0 || !isLong())) values.push(await run(call, params))
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
