/** A thread whose heap stays high. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { PiscinaPool } from '../../worker/piscina-pool.js'
import { HeapWatch } from '../../worker/thread/heap-watch.js'
import { eventually } from '../support/eventually.js'
import { PoolHarness, valuesOf } from './pool-harness.js'

const MIB = 2 ** 20

function watched() {
  const heap = { nowMs: 0, usedBytes: 50, garbageBytes: 0, collections: 0 }
  const watch = new HeapWatch({
    limitBytes: 1_000,
    maxBytes: 100,
    maxMs: 60_000,
    nowMs: () => heap.nowMs,
    usedBytes: () => heap.usedBytes + heap.garbageBytes,
    collect: () => {
      heap.garbageBytes = 0
      heap.collections++
    },
  })
  return { heap, watch }
}

test('a heap is high for long when it is at every look, with its garbage collected', () => {
  const { heap, watch } = watched()
  for (; heap.nowMs < 100_000; heap.nowMs += 1_000) assert.equal(watch.isHighForLong(), false)
  assert.equal(heap.collections, 0, 'nothing is collected while it is low')
  heap.usedBytes = 150
  const sinceMs = heap.nowMs
  while (!watch.isHighForLong()) heap.nowMs += 1_000
  assert.ok(heap.nowMs - sinceMs >= 60_000 && heap.nowMs - sinceMs <= 80_000)
  assert.ok(heap.collections <= 8, 'it is not collected again and again')
})

test('a heap is full when half of its limit is alive', () => {
  const { heap, watch } = watched()
  assert.deepEqual([watch.isFull(), heap.collections], [false, 0])
  heap.garbageBytes = 600
  assert.deepEqual([watch.isFull(), heap.collections], [false, 1])
  heap.usedBytes = 501
  assert.equal(watch.isFull(), true)
})

test('garbage does not make it high, and one that comes down begins anew', () => {
  const { heap, watch } = watched()
  for (; heap.nowMs < 300_000; heap.nowMs += 10_000) {
    heap.garbageBytes = 1_000
    heap.usedBytes = heap.nowMs % 50_000 === 0 ? 50 : 150
    assert.equal(watch.isHighForLong(), false)
  }
})

test('its thread is replaced behind a batch, with no outcome lost; one that tasks keep values in by intent is not', async () => {
  const heap = { limitBytes: Infinity, maxBytes: 64 * MIB, maxMs: 0 }
  await using threads = await PoolHarness.start(1, (host) => new PiscinaPool({ ...host, heap }))
  const leak = (n: number): number => {
    const left = ((globalThis as { left?: unknown[] }).left ??= [])
    for (let i = 0; i < 400_000; i++) left.push({ n, i })
    return left.length
  }
  const first = await threads.run(leak, [[1]])
  assert.deepEqual([valuesOf(first), first.end.type], [[400_000], 'replied'])
  const second = await threads.run(leak, [[2], [3], [4], [5]])
  assert.deepEqual([valuesOf(second).at(-1), second.end.type, second.culprit], [2_000_000, 'exited', undefined])
  const third = await threads.run(leak, [[6]])
  assert.deepEqual([valuesOf(third), third.end.type], [[400_000], 'replied'], 'a fresh thread knows of nothing')
  await eventually('it is told', () =>
    threads.lines.some((line) => /^warn -: This thread is replaced: its heap stays at \d+/.test(line)),
  )

  const keep = async (): Promise<void> => {
    const { task } = await import('heddle/task')
    task.local('kept', () => Array.from({ length: 4_000_000 }, (_, i) => ({ i })))
  }
  assert.equal((await threads.run(keep, [[]])).end.type, 'replied')
  assert.deepEqual(threads.errors, [])
})

test('a heap that is half full is replaced at once: each task has the other half', async () => {
  const heap = { limitBytes: 64 * MIB, maxBytes: Infinity, maxMs: 60_000 }
  await using threads = await PoolHarness.start(1, (host) => new PiscinaPool({ ...host, heap }))
  const leak = (count: number): number => {
    const left = ((globalThis as { left?: unknown[] }).left ??= [])
    for (let i = 0; i < count; i++) left.push({ i })
    return left.length
  }
  const ends: string[] = []
  const lengths: unknown[] = []
  while (ends.at(-1) !== 'exited') {
    const { end, ...batch } = await threads.run(leak, [[100_000]])
    ends.push(end.type)
    lengths.push(...valuesOf({ end, ...batch }))
  }
  assert.ok(ends.length > 1, 'a little is left alone')
  assert.deepEqual(
    lengths,
    ends.map((_, i) => (i + 1) * 100_000),
  )
  assert.deepEqual(valuesOf(await threads.run(leak, [[1]])), [1])
  assert.deepEqual(threads.errors, [])
})

test('a task that fills the heap ends its thread, and is named; what its batch did before stays', async () => {
  const heap = { limitBytes: 32 * MIB, maxBytes: Infinity, maxMs: 60_000 }
  await using threads = await PoolHarness.start(1, (host) => new PiscinaPool({ ...host, heap }))
  const grow = (n: number): number => {
    let chain: unknown
    while (n === 1) chain = [chain, new Array<number>(1_000).fill(n)]
    return n
  }
  const batch = await threads.run(grow, [[0], [1], [2]])
  assert.ok(batch.end.type === 'exited')
  assert.deepEqual([valuesOf(batch), batch.culprit, batch.end.isOutOfMemory], [[0], 1, true])
  assert.match(batch.end.reason, /^the heap of 32 MiB that its thread has was full; .*--thread-heap$/)
  assert.deepEqual(valuesOf(await threads.run(grow, [[3]])), [3])
})
