/** Runs a program again and again, each time with other failures around it. */
import { inspect, isDeepStrictEqual } from 'node:util'
import { ScratchFolder } from '../common/node/scratch-folder.js'
import type { Client } from '../client/client.js'
import { checkOptionNames, describe, invalidOption } from '../client/options.js'
import { CodeCache } from '../worker/code-cache.js'
import { ALL_FAULTS, NO_FAULTS, type Faults, type ResolvedFaults } from './faults.js'
import { runSeed, type RunOptions, type RunReport } from './run-seed.js'
import { SimulationError } from './simulation-error.js'
import { useVirtualGlobals } from './virtual-globals.js'

/** Options of {@link simulate}. */
export interface SimulateOptions {
  /** How many runs, each with failures of its own: those of the seeds 1 to that number. Default: 20. */
  readonly seeds?: number | undefined
  /** This seed alone: to see again what failed. Default: all from 1 to `seeds`. */
  readonly seed?: number | undefined
  /** How many workers there are. Default: 3. */
  readonly workers?: number | undefined
  /** How many threads each has. Default: 2. */
  readonly threadsPerWorker?: number | undefined
  /** What goes wrong: what is named here, and nothing else. Default: all that may, as `true` has it. */
  readonly faults?: Faults | undefined
  /** How long a run may take, in milliseconds of virtual time. Default: an hour. */
  readonly timeoutMs?: number | undefined
  /** Hears, line by line, what goes wrong and what scheduler and workers log. Default: nobody does. */
  readonly trace?: ((line: string) => void) | undefined
}

/** What happened in a {@link simulate | simulation}, in all its runs together. */
export interface SimulationReport {
  /** How many runs there were, beside the one without faults. */
  readonly seeds: number
  /** How many workers died. */
  readonly workerCrashes: number
  /** How often the scheduler died. */
  readonly schedulerCrashes: number
  /** How many connections broke. */
  readonly cuts: number
  /** How many times a task was begun. */
  readonly runs: number
  /** How many of these were not the first of their task. */
  readonly reruns: number
  /** How long it all took in the time that programs see. */
  readonly virtualMs: number
}

const OPTIONS = ['seeds', 'seed', 'workers', 'threadsPerWorker', 'faults', 'timeoutMs', 'trace']
const FAULTS = ['workerCrashes', 'schedulerCrashes', 'cuts', 'delays']
const HOUR_MS = 3_600_000
/** More of a result than that helps nobody. */
const MAX_SHOWN = 300

/**
 * Runs `program` with a client of a simulated cluster: once as all goes well, and then once for each seed, while workers and the
 * scheduler die, connections break and what is sent is late. Each run must end as the first did: return what is deeply equal, or
 * nothing; what it throws is a failure too. The same seed has the same things happen, so that what it found can be seen again.
 *
 * Scheduler, workers and client are the real ones. Everything runs in this thread, in virtual time: `setTimeout`, `Date` and
 * `performance` are those of the simulation for the program and its tasks, so an hour's wait takes no time; and a task's function
 * is called where it stands, so a breakpoint in it holds.
 *
 * @throws {SimulationError} when a run fails; it says how to run that seed alone.
 * @example
 * ```ts
 * import { simulate } from 'heddle/testing'
 *
 * const { workerCrashes, reruns } = await simulate(
 *   async (client) => {
 *     const squares = client.map((n: number) => n * n, [1, 2, 3, 4, 5])
 *     return await client.submit((all: number[]) => all.reduce((a, b) => a + b, 0), squares)
 *   },
 *   { seeds: 50 },
 * )
 * console.log(`${workerCrashes} workers died and ${reruns} tasks ran again: the sum was 55 each time`)
 * ```
 */
