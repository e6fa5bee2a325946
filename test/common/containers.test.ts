import assert from 'node:assert/strict'
import test from 'node:test'
import { Fifo } from '../../common/fifo.js'
import { Heap } from '../../common/heap.js'
import { entryOf, ownBytes, Packer, startOf } from '../../common/packed.js'
import { Rate } from '../../common/rate.js'

test('a fifo gives back what it got, in order, through many fillings and emptyings', () => {
  const fifo = new Fifo<number>()
  let next = 0
  let expected = 0
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < round * 40; i++) fifo.push(next++)
    for (let i = 0; i < round * 39; i++) assert.equal(fifo.shift(), expected++)
    assert.equal(fifo.length, next - expected)
    assert.equal(fifo.peek(), expected === next ? undefined : expected)
  }
})

test('a fifo keeps only what it is told to keep', () => {
  const fifo = new Fifo<number>()
  for (let i = 0; i < 10; i++) fifo.push(i)
  fifo.shift()

  fifo.retain((item) => item % 2 === 0)

  assert.deepEqual([...fifo], [2, 4, 6, 8])
  assert.equal(fifo.shift(), 2)
})

interface Item {
  rank: number
  readonly id: number
  heapPlace: number
}

test('a heap keeps the lowest rank on top while ranks change and items go', () => {
  const heap = new Heap<Item>((a, b) => a.rank < b.rank || (a.rank === b.rank && a.id < b.id))
  const items: Item[] = []
  for (let id = 0; id < 200; id++) {
    const item = { rank: (id * 7919) % 101, id, heapPlace: -1 }
    items.push(item)
    heap.push(item)
  }
  for (let step = 0; step < 500; step++) {
    const item = items[(step * 31) % items.length]!
    if (step % 5 === 0) heap.remove(item)
    else if (item.heapPlace >= 0) {
      item.rank = (step * 6151) % 97
      heap.update(item)
    }
    const inside = items.filter(({ heapPlace }) => heapPlace >= 0)
    const lowest = inside.reduce<Item | undefined>(
      (best, next) => (best === undefined || next.rank < best.rank ? next : best),
      undefined,
    )
    assert.equal(heap.length, inside.length)
    assert.equal(heap.peek(), lowest)
    assert.equal(heap.nearTop(5)[0], lowest)
    assert.equal(heap.nearTop(5).length, Math.min(5, inside.length))
  }
})

test('packed byte strings come back as they went in, small and large', () => {
  const packer = new Packer(1)
  const strings = [0, 1, 23, 24, 25, 5_000, 0].map((size) => new Uint8Array(size).fill(size % 251))
  for (const string of strings) packer.add(string)
  assert.equal(packer.count, strings.length)

  const packed = packer.take()

  strings.forEach((string, i) => assert.deepEqual([...entryOf(packed, i)], [...string]))
  assert.equal(startOf(packed, 3), 24)
  assert.equal(packer.count, 0)
})

test('a packer that was emptied does not touch what it gave', () => {
  const packer = new Packer()
  packer.add(Uint8Array.of(1, 2, 3))
  const first = packer.take()

  packer.add(Uint8Array.of(9, 9, 9))

  assert.deepEqual([...first.bytes], [1, 2, 3])
})

test('an emptied packer gives nothing of its own, whatever becomes of it', () => {
  const packer = new Packer()
  const { bytes } = packer.take()
  structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] })

  packer.add(Uint8Array.of(1))

  assert.deepEqual([...packer.take().bytes], [1])
  assert.deepEqual([...new Packer().take().bytes], [])
})

test('bytes made one’s own do not pin the buffer they came in', () => {
  const frame = new Uint8Array(1_000).fill(4)

  const own = ownBytes(frame.subarray(10, 20))

  assert.equal(own.buffer.byteLength, 10)
  assert.deepEqual([...own], new Array(10).fill(4))
  assert.equal(ownBytes(frame), frame)
})

test('a rate counts the last five seconds and no more', () => {
  const rate = new Rate()
  assert.equal(rate.perSecond(0), 0)
  for (let nowMs = 0; nowMs < 20_000; nowMs += 100) rate.add(10, nowMs)

  assert(Math.abs(rate.perSecond(19_900) - 100) < 11)
  assert.equal(rate.perSecond(30_000), 0)
})
