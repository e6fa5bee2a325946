import assert from 'node:assert/strict'
import test from 'node:test'
import { RestartPolicy } from '../../common/restart-policy.js'

test('a process that worked for a while is started again at once, every time', () => {
  const policy = new RestartPolicy()
  for (let i = 0; i < 20; i++) assert.equal(policy.delayAfter({ ranForMs: 60_000, wasReady: true }), 0)
})

test('one that dies soon after it was ready waits longer and longer, and is never given up', () => {
  const policy = new RestartPolicy()
  const delays = Array.from({ length: 9 }, () => policy.delayAfter({ ranForMs: 50, wasReady: true }))
  assert.deepEqual(delays, [0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
})

test('one that was never ready is given up', () => {
  const policy = new RestartPolicy()
  const delays = Array.from({ length: 5 }, () => policy.delayAfter({ ranForMs: 50, wasReady: false }))
  assert.deepEqual(delays, [0, 100, 200, 400, undefined])
})
