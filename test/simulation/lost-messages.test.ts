/**
 * No message between a scheduler and its workers gets lost, unless heddle has a bug. What would come of such a bug: here, one
 * in twenty is lost on purpose, and everything is right in the end all the same.
 */
import assert from 'node:assert/strict'
import test from 'node:test'
import { runSeeds, SEEDS } from './seeds.js'

const COUNT = Math.max(10, Math.ceil(SEEDS / 50))

test(`what is lost between scheduler and workers is found and repaired: ${COUNT} seeds`, () => {
  const { repaired } = runSeeds(1, COUNT, { bug: 'loses-messages' })
  assert.ok(repaired > 0, 'nothing was lost')
})
