/** The simulator finds bugs: each of these is made on purpose, and a few seeds are enough to see it. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { simulate, type Bug } from './simulation.js'

const BUGS: readonly Bug[] = ['tells-before-it-keeps', 'leaves-out-the-last-frame', 'overtakes', 'keeps-units']
const ENOUGH_SEEDS = 300

for (const bug of BUGS) {
  test(`a bug is found: a scheduler that ${bug.replaceAll('-', ' ')}`, () => {
    const seeds = Array.from({ length: ENOUGH_SEEDS }, (_, i) => i + 1)
    const found = seeds.find((seed) => {
      try {
        simulate({ seed, faults: bug === 'keeps-units', crashes: bug !== 'keeps-units', bug })
        return false
      } catch {
        return true
      }
    })
    assert.ok(found !== undefined, `${ENOUGH_SEEDS} seeds saw nothing wrong`)
  })
}