export async function simulate(
  program: (client: Client) => unknown,
  options: SimulateOptions = {},
): Promise<SimulationReport> {
  const { first, last, faults, ...common } = resolve(program, options)
  await using scratch = await ScratchFolder.create()
  const codes = await CodeCache.create({ scratch: scratch.path, workingDirectory: process.cwd() })
  const files = { scratch: { path: scratch.path, [Symbol.asyncDispose]: () => Promise.resolve() }, codes }
  using _virtual = useVirtualGlobals()
  const total = { seeds: 0, workerCrashes: 0, schedulerCrashes: 0, cuts: 0, runs: 0, reruns: 0, virtualMs: 0 }
  const run = async (each: Pick<RunOptions, 'seed' | 'faults'>): Promise<unknown> => {
    const report = await runSeed(program, { ...common, ...each, files })
    for (const name of Object.keys(total) as (keyof RunReport & keyof typeof total)[]) total[name] += report[name] ?? 0
    return report.result
  }
  const expected = await run({ seed: first, faults: NO_FAULTS }).catch((error: unknown) => {
    throw new SimulationError(`The program fails as all goes well: ${textOf(error)}`, undefined, error)
  })
  for (let seed = first; seed <= last; seed++) {
    const failure = await run({ seed, faults }).then(
      (result) => differenceOf(expected, result),
      (error: unknown) => ({ message: textOf(error), error }),
    )
    total.seeds++
    if (failure === undefined) continue
    const again = inspect({ seed, ...withoutSeeds(options) }, { breakLength: Infinity, depth: 3 })
    const message = `The program fails with seed ${seed}: ${failure.message}\nRun this seed alone: simulate(program, ${again})`
    throw new SimulationError(message, seed, failure.error)
  }
  return total
}

interface Failure {
  readonly message: string
  readonly error?: unknown
}

function differenceOf(expected: unknown, result: unknown): Failure | undefined {
  if (isDeepStrictEqual(expected, result)) return undefined
  return { message: `it returned ${shown(result)}, and ${shown(expected)} as all went well.` }
}

function shown(value: unknown): string {
  const text = inspect(value, { breakLength: Infinity, depth: 4 })
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : shown(error)
}

function withoutSeeds({ seeds: _, seed: __, trace: ___, ...others }: SimulateOptions): SimulateOptions {
  return others
}

interface Resolved extends Omit<RunOptions, 'seed' | 'files'> {
  readonly first: number
  readonly last: number
}

function resolve(program: unknown, given: SimulateOptions): Resolved {
  if (typeof program !== 'function') {
    throw invalidOption(`simulate() runs a program, and not ${describe(program)}; give async (client) => { … }.`)
  }
  checkOptionNames('simulate()', given, OPTIONS)
  const { seeds = 20, seed, workers = 3, threadsPerWorker = 2, timeoutMs = HOUR_MS, trace = () => undefined } = given
  if (given.seeds !== undefined && seed !== undefined)
    throw invalidOption('Give simulate() seeds or one seed, not both.')
  checkCount('seeds', seeds, 1, 1e9)
  if (seed !== undefined) checkCount('seed', seed, 1, 1e9)
  checkCount('workers', workers, 1, 100)
  checkCount('threadsPerWorker', threadsPerWorker, 1, 100)
  checkCount('timeoutMs', timeoutMs, 1, Number.MAX_SAFE_INTEGER)
  if (typeof trace !== 'function')
    throw invalidOption(`trace is ${describe(trace)}; give a function that takes a line.`)
  const faults = resolveFaults(given.faults)
  return { first: seed ?? 1, last: seed ?? seeds, workers, threadsPerWorker, timeoutMs, trace, faults }
}

/** What is left out goes wrong only where nothing is said of any. */
function resolveFaults(given: Faults | undefined): ResolvedFaults {
  if (given === undefined) return ALL_FAULTS
  checkOptionNames('faults of simulate()', given, FAULTS)
  const faults: Record<keyof Faults, number> = { ...NO_FAULTS }
  for (const [name, value] of Object.entries(given) as [keyof Faults, boolean | number | undefined][]) {
    if (value === true) faults[name] = ALL_FAULTS[name]
    else if (typeof value === 'number') {
      checkCount(`faults.${name}`, value, 0, 1_000)
      faults[name] = value
    } else if (value !== false && value !== undefined) {
      throw invalidOption(`faults.${name} is ${describe(value)}; give true, false or a whole number.`)
    }
  }
  return faults
}

function checkCount(name: string, value: unknown, low: number, high: number): void {
  if (Number.isInteger(value) && (value as number) >= low && (value as number) <= high) return
  throw invalidOption(`${name} is ${describe(value)}; give a whole number from ${low} to ${high}.`)
}
