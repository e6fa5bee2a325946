/** Runs many seeds in tests: how many, and what a failure says. */
import { simulate } from './simulation.js'
import { addCounts, noCounts, type Counts } from './world.js'

/** `HEDDLE_SEEDS` says how many clusters are simulated. */
export const SEEDS = Number(process.env['HEDDLE_SEEDS'] ?? 1_000)

/** @throws An error that says how to repeat the seed. */
export function runSeed(seed: number, faults: boolean, found = ''): Counts {
  try {
    return simulate({ seed, faults }).counts
  } catch (cause) {
    const again = `node dist/test/simulation/run.js --seed ${seed}${faults ? ' --faults' : ''}`
    const history = found === '' ? '' : ` (it once found: ${found})`
    throw new Error(`seed ${seed} fails${history}; repeat it with: ${again}`, { cause })
  }
}

/** Runs the seeds from `first` to `last`, and counts what happened in all of them. */
export function runSeeds(first: number, last: number, faults: boolean): Counts {
  const total = noCounts()
  for (let seed = first; seed <= last; seed++) addCounts(total, runSeed(seed, faults))
  return total
}
