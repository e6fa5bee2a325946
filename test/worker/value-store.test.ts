/** The value store: what is put in comes out, and it takes little more memory than it holds. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Packer } from '../../common/packed.js'
import { arrayId, taskId, type TaskId } from '../../protocol/ids.js'
import { ValueStore } from '../../worker/value-store.js'

const KIB = 1024
const PAGE_BYTES = 64 * KIB
const id = (n: number): TaskId => taskId(arrayId(1 + Math.floor(n / 1024)), n % 1024)
/** Bytes that tell which value they are. */
const bytesOf = (n: number, size: number): Uint8Array => new Uint8Array(size).fill(n % 251)

suite('the value store', () => {
  test('gives what was put, of every size, and counts it exactly', () => {
    const store = new ValueStore()
    const sizes = [1, 23, 24, 1000, 8 * KIB, 8 * KIB + 1, 64 * KIB, 64 * KIB + 1, 3_000_000]
    sizes.forEach((size, n) => store.put(id(n), bytesOf(n, size)))
    sizes.forEach((size, n) => assert.deepEqual(store.get(id(n)), bytesOf(n, size)))
    assert.equal(store.count, sizes.length)
    assert.equal(
      store.sizeBytes,
      sizes.reduce((sum, size) => sum + size, 0),
    )
    assert.equal(store.get(id(99)), undefined)
  })

  test('keeps no part of the memory that values came in, but for large ones in shared memory', () => {
    const store = new ValueStore()
    const frame = bytesOf(7, 200 * KIB)
    store.put(id(0), frame.subarray(10, 20))
    store.put(id(1), frame.subarray(20, 20 + 50 * KIB))
    const large = new Uint8Array(new SharedArrayBuffer(100 * KIB)).fill(9)
    store.put(id(2), large)
    frame.fill(0)
    assert.deepEqual(store.get(id(0)), bytesOf(7, 10))
    assert.deepEqual(store.get(id(1)), bytesOf(7, 50 * KIB))
    assert.equal(store.get(id(1))?.buffer.byteLength, 50 * KIB)
    assert.equal(store.get(id(2))?.buffer, large.buffer)
  })

  test('puts large values into shared memory, where threads can read them', () => {
    const store = new ValueStore()
    store.put(id(0), bytesOf(0, 65 * KIB))
    assert.ok(store.get(id(0))?.buffer instanceof SharedArrayBuffer)
  })

  test('holds many values at once, and replaces one that it has', () => {
    const store = new ValueStore()
    const values = new Packer()
    for (let n = 0; n < 3; n++) values.add(bytesOf(n, [5, 9 * KIB, 70 * KIB][n]!))
    store.put(id(0), bytesOf(50, 500))
    store.putMany([id(0), id(1), id(2)], values.take())
    assert.deepEqual(store.get(id(0)), bytesOf(0, 5))
    assert.deepEqual(store.get(id(1)), bytesOf(1, 9 * KIB))
    assert.deepEqual(store.get(id(2)), bytesOf(2, 70 * KIB))
    assert.deepEqual([store.count, store.sizeBytes], [3, 5 + 79 * KIB])
  })

  test('forgets what is dropped, and leaves views on it as they were', () => {
    const store = new ValueStore()
    store.put(id(0), bytesOf(3, 100))
    const view = store.get(id(0))
    store.drop(id(0))
    store.drop(id(0))
    for (let n = 1; n < 5000; n++) store.put(id(n), bytesOf(n, 100))
    assert.equal(store.get(id(0)), undefined)
    assert.deepEqual(view, bytesOf(3, 100))
  })

  test('takes at most about twice the memory of what it holds, whatever is dropped', () => {
    const store = new ValueStore()
    const held = new Map<number, number>()
    let seed = 1
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below
    for (let n = 0; n < 60_000; n++) {
      const size = 1 + random(random(4) === 0 ? 4000 : 60)
      store.put(id(n), bytesOf(n, size))
      held.set(n, size)
      // Most are dropped soon, some stay for ever: these would pin a page each.
      const old = n - random(3000)
      if (random(50) !== 0 && held.delete(old)) store.drop(id(old))
    }
    const sizeBytes = [...held.values()].reduce((sum, size) => sum + size, 0)
    assert.deepEqual([store.count, store.sizeBytes], [held.size, sizeBytes])
    assert.ok(store.reservedBytes <= 2.3 * sizeBytes + 2 * PAGE_BYTES, `${store.reservedBytes} for ${sizeBytes}`)
    for (const [n, size] of held) assert.deepEqual(store.get(id(n)), bytesOf(n, size))
    for (const n of held.keys()) store.drop(id(n))
    assert.deepEqual([store.count, store.sizeBytes], [0, 0])
    assert.ok(store.reservedBytes <= PAGE_BYTES)
  })

  test('does not grow while a million tiny values come and go', () => {
    const store = new ValueStore()
    for (let n = 0; n < 1_000_000; n++) {
      store.put(id(n), bytesOf(n, 1))
      if (n >= 100) store.drop(id(n - 100))
    }
    assert.equal(store.count, 100)
    assert.ok(store.reservedBytes <= 3 * PAGE_BYTES)
  })
})
