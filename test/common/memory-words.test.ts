import assert from 'node:assert/strict'
import test from 'node:test'
import { describeMemory, describeValues, type WorkerMemory } from '../../common/memory-words.js'

const GIB = 2 ** 30
const idle: WorkerMemory = {
  memoryBytes: GIB,
  memoryLimitBytes: 4 * GIB,
  storedCount: 3,
  storedBytes: 2 * GIB,
  spilledBytes: 0,
  pausedBy: '',
  isDiskFull: false,
}

test('memory is told with why a worker is paused, and values with what is on disk', () => {
  assert.deepEqual([describeMemory(idle), describeValues(idle)], ['1 GiB of 4 GiB', '3, 2 GiB'])
  const full: WorkerMemory = { ...idle, pausedBy: 'values', isDiskFull: true, spilledBytes: GIB }
  assert.equal(describeMemory(full), '1 GiB of 4 GiB, paused: full of values, disk full')
  assert.equal(describeValues(full), '3, 2 GiB, 1 GiB of it on disk')
  assert.equal(describeMemory({ ...idle, pausedBy: 'process' }), '1 GiB of 4 GiB, paused: full of what tasks use')
})
