/** Whole clusters on virtual time whose scheduler dies and comes back with its journal, and whose clients lose connections. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { runSeeds, SEEDS } from './seeds.js'

const COUNT = Math.ceil(SEEDS / 4)

test(`whatever the scheduler forgets when it dies, nothing is lost: ${COUNT} seeds`, () => {
  const { crashes, cuts, resumed, nested } = runSeeds(1, COUNT, { crashes: true })
  if (SEEDS >= 500) assert.ok(crashes > COUNT && cuts > COUNT && resumed > COUNT, 'hardly anything broke')
  if (SEEDS >= 500) assert.ok(nested > COUNT, 'hardly any task waited for tasks of its own')
})

const BOTH_COUNT = Math.ceil(SEEDS / 10)

test(`workers die and so does the scheduler, and every result is right: ${BOTH_COUNT} seeds`, () => {
  const { crashes, workersLost } = runSeeds(1, BOTH_COUNT, { faults: true, crashes: true })
  if (SEEDS >= 500) assert.ok(crashes > 0 && workersLost > 0, 'hardly anything broke')
})
