import assert from 'node:assert/strict'
import test from 'node:test'
import { DroppedLists } from '../../client/dropped-lists.js'

const MEGABYTE = 1_000_000

function watched(usedBytes = 50 * MEGABYTE) {
  const heap = { usedBytes, collections: 0 }
  const lists = new DroppedLists({ usedBytes: () => heap.usedBytes, collect: () => heap.collections++ })
  return { heap, lists }
}

test('after a great many tasks in lists the next list has garbage collected, and only then', () => {
  const { heap, lists } = watched()
  lists.onMade(1_000_000)
  assert.equal(heap.collections, 0, 'there is nothing that could have been dropped')

  lists.onMade(1_000)
  assert.equal(heap.collections, 1)

  for (let i = 0; i < 499; i++) lists.onMade(1_000)
  assert.equal(heap.collections, 1)
  lists.onMade(1_000)
  lists.onMade(1_000)
  assert.equal(heap.collections, 2)
})

test('lists that the engine collected by itself do not count', () => {
  const { heap, lists } = watched()
  lists.onCollected(lists.onMade(600_000))
  const first = lists.onMade(400_000)
  const second = lists.onMade(200_000)
  assert.equal(heap.collections, 0)

  lists.onMade(500_000)
  assert.equal(heap.collections, 1)

  lists.onCollected(first)
  lists.onCollected(second)
  lists.onMade(1)
  assert.equal(heap.collections, 2, 'what went with a collection is not taken from what came after it')
})

test('a large heap is collected only for as much as it takes itself', () => {
  const { heap, lists } = watched(500 * MEGABYTE)
  lists.onMade(1_500_000)
  lists.onMade(600_000)
  assert.equal(heap.collections, 0)

  lists.onMade(1)
  assert.equal(heap.collections, 1)
})
