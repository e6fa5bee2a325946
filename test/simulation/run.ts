/**
 * Runs simulations from the command line, and prints the seeds of those that fail:
 * `node dist/test/simulation/run.js [--seeds 1000] [--first 1] [--seed N] [--faults] [--crashes] [--lossy] [--full]
 * [--trace]`. `--full` makes those large too that are small, as most are, and all of seeds.json are run with it.
 * `--trace` prints what each core is told (<) and asks for (>), line by line.
 */
import { parseArgs } from 'node:util'
import { simulate } from './simulation.js'
import { addCounts, noCounts } from './world.js'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    first: { type: 'string', default: '1' },
    seed: { type: 'string' },
    faults: { type: 'boolean', default: false },
    crashes: { type: 'boolean', default: false },
    lossy: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
  },
})
const { faults, crashes, full } = values
const trace = values.trace ? (line: string): void => console.log(line) : undefined
const flags = ['faults', 'crashes', 'lossy', 'full']
  .map((name) => (Reflect.get(values, name) === true ? ` --${name}` : ''))
  .join('')
const first = Number(values.seed ?? values.first)
const count = values.seed === undefined ? Number(values.seeds) : 1

const startedAtMs = performance.now()
const total = noCounts()
const failed: number[] = []
let steps = 0
let virtualMs = 0
for (let seed = first; seed < first + count; seed++) {
  try {
    const report = simulate({
      seed,
      faults,
      crashes,
      ...(values.lossy && { bug: 'loses-messages' }),
      ...(full && { isFull: true }),
      ...(trace && { trace }),
    })
    steps += report.steps
    virtualMs += report.virtualMs
    addCounts(total, report.counts)
  } catch (error) {
    failed.push(seed)
    const { message, stack } = error as Error
    console.error(`--seed ${seed}${flags}: ${values.seed === undefined ? message : stack}`)
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
