/**
 * Whole clusters on virtual time, each by a seed. A failing one is repeated by
 * `node dist/test/simulation/run.js --seed N`, with `--faults` or `--crashes` if it had them, and joins seeds.json with the fix.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { PROJECT } from '../support/project.js'
import { runSeed, runSeeds, SEEDS, type Profile } from './seeds.js'
import { simulate } from './simulation.js'
import { addCounts, noCounts } from './world.js'

const PARTS = 4

interface FoundSeed extends Profile {
  readonly seed: number
  /** Not where only the small one found something. */
  readonly isFull?: boolean
  /** Only where somebody had to be slow for it. */
  readonly isSlow?: boolean
  readonly found: string
}

test('seeds that found a bug once find none any more', () => {
  const text = readFileSync(path.join(PROJECT, 'test/simulation/seeds.json'), 'utf8')
  for (const { found, ...profile } of JSON.parse(text) as FoundSeed[])
    runSeed(profile.seed, { isFull: true, isSlow: false, ...profile }, found)
})

test('the same seed is the same simulation', () => {
  for (const faults of [false, true]) assert.deepEqual(simulate({ seed: 1, faults }), simulate({ seed: 1, faults }))
  const slow = { seed: 1, faults: true, isSlow: true }
  assert.deepEqual(simulate(slow), simulate(slow))
  const crashing = { seed: 1, faults: false, crashes: true }
  assert.deepEqual(simulate(crashing), simulate(crashing))
})

const counts = noCounts()
for (let part = 0; part < PARTS; part++) {
  const first = 1 + Math.floor((part * SEEDS) / PARTS)
  const last = Math.floor(((part + 1) * SEEDS) / PARTS)
  test(`every result is right, everything settles and nothing is left: seeds ${first} to ${last}`, () => {
    addCounts(counts, runSeeds(first, last, {}))
  })
}

test('simulations go where they are meant to', { skip: SEEDS < 500 }, () => {
  // What only faults lead to; and a file that is given up while it is read may be missed or not.
  // A task that is retried may need a scattered value that was let go. Seldom is a retired worker the only one for now.
  const { workersLost, lostTasks: _lost, stayed: _stayed, spillFailures, recycled, unreadable: _, ...rest } = counts
  // Seldom does one leave while a value of its is slowly on its way.
  const { cutShort: _cutShort, brokenStreams: _broken, crashes, cuts, resumed, repaired, ...expected } = rest
  for (const [name, count] of Object.entries(expected)) assert.ok(count > 0, `no simulation had any ${name}`)
  // One cluster in five has slow workers.
  assert.ok(counts.slowRuns > SEEDS && counts.slowlyServed > SEEDS / 20, 'hardly anybody was slow')
  assert.ok(counts.slowlyRelayed > SEEDS / 50, 'hardly anything came slowly by relays')
  assert.ok(counts.awaited > SEEDS && counts.slowlyPushed > SEEDS / 10, 'hardly anything slow was waited for')
  assert.ok(
    counts.extensions > SEEDS / 20 && counts.lateExtensions > SEEDS / 200,
    'hardly anything was added to a batch',
  )
  assert.deepEqual([workersLost, spillFailures, recycled, crashes, cuts, resumed, repaired], [0, 0, 0, 0, 0, 0, 0])
})
