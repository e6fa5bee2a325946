/**
 * Runs simulations from the command line, and prints the seeds of those that fail:
 * `node dist/test/simulation/run.js [--seeds 1000] [--first 1] [--seed N] [--faults] [--crashes] [--lossy] [--full] [--slow]
 * [--trace]`, or `node --expose-gc dist/test/simulation/run.js --soak HOURS [--first 1]`. `--full` makes those large too that are
 * small, as most are, and all of seeds.json are run with it. `--slow` gives all of them slow workers, which one in five has, and
 * `--no-slow` none; as those of seeds.json are run that do not say `isSlow`.
 * `--shrink` makes each failing one small, and prints what is left of it and the command that repeats that; with `--only` and
 * `--most-tasks`, nothing else happens.
 * `--trace` prints what each core is told (<) and asks for (>), line by line. `--soak` is one cluster for so many hours of
 * virtual time: what it keeps is printed each hour, and must not grow.
 */
import { parseArgs } from 'node:util'
import { Program } from './program.js'
import { linesOf, shrink } from './shrink.js'
import { simulate, type SimulationOptions } from './simulation.js'
import { HOUR_MS, soak, type Round } from './soak.js'
import { addCounts, noCounts } from './world.js'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    first: { type: 'string', default: '1' },
    seed: { type: 'string' },
    faults: { type: 'boolean', default: false },
    crashes: { type: 'boolean', default: false },
    lossy: { type: 'boolean', default: false },
    full: { type: 'boolean' },
    slow: { type: 'boolean' },
    trace: { type: 'boolean', default: false },
    soak: { type: 'string' },
    shrink: { type: 'boolean', default: false },
    only: { type: 'string' },
    'most-tasks': { type: 'string' },
  },
  allowNegative: true,
})
const { faults, crashes, lossy, full, slow } = values
const trace = values.trace ? (line: string): void => console.log(line) : undefined
const flags = ['faults', 'crashes', 'lossy', 'full', 'slow'].map(flagOf).join('')
const first = Number(values.seed ?? values.first)
if (values.soak !== undefined) {
  runSoak(Number(values.soak))
  process.exit()
}
const count = values.seed === undefined ? Number(values.seeds) : 1

const startedAtMs = performance.now()
const total = noCounts()
const failed: number[] = []
let steps = 0
let virtualMs = 0
for (let seed = first; seed < first + count; seed++) {
  const program = drawnProgram()
  try {
    const report = simulate({ ...optionsOf(seed), ...(trace && { trace }), ...(program && { program }) })
    steps += report.steps
    virtualMs += report.virtualMs
    addCounts(total, report.counts)
  } catch (error) {
    failed.push(seed)
    const { message, stack } = error as Error
    console.error(`--seed ${seed}${flags}: ${values.seed === undefined ? message : stack}`)
    if (values.shrink) printShrunk(seed)
  }
}
const seconds = (performance.now() - startedAtMs) / 1_000
console.log(`${count} seeds, ${steps} steps in ${seconds.toFixed(1)} s, ${failed.length} failed`)
const virtualHours = virtualMs / 3_600_000
console.log(
  `${((1_000 * seconds) / count).toFixed(1)} ms a seed, ${((60 * virtualHours) / seconds).toFixed(1)} virtual hours a minute`,
)
console.log(
  Object.entries(total)
    .map(([name, value]) => `${name} ${value}`)
    .join(', '),
)
process.exitCode = failed.length === 0 ? 0 : 1

function optionsOf(seed: number): SimulationOptions {
  const drawn = { ...(full !== undefined && { isFull: full }), ...(slow !== undefined && { isSlow: slow }) }
  return { seed, faults, crashes, ...(lossy && { bug: 'loses-messages' }), ...drawn }
}

function flagOf(name: string): string {
  const value: unknown = Reflect.get(values, name)
  if (name === 'full' || name === 'slow') return value === undefined ? '' : ` --${value === true ? '' : 'no-'}${name}`
  return value === true ? ` --${name}` : ''
}

function drawnProgram(): Program | undefined {
  const { only, 'most-tasks': mostTasks } = values
  if (only === undefined && mostTasks === undefined) return undefined
  return new Program({
    ...(only !== undefined && { only: new Set(only.split(',')) }),
    ...(mostTasks !== undefined && { mostTasks: Number(mostTasks) }),
  })
}

function printShrunk(seed: number): void {
  const shrunk = shrink(optionsOf(seed))
  if (shrunk === undefined) return
  console.error(linesOf(shrunk, `node dist/test/simulation/run.js --seed ${seed}${flags}`).join('\n'))
}

/** Prints what is kept each hour, by those who keep it. Without `--expose-gc` nothing is said of the heap. */
function runSoak(hours: number): void {
  const beganAtMs = performance.now()
  let before: Round['done'] = { submitted: 0, runs: 0, lost: 0, cuts: 0 }
  const onRound = ({ virtualMs, done, most, kept }: Round): void => {
    const { submitted, runs, lost, cuts } = done
    const parts = Object.entries(kept).map(([name, size]) => (size > 0 ? `, ${name} ${size}` : ''))
    const amid = Object.entries(most).map(([who, size]) => `${who} ${size}`)
    console.log(
      `${(virtualMs / HOUR_MS).toFixed(1)} h: ${submitted - before.submitted} tasks, ${runs - before.runs} runs, ` +
        `${lost - before.lost} workers struck, ${cuts - before.cuts} clients cut off; records amid that at most: ` +
        `${amid.join(', ')}; kept after it: ${parts.join('').slice(2)}`,
    )
    before = done
  }
  const rounds = soak({ seed: first, rounds: hours, roundMs: HOUR_MS, onRound, trace })
  const { virtualMs, steps } = rounds.at(-1)!
  const seconds = (performance.now() - beganAtMs) / 1_000
  console.log(
    `${(virtualMs / HOUR_MS).toFixed(1)} virtual hours, ${steps} steps in ${seconds.toFixed(1)} s, nothing grew`,
  )
}
