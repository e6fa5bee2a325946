/** Streams from real threads: in order, bounded, and stopped when nobody reads. */
import assert from 'node:assert/strict'
import { statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import { collectGarbage } from '../../common/node/garbage.js'
import { LocalCluster } from '../../deploy/local-cluster.js'
import { MAX_STREAM_CHUNKS } from '../../protocol/limits.js'
import { DurableCluster } from '../support/durable-cluster.js'
import { eventually } from '../support/eventually.js'
import { TemporaryFolder } from '../support/temporary-folder.js'

test('streams of a thread', { timeout: 180_000 }, async (t) => {
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1 })
  await using client = await connect(cluster)

  await using folder = await TemporaryFolder.create('streams')
  const made = path.join(folder.path, 'made')

  /** Each value is noted by one byte. */
  async function* counting(count: number, file: string): AsyncGenerator<number> {
    const { appendFileSync } = await import('node:fs')
    for (let i = 0; i < count; i++) {
      appendFileSync(file, '.')
      yield i
    }
  }

  for (const [kind, reader] of [
    ['of a thread', client],
    ['that takes no thread', client.with({ resources: { threads: 0 } })],
  ] as const) {
    await t.test(`ten thousand values ${kind} come in order, and never run far ahead of a slow reader`, async () => {
      writeFileSync(made, '')
      let expected = 0
      for await (const value of reader.stream(counting, 10_000, made)) {
        assert.equal(value, expected++)
        const ahead = statSync(made).size - expected
        assert.ok(ahead <= MAX_STREAM_CHUNKS + 16, `${ahead} more were made when ${value} was read`)
      }
      assert.equal(expected, 10_000)
    })
  }

  await t.test('leaving the loop runs the generator’s finally', async () => {
    const endless = client.stream(async function* () {
      try {
        for (let i = 0; ; i++) yield await Promise.resolve(i)
      } finally {
        ;(globalThis as { ended?: boolean }).ended = true
      }
    })
    for await (const value of endless) if (value === 3) break
    assert.equal(await client.submit(() => (globalThis as { ended?: boolean }).ended), true)
    await eventually('nothing runs', async () => (await client.info()).tasks.processing === 0)
  })

  await t.test('an error of the generator comes after its values', async () => {
    const failing = client.stream(function* () {
      yield 'a'
      yield 'b'
      throw new RangeError('no c')
    })
    const read: string[] = []
    await assert.rejects(
      async () => {
        for await (const value of failing) {
          await delay(5)
          read.push(value)
        }
      },
      { name: 'RangeError', message: 'no c' },
    )
    assert.deepEqual(read, ['a', 'b'])
  })

  await t.test('large values go one at a time', async () => {
    const large = client.stream(function* (count: number) {
      for (let i = 0; i < count; i++) yield new Float64Array(2 ** 20).fill(i)
    }, 4)
    let sum = 0
    for await (const values of large) sum += values[2 ** 20 - 1]!
    assert.equal(sum, 6)
  })

  await t.test('what gives no values one by one is refused', async () => {
    const wrong = client.stream((() => 7) as unknown as () => Iterable<number>)
    await assert.rejects(wrong.next(), { code: 'ERR_HEDDLE_INVALID_OPTION' })
  })

  await t.test('promises that a generator gives are awaited, and what can’t be sent fails the stream', async () => {
    const mixed = client.stream(function* () {
      yield Promise.resolve(1)
      yield Promise.resolve(() => 2)
    })
    assert.deepEqual(await mixed.next(), { done: false, value: 1 })
    await assert.rejects(mixed.next(), { name: 'NotSerializableError', path: 'values[1]' })
  })

  await t.test('a stream that nobody reads and nobody holds any more is stopped', async () => {
    const abandon = async (): Promise<void> => {
      await client.stream(counting, 1_000_000, made).next()
    }
    await abandon()
    await eventually('it stopped', async () => {
      collectGarbage()
      return (await client.info()).tasks.processing === 0
    })
  })

  await t.test('a stream whose worker dies amid it fails', async () => {
    const go = path.join(folder.path, 'go')
    const doomed = client.stream(async function* (file: string) {
      const { existsSync } = await import('node:fs')
      const { setTimeout } = await import('node:timers/promises')
      yield 1
      while (!existsSync(file)) await setTimeout(10)
      process.kill(process.pid, 'SIGKILL')
      yield 2
    }, go)
    assert.deepEqual(await doomed.next(), { done: false, value: 1 })
    writeFileSync(go, '')
    await assert.rejects(doomed.next(), { name: 'WorkerLostError' })
  })
})

test('streams of an inline cluster', { timeout: 180_000 }, async () => {
  await using client = await connect('inline:')
  const read: number[] = []
  for await (const value of client.stream(function* (count: number) {
    for (let i = 0; i < count; i++) yield i
  }, 200))
    read.push(value)
  assert.equal(read.length, 200)
})

test(
  'a stream breaks off where its scheduler was killed, and another can begin there',
  { timeout: 180_000 },
  async () => {
    await using cluster = await DurableCluster.start({ workers: 1 })
    await using client = await connect(cluster.address)
    const from = (first: number): AsyncIterableIterator<number> =>
      client.stream(async function* (start: number) {
        for (let i = start; ; i++) {
          yield i
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
      }, first)
    let next = 0
    const read = async (): Promise<void> => {
      for await (const value of from(0)) {
        assert.equal(value, next++)
        if (next === 20) await cluster.kill()
      }
    }
    await assert.rejects(read(), { code: 'ERR_HEDDLE_STREAM_BROKEN', retryable: true })
    assert.ok(next >= 20)
    await cluster.restart()
    for await (const value of from(next)) {
      assert.equal(value, next++)
      if (next >= 100) break
    }
    await eventually('neither of them runs', async () => (await client.info()).tasks.processing === 0)
  },
)
