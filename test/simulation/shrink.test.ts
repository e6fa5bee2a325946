/** A failing simulation is made small: here, of a scheduler with a bug on purpose. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { Program } from './program.js'
import { linesOf, shrink } from './shrink.js'
import { simulate } from './simulation.js'

const ENOUGH_RUNS = 150

test('a failing simulation shrinks to a few events, which fail alike when they alone happen', () => {
  const options = failing()
  const shrunk = shrink(options, ENOUGH_RUNS)
  assert.ok(shrunk !== undefined)
  const { events, before, mostTasks, error } = shrunk
  assert.ok(events.length < before && events.length > 0, `${before} events shrank to ${events.length}`)
  const only = new Set(events.map(({ name }) => name))
  assert.throws(() => simulate({ ...options, program: new Program({ only, mostTasks }) }), { message: error.message })
  const lines = linesOf(shrunk, 'run')
  assert.match(lines.at(-1)!, /^run --only [a-z0-9,/-]+( --most-tasks \d+)?$/)
  assert.equal(lines.length, events.length + 2)
})

test('what does not fail does not shrink', () => {
  assert.equal(shrink({ seed: 1, faults: false }), undefined)
})

/** The first seed of a few that finds the bug. */
function failing() {
  for (let seed = 1; ; seed++) {
    const options = { seed, faults: false, crashes: true, isFull: false, bug: 'tells-before-it-keeps' } as const
    try {
      simulate(options)
    } catch {
      return options
    }
  }
}
