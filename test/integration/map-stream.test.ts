/** `map` over an asynchronous source, with real threads. */
import assert from 'node:assert/strict'
import { createReadStream, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { asCompleted, connect, LocalCluster } from '../../client/index.js'
import { eventually } from '../support/eventually.js'
import { TemporaryFolder } from '../support/temporary-folder.js'

const LINES = 300

test('the lines of a file go through the cluster, a few at a time', { timeout: 120_000 }, async () => {
  await using folder = await TemporaryFolder.create('lines')
  const file = path.join(folder.path, 'lines.txt')
  writeFileSync(file, Array.from({ length: LINES }, (_, n) => `${n}\n`).join(''))
  await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
  await using client = await connect(cluster)
  let read = 0
  async function* lines(): AsyncGenerator<string> {
    for await (const line of createInterface({ input: createReadStream(file) })) {
      read++
      yield line
    }
  }
  const squares = client.map((line: string) => Number(line) ** 2, lines(), { inFlight: 50 })
  const halves = client.map((square: number) => square / 2, squares, { inFlight: 20 })
  let expected = 0
  for await (const half of halves) {
    assert.equal(await half, expected ** 2 / 2)
    expected++
    // Those in flight of either stream, and what each has read ahead.
    assert.ok(read - expected <= 50 + 20 + 2, `${read} lines were read when ${expected} results had left`)
  }
  assert.equal(expected, LINES)
  assert.equal(read, LINES)
})

test('the futures of a stream are collected as they end, and a loop may be left', { timeout: 120_000 }, async () => {
  await using client = await connect('inline:')
  let isClosed = false
  async function* forever(): AsyncGenerator<number> {
    try {
      for (let n = 0; ; n++) yield await Promise.resolve(n)
    } finally {
      isClosed = true
    }
  }
  const taken = []
  for await (const future of client.map((n: number) => n + 1, forever(), { inFlight: 10 })) {
    taken.push(future)
    if (taken.length === 5) break
  }
  await eventually('the source is closed', () => isClosed)
  let sum = 0
  for await (const future of asCompleted(taken)) sum += await future
  assert.equal(sum, 15)
})

test('a task may map over a source itself: its thread runs what it waits for', { timeout: 120_000 }, async () => {
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1 })
  await using client = await connect(cluster)
  const sum = client.submit(async (count: number) => {
    const { task } = await import('heddle/task')
    async function* numbers(): AsyncGenerator<number> {
      for (let n = 1; n <= count; n++) yield await Promise.resolve(n)
    }
    const square = async (n: number): Promise<number> => {
      const { task: child } = await import('heddle/task')
      child.report(0.5)
      await new Promise((resolve) => setTimeout(resolve, 20))
      return n * n
    }
    let total = 0
    let reports = 0
    for await (const future of task.client().map(square, numbers(), { inFlight: 2 })) {
      for await (const { fraction } of future.progress) reports += fraction
      total += await future
    }
    return { total, areReported: reports > 0 }
  }, 10)
  assert.deepEqual(await sum, { total: 385, areReported: true })
})
