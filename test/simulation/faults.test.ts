/** Whole clusters on virtual time whose workers die, leave, lose their connections and can't reach each other. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { runSeeds, SEEDS } from './seeds.js'

const COUNT = Math.ceil(SEEDS / 4)

test(`with faults too every result is right, everything settles and nothing is left: ${COUNT} seeds`, () => {
  const counts = runSeeds(1, COUNT, { faults: true })
  const { workersLost, returned, missing, spillFailures, unreadable, slowlyServed, cutShort } = counts
  if (SEEDS >= 500) assert.ok(workersLost > 0 && returned > 0 && missing > 0, 'there were no faults')
  if (SEEDS >= 500) assert.ok(spillFailures > 0 && unreadable > 0, 'no disk failed')
  if (SEEDS >= 500)
    assert.ok(slowlyServed > COUNT / 20 && cutShort > 0, 'no holder went while its values were slowly on their way')
})
