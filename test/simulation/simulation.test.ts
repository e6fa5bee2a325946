/**
 * Whole clusters on virtual time, each by a seed. `HEDDLE_SEEDS` says how many. A failing one is repeated by
 * `node dist/test/simulation/run.js --seed N`, with `--faults` if it had them, and joins seeds.json with the fix.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { PROJECT } from '../support/project.js'
import { simulate } from './simulation.js'
import { addCounts, noCounts, type Counts } from './world.js'

const SEEDS = Number(process.env['HEDDLE_SEEDS'] ?? 1_000)
const PARTS = 4

interface FoundSeed {
  readonly seed: number
  readonly faults: boolean
  readonly found: string
}

test('seeds that found a bug once find none any more', () => {
  const text = readFileSync(path.join(PROJECT, 'test/simulation/seeds.json'), 'utf8')
  for (const { seed, faults, found } of JSON.parse(text) as FoundSeed[]) run(seed, faults, noCounts(), found)
})

test('the same seed is the same simulation', () => {
  for (const faults of [false, true]) assert.deepEqual(simulate({ seed: 1, faults }), simulate({ seed: 1, faults }))
})

const counts = noCounts()
for (let part = 0; part < PARTS; part++) {
  const first = 1 + Math.floor((part * SEEDS) / PARTS)
  const last = Math.floor(((part + 1) * SEEDS) / PARTS)
  test(`every result is right, everything settles and nothing is left: seeds ${first} to ${last}`, () => {
    for (let seed = first; seed <= last; seed++) run(seed, false, counts)
  })
}

const faultCounts = noCounts()
test(`the same while workers die, leave and lose their connections: seeds 1 to ${Math.ceil(SEEDS / 5)}`, () => {
  for (let seed = 1; seed <= SEEDS / 5; seed++) run(seed, true, faultCounts)
})

test('simulations go where they are meant to', { skip: SEEDS < 500 }, () => {
  const { workersLost, returned, lostTasks, ...quiet } = counts
  for (const [name, count] of Object.entries(quiet)) assert.ok(count > 0, `no simulation had any ${name}`)
  assert.deepEqual({ workersLost, returned, lostTasks }, { workersLost: 0, returned: 0, lostTasks: 0 })
  assert.ok(faultCounts.workersLost > 0 && faultCounts.returned > 0 && faultCounts.missing > 0)
})

function run(seed: number, faults: boolean, total: Counts, found = ''): void {
  try {
    addCounts(total, simulate({ seed, faults }).counts)
  } catch (cause) {
    const again = `node dist/test/simulation/run.js --seed ${seed}${faults ? ' --faults' : ''}`
    throw new Error(`seed ${seed} fails${found === '' ? '' : ` (it once found: ${found})`}; repeat it with: ${again}`, { cause })
  }
}
