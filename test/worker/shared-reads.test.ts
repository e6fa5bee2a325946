import assert from 'node:assert/strict'
import test from 'node:test'
import { SharedReads } from '../../worker/shared-reads.js'

/** Reads that end when a test says so. */
class Disk {
  readonly reading: number[] = []
  readonly #ends = new Map<number, (broken?: Error) => void>()

  read = (file: number): Promise<Uint8Array> => {
    this.reading.push(file)
    return new Promise((resolve, reject) =>
      this.#ends.set(file, (broken) => (broken === undefined ? resolve(Uint8Array.of(file)) : reject(broken))),
    )
  }

  end(file: number, broken?: Error): void {
    this.#ends.get(file)!(broken)
  }
}

/** Lets promises that are settled be heard of. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('only so many bytes are out at once, and the first to come is the first to be served', async () => {
  const disk = new Disk()
  const reads = new SharedReads({ maxBytes: 10, read: disk.read })
  const loans = [reads.lend(1, 6), reads.lend(2, 6), reads.lend(3, 1)]
  await turn()
  assert.deepEqual([disk.reading, reads.lentBytes], [[1], 6])
  disk.end(1)
  const first = await loans[0]!
  first.done()
  await turn()
  assert.deepEqual([disk.reading, reads.lentBytes], [[1, 2, 3], 7])
  disk.end(2)
  disk.end(3)
  for (const loan of loans.slice(1)) (await loan).done()
  assert.equal(reads.lentBytes, 0)
})

test('a value that is larger than all that may be out comes alone', async () => {
  const disk = new Disk()
  const reads = new SharedReads({ maxBytes: 10, read: disk.read })
  const large = reads.lend(1, 50)
  const small = reads.lend(2, 1)
  await turn()
  assert.deepEqual(disk.reading, [1])
  disk.end(1)
  ;(await large).done()
  await turn()
  assert.deepEqual(disk.reading, [1, 2])
  disk.end(2)
  ;(await small).done()
})

test('who comes while a value is read or sent shares it, and all hear when it cannot be read', async () => {
  const disk = new Disk()
  const reads = new SharedReads({ maxBytes: 10, read: disk.read })
  const [one, two] = [reads.lend(1, 6), reads.lend(1, 6)]
  await turn()
  disk.end(1)
  const first = await one
  first.done()
  assert.equal((await reads.lend(1, 6)).bytes, first.bytes)
  assert.equal((await two).bytes, first.bytes)
  assert.deepEqual([disk.reading, reads.lentBytes], [[1], 6])

  const broken = [reads.lend(2, 1), reads.lend(2, 1)]
  await turn()
  disk.end(2, new Error('broken'))
  for (const each of broken) await assert.rejects(each, /broken/)
  assert.equal(reads.lentBytes, 6)
})
