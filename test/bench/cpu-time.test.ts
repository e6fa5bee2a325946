/** What a benchmark says of the machine that it ran on. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { machineTime, othersShare } from '../../bench/cpu-time.js'

const START = { busySeconds: 100, allSeconds: 200 }

test('what neither a benchmark nor nobody had, others had', () => {
  const end = { busySeconds: 107, allSeconds: 210 }
  assert.equal(othersShare(START, end, 3), 0.4)
  assert.equal(othersShare(START, end, 7), 0)
})

test('of no time, and where the two counts differ, nobody is said to have had less than nothing', () => {
  assert.equal(othersShare(START, START, 0), 0)
  assert.equal(othersShare(START, { busySeconds: 101, allSeconds: 202 }, 1.01), 0)
})

test('a machine is no busier than its processors are many', () => {
  const { busySeconds, allSeconds } = machineTime()
  assert.ok(busySeconds > 0 && busySeconds <= allSeconds)
})
