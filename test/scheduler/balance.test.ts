/** Values move until workers hold about equally much. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { Rng } from '../../common/rng.js'
import { planBalance } from '../../scheduler/core/data/balance.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

const LARGE_BYTES = 10_000_000

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/** What each holds after the plan was carried out. */
function after(parts: readonly (readonly number[])[]): number[] {
  const bytes = parts.map(sum)
  for (const { value, from, to } of planBalance(parts.map((movable) => ({ sizeBytes: sum(movable), movable })))) {
    bytes[from]! -= parts[from]![value]!
    bytes[to]! += parts[to] === undefined ? 0 : parts[from]![value]!
  }
  return bytes
}

test('equal values spread evenly, and what is even is left alone', () => {
  assert.deepEqual(after([[1, 1, 1, 1, 1, 1, 1, 1], [], [], []]), [2, 2, 2, 2])
  assert.deepEqual(
    planBalance([
      { sizeBytes: 4, movable: [2, 2] },
      { sizeBytes: 4, movable: [4] },
    ]),
    [],
  )
  assert.deepEqual(
    planBalance([
      { sizeBytes: 9, movable: [9] },
      { sizeBytes: 0, movable: [] },
    ]),
    [],
  )
  assert.deepEqual(planBalance([]), [])
})

test('no worker ends with more than the fullest had, none gets more than it gives, and no value moves twice', () => {
  const rng = new Rng(1)
  for (let round = 0; round < 200; round++) {
    const parts = Array.from({ length: rng.integer(1, 8) }, () =>
      Array.from({ length: rng.integer(0, 20) }, () => rng.integer(1, rng.pick([10, 1_000])!)),
    )
    const moves = planBalance(parts.map((movable) => ({ sizeBytes: sum(movable), movable })))
    const names = moves.map(({ from, value }) => `${from} ${value}`)
    assert.equal(new Set(names).size, names.length)
    const before = parts.map(sum)
    const now = after(parts)
    assert.equal(sum(now), sum(before))
    assert.ok(Math.max(...now) <= Math.max(...before))
    assert.ok(Math.max(...now) - Math.min(...now) <= Math.max(...before) - Math.min(...before))
  }
})

test('a new worker gets half of what one held: copies first, and then they are freed', () => {
  const scheduler = new SchedulerHarness()
  const full = scheduler.worker()
  const client = scheduler.client()
  const values = client.map(client.define(), 4)
  for (let sent = full.takeTasks(); sent.length > 0; sent = full.takeTasks())
    full.finish(sent, { sizeBytes: LARGE_BYTES })
  const empty = scheduler.worker()
  scheduler.skip()
  client.send({ type: 'rebalance', request: 3 })
  const { tasks, holders } = empty.take('fetch-copies')
  assert.equal(tasks.length, 2)
  assert.deepEqual(new Set(holders), new Set([full.id]))
  assert.deepEqual(full.unread, [])
  assert.deepEqual(client.unread, [])

  empty.send({ type: 'copies-held', tasks, sizes: tasks.map(() => LARGE_BYTES) })
  assert.deepEqual(full.take('free-tasks').tasks.toSorted(), [...tasks].sort())
  assert.deepEqual(client.take('rebalanced'), {
    type: 'rebalanced',
    request: 3,
    values: 2,
    sizeBytes: 2 * LARGE_BYTES,
  })
  client.send({ type: 'who-has', request: 4, tasks: values })
  const names = client.take('held-by').workers.flat()
  assert.equal(names.filter((name) => name === empty.join.name).length, 2)
  assert.equal(names.length, 4)
})

test('who asks meanwhile joins, and a value that nobody can get stays', () => {
  const scheduler = new SchedulerHarness()
  const full = scheduler.worker()
  const client = scheduler.client()
  const other = scheduler.client()
  client.map(client.define(), 2)
  for (let sent = full.takeTasks(); sent.length > 0; sent = full.takeTasks())
    full.finish(sent, { sizeBytes: LARGE_BYTES })
  const empty = scheduler.worker()
  scheduler.skip()
  client.send({ type: 'rebalance', request: 1 })
  other.send({ type: 'rebalance', request: 2 })
  const { tasks } = empty.take('fetch-copies')
  for (let tries = 0; tries < 3; tries++) {
    empty.send({ type: 'copies-missing', tasks })
    empty.pulse()
  }
  assert.equal(client.take('rebalanced').values, 0)
  assert.equal(other.take('rebalanced').request, 2)
  assert.ok(!full.unread.includes('free-tasks'))
})

test('what a task is about to read stays where it is', () => {
  const scheduler = new SchedulerHarness()
  const full = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const values = client.map(f, 2)
  for (let sent = full.takeTasks(); sent.length > 0; sent = full.takeTasks())
    full.finish(sent, { sizeBytes: LARGE_BYTES })
  client.submit(f, [{ inputs: values }])
  full.takeTasks()
  scheduler.worker()
  scheduler.skip()
  client.send({ type: 'rebalance', request: 1 })
  assert.equal(client.take('rebalanced').values, 0)
})
