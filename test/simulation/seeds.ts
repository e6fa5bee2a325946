/** Runs many seeds in tests: how many, and what a failure says. */
import { simulate } from './simulation.js'
import { addCounts, noCounts, type Counts } from './world.js'

/** `HEDDLE_SEEDS` says how many clusters are simulated. */
export const SEEDS = Number(process.env['HEDDLE_SEEDS'] ?? 1_000)

export interface Profile {
  readonly faults?: boolean
  readonly crashes?: boolean
  /** Is it as large as it was drawn, whatever the others are? See simulation.ts. */
  readonly isFull?: boolean
  /** Are some workers slow? */
  readonly isSlow?: boolean
  /** Are messages lost? */
  readonly bug?: 'loses-messages'
}

/** @throws An error that says how to repeat the seed. */
export function runSeed(seed: number, profile: Profile, found = ''): Counts {
  const { faults = false, crashes = false, isFull, isSlow, bug } = profile
  try {
    return simulate({ seed, ...profile, faults }).counts
  } catch (cause) {
    const flags = [faults && ' --faults', crashes && ' --crashes', bug !== undefined && ' --lossy']
    const drawn = [flagOf('full', isFull), flagOf('slow', isSlow)]
    const again = `node dist/test/simulation/run.js --seed ${seed}${[...flags, ...drawn].filter((flag) => flag !== false).join('')}`
    const history = found === '' ? '' : ` (it once found: ${found})`
    throw new Error(`seed ${seed} fails${history}; repeat it with: ${again}`, { cause })
  }
}

/** Says what a seed would draw by itself. */
function flagOf(name: string, is: boolean | undefined): string | false {
  return is !== undefined && ` --${is ? '' : 'no-'}${name}`
}

/** Runs the seeds from `first` to `last`, and counts what happened in all of them. */
export function runSeeds(first: number, last: number, profile: Profile): Counts {
  const total = noCounts()
  for (let seed = first; seed <= last; seed++) addCounts(total, runSeed(seed, profile))
  return total
}
