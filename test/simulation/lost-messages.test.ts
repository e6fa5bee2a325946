/**
 * No message between a scheduler and its workers gets lost, unless heddle has a bug. What would come of such a bug: here, one
 * in twenty is lost on purpose, and everything is right in the end all the same.
 */
import assert from 'node:assert/strict'
import test from 'node:test'
import { SEEDS } from './seeds.js'
import { simulate } from './simulation.js'

const COUNT = Math.max(10, Math.ceil(SEEDS / 50))

test(`what is lost between scheduler and workers is found and repaired: ${COUNT} seeds`, () => {
  let repaired = 0
  for (let seed = 1; seed <= COUNT; seed++) {
    try {
      repaired += simulate({ seed, faults: false, bug: 'loses-messages' }).counts.repaired
    } catch (cause) {
      throw new Error(`seed ${seed} fails; repeat it with: node dist/test/simulation/run.js --seed ${seed} --lossy`, {
        cause,
      })
    }
  }
  assert.ok(repaired > 0, 'nothing was lost')
})
