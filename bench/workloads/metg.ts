/**
 * The smallest task worth having: METG(50 %) of the Task Bench paper (Slaughter et al., SC'20), on its one-dimensional
 * stencil. Every task of a step needs its own place and both neighbours of the step before, so nothing can be sent in bulk.
 * The kernel is made shorter until half of the machine's time goes into it; what a task costs there is the figure.
 */
import assert from 'node:assert/strict'
import type { Client, Future } from '../../client/index.js'
import { letGo, type ClusterWorkload, type Figures } from '../workload.js'

const WIDTH = 4
/** The cluster's workers have a thread each. */
const THREADS = 2
const GOAL_EFFICIENCY = 0.5
/** The curve: efficiency with kernels of these lengths. Between two of them the answer is looked for. */
const CURVE_US = [16, 64, 256, 1_024, 4_096]
/** However many steps were asked for, one measurement takes about this long at most, and at least so many steps. */
const MAX_WALL_US = 800_000
const FEWEST_ROWS = 20
/** The steps of the first measurement, when nothing is known of how long one takes. */
const FIRST_ROWS = 100
/** Halvings of the range, on a logarithmic scale: to within a few per cent. */
const HALVINGS = 4
const CALIBRATIONS = 7
/** Searches until the code of all processes is compiled: after one, steps that pass through the scheduler take a quarter longer. */
const WARM_UPS = 4
const CALIBRATION_ITERATIONS = 10_000_000

interface Point {
  readonly kernelUs: number
  readonly granularityUs: number
  readonly efficiency: number
}

export const metg: ClusterWorkload<'steps'> = {
  type: 'on-cluster',
  name: 'metg',
  summary: 'a 3-point stencil of width 4; the time of a task, threads × wall ÷ tasks, when half of it is its kernel',
  unit: 'us',
  parameters: { steps: { initial: 1_000, lowest: 1, highest: 100_000 } },
  runs: 3,
  warmUps: WARM_UPS,
  prepare: (client, { steps }) => {
    let iterationsPerUs: number | undefined
    return async () => {
      iterationsPerUs ??= await calibrate(client)
      // What a step takes beside its kernels, as last seen: it tells how many steps there is time for.
      let besideUs: number | undefined
      const measureAt = async (kernelUs: number): Promise<Point> => {
        const iterations = Math.max(1, Math.round(kernelUs * iterationsPerUs!))
        const kernelsUs = (kernelUs * WIDTH) / THREADS
        const affordable = besideUs === undefined ? FIRST_ROWS : Math.round(MAX_WALL_US / (kernelsUs + besideUs))
        const rows = Math.min(steps, Math.max(FEWEST_ROWS, affordable))
        const wallUs = await runStencil(client, rows, iterations)
        besideUs = Math.max(1, wallUs / rows - kernelsUs)
        const granularityUs = (THREADS * wallUs) / (rows * WIDTH)
        return { kernelUs, granularityUs, efficiency: kernelUs / granularityUs }
      }
      await measureAt(CURVE_US[0]!) // Warms up.
      return { figures: await search(measureAt), finish: () => {} }
    }
  },
  valueOf: ({ figures }) => figures['granularityUs']!,
}

/**
 * Measures the curve, halves the part of it in which the efficiency passes the goal, and takes the point between its ends
 * where it would. Where the curve does not pass the goal at all, the point is its end, and its efficiency says so.
 */
async function search(measureAt: (kernelUs: number) => Promise<Point>): Promise<Figures> {
  const curve: Point[] = []
  for (const kernelUs of CURVE_US) curve.push(await measureAt(kernelUs))
  const efficiencies = Object.fromEntries(
    curve.map(({ kernelUs, efficiency }) => [`efficiencyAt${kernelUs}Us`, efficiency]),
  )
  const place = curve.findIndex(({ efficiency }) => efficiency >= GOAL_EFFICIENCY)
  let low = curve[place - 1]
  let high = curve[place]
  if (low === undefined || high === undefined) return { ...(high ?? curve.at(-1)), ...efficiencies }
  for (let i = 0; i < HALVINGS; i++) {
    const middle = await measureAt(Math.sqrt(low.kernelUs * high.kernelUs))
    if (middle.efficiency < GOAL_EFFICIENCY) low = middle
    else high = middle
  }
  const part = (GOAL_EFFICIENCY - low.efficiency) / (high.efficiency - low.efficiency)
  const between = (from: number, to: number): number => from + (to - from) * Math.min(1, Math.max(0, part))
  return {
    kernelUs: between(low.kernelUs, high.kernelUs),
    granularityUs: between(low.granularityUs, high.granularityUs),
    efficiency: between(low.efficiency, high.efficiency),
    ...efficiencies,
  }
}

/** Returns how long it took, in microseconds. @throws {AssertionError} when the last row is wrong. */
async function runStencil(client: Client, steps: number, iterations: number): Promise<number> {
  const cell = (count: number, left: number, middle: number, right: number): number => {
    let x = 1
    for (let i = 0; i < count; i++) x = (Math.imul(x, 1_664_525) + 1_013_904_223) | 0
    // The kernel's number is used, and changes nothing: no step of the loop may be left out.
    return ((left + middle + right) % 1_000_003) + (x === 0.5 ? 1 : 0)
  }
  const startedAtMs = performance.now()
  const all: Future<number>[] = []
  let row: readonly (number | Future<number>)[] = Array.from({ length: WIDTH }, (_, place) => place + 1)
  for (let step = 0; step < steps; step++) {
    const next = row.map((middle, place) =>
      client.submit(cell, iterations, row[place - 1] ?? 0, middle, row[place + 1] ?? 0),
    )
    all.push(...next)
    row = next
  }
  const values = await client.gather(all.slice(-WIDTH))
  const wallUs = (performance.now() - startedAtMs) * 1000

  let expected = Array.from({ length: WIDTH }, (_, place) => place + 1)
  for (let step = 0; step < steps; step++) {
    expected = expected.map((middle, place) => cell(0, expected[place - 1] ?? 0, middle, expected[place + 1] ?? 0))
  }
  assert.deepEqual(values, expected)
  await letGo(client, all)
  return wallUs
}

/** How many steps of the kernel a worker's thread does in a microsecond, alone: the best of several tries. */
async function calibrate(client: Client): Promise<number> {
  const timeOne = (iterations: number): { ms: number; number: number } => {
    const startedAtMs = performance.now()
    let number = 1
    for (let i = 0; i < iterations; i++) number = (Math.imul(number, 1_664_525) + 1_013_904_223) | 0
    return { ms: performance.now() - startedAtMs, number }
  }
  let bestMs = Infinity
  for (let i = 0; i < CALIBRATIONS; i++) {
    using timing = client.submit(timeOne, CALIBRATION_ITERATIONS)
    bestMs = Math.min(bestMs, (await timing).ms)
  }
  return CALIBRATION_ITERATIONS / (bestMs * 1000)
}
