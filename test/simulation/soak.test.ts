/**
 * Twenty virtual minutes of one cluster in which nothing may grow; `node --expose-gc dist/test/simulation/run.js --soak 24` is a virtual
 * day of it, with the heap of the process.
 */
import assert from 'node:assert/strict'
import test from 'node:test'
import { checkFlat, sizesOf } from './sizes.js'
import { HOUR_MS, soak } from './soak.js'

const ROUNDS = 4
const ROUND_MS = HOUR_MS / 12

test('what scheduler, workers and clients keep does not grow under the same load', () => {
  const rounds = soak({ seed: 1, rounds: ROUNDS, roundMs: ROUND_MS })
  const { done, virtualMs } = rounds.at(-1)!
  assert.ok(virtualMs >= ROUNDS * ROUND_MS)
  assert.ok(done.submitted > 100 && done.runs > 100 && done.lost > 0 && done.cuts > 0, 'hardly anything happened')
})

test('a leak is found, and its place named', () => {
  let leaked = 0
  assert.throws(
    () =>
      soak({
        seed: 1,
        rounds: 4,
        roundMs: 60_000,
        onRound: (_round, { scheduler }) => {
          for (let i = 0; i < 8; i++) scheduler.state.awaitedWorkers.set(`gone ${++leaked}`, 1 as never)
        },
      }),
    { message: 'scheduler.awaitedWorkers grows from round to round: 0, 8, 16, 24' },
  )
})

test('sizes are those of everything that a field leads to, counted once', () => {
  const shared = new Set([1, 2])
  const sizes = sizesOf({ a: new Map([['x', shared]]), b: [shared, { inner: [[1], []] }], skipped: [1] }, ['skipped'])
  assert.deepEqual(sizes, { a: 3, b: 5 })
})

test('what grows and comes to an end is no leak', () => {
  checkFlat([1, 30, 64, 64, 64, 64].map((n) => ({ n })))
  checkFlat([3, 90, 2, 80, 110, 3].map((n) => ({ n })))
  assert.throws(() => checkFlat([10, 20, 30, 40, 50, 60].map((n) => ({ n }))), /n grows from round to round/)
})
