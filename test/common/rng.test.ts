/** Numbers by chance that can be had again. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { Rng } from '../../common/rng.js'

const draw = (rng: Rng, count: number): number[] => Array.from({ length: count }, () => rng.next())

test('the same seed gives the same numbers, another seed others', () => {
  assert.deepEqual(draw(new Rng(7), 100), draw(new Rng(7), 100))
  assert.notDeepEqual(draw(new Rng(7), 100), draw(new Rng(8), 100))
})

test('numbers are spread evenly, also the first ones of neighbouring seeds', () => {
  const isEven = (numbers: readonly number[]): boolean => {
    const tenths = new Array<number>(10).fill(0)
    for (const number of numbers) tenths[Math.floor(number * 10)]!++
    return tenths.every((count) => Math.abs(count - numbers.length / 10) < numbers.length / 50)
  }
  assert.ok(isEven(draw(new Rng(1), 10_000)))
  assert.ok(isEven(Array.from({ length: 10_000 }, (_, seed) => new Rng(seed).next())))
})

test('whole numbers reach both ends of their range and nothing beyond', () => {
  const rng = new Rng(3)
  const seen = new Set(Array.from({ length: 1_000 }, () => rng.integer(-1, 2)))
  assert.deepEqual(
    [...seen].sort((a, b) => a - b),
    [-1, 0, 1, 2],
  )
})

test('a shuffle keeps every item, and picks come from the list', () => {
  const rng = new Rng(4)
  const items = Array.from({ length: 50 }, (_, i) => i)
  const shuffled = rng.shuffled(items)
  assert.notDeepEqual(shuffled, items)
  assert.deepEqual(
    shuffled.sort((a, b) => a - b),
    items,
  )
  assert.ok(items.includes(rng.pick(items)!))
  assert.equal(rng.pick([]), undefined)
})

test('what a fork draws does not shift what its parent draws', () => {
  const parent = new Rng(5)
  const fork = parent.fork()
  const twin = new Rng(5)
  twin.fork()
  draw(fork, 10)
  assert.deepEqual(draw(parent, 10), draw(twin, 10))
})
