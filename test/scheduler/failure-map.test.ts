/** Failures that say the same are one, though they were found apart. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { FailureMap } from '../../scheduler/core/tasks/failure-map.js'
import type { Failure } from '../../scheduler/core/tasks/task.js'

function failure(given: Partial<Failure> = {}): Failure {
  return { error: Uint8Array.of(1, 2), code: '', reason: '', worker: 'w', attempt: 1, culpritKey: 'k', ...given }
}

test('a failure is found by another one that says the same, and by no other', () => {
  const map = new FailureMap<string>()
  map.add(failure(), 'known')
  assert.equal(map.get(failure()), 'known')
  const others: Partial<Failure>[] = [
    { error: Uint8Array.of(1, 3) },
    { error: Uint8Array.of(1) },
    { code: 'ERR_HEDDLE_WORKER_LOST' },
    { reason: 'another' },
    { worker: 'x' },
    { attempt: 2 },
    { culpritKey: 'l' },
  ]
  for (const other of others) assert.equal(map.get(failure(other)), undefined, JSON.stringify(other))
})

test('of several failures of one task each is given up by itself', () => {
  const map = new FailureMap<number>()
  for (let attempt = 1; attempt <= 3; attempt++) map.add(failure({ attempt }), attempt)
  map.delete(failure({ attempt: 2 }))
  assert.deepEqual(
    [...map].map(({ value }) => value),
    [1, 3],
  )
  map.delete(failure({ attempt: 1 }))
  map.delete(failure({ attempt: 3 }))
  assert.deepEqual([...map], [])
})
