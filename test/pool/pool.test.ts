/** The examples of Piscina's documentation, with one import changed; and what a pool must do besides. */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { after, before, suite, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { connect } from '../../client/connect.js'
import { Pool, type PoolOptions } from '../../client/pool.js'
import { LocalCluster } from '../../deploy/local-cluster.js'
import { eventually } from '../support/eventually.js'
import { TemporaryFolder } from '../support/temporary-folder.js'

const FILES: Readonly<Record<string, string>> = {
  'package.json': '{}',
  'worker.js': 'module.exports = ({ a, b }) => {\n  return a + b\n}\n',
  'async.js': `const { setTimeout } = require('timers/promises')
module.exports = async ({ a, b }) => {
  await setTimeout(10)
  return a + b
}
`,
  'worker.mjs': 'export default ({ a, b }) => {\n  return a + b\n}\n',
  'worker.ts': `import { scale } from './scale.js'
export const scaled = ({ a, b }: { a: number; b: number }): number => scale * (a + b)
`,
  'scale.ts': 'export const scale: number = 10\n',
  'several.js': `'use strict'
function add({ a, b }) {
  return a + b
}
function multiply({ a, b }) {
  return a * b
}
add.add = add
add.multiply = multiply
module.exports = add
`,
  'endless.js': `exports.loop = () => { while (true) {} }
exports.sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
exports.fail = () => { throw new RangeError('no such row') }
exports.size = (given) => (given.buffer ?? given).byteLength
`,
  'delayed.js': `async function initialize() {
  await new Promise((resolve) => setTimeout(resolve, 20))
  return ({ a, b }) => a + b
}
module.exports = initialize()
`,
}

suite('a pool on a cluster of two threads', () => {
  let folder: TemporaryFolder
  let cluster: LocalCluster
  before(async () => {
    folder = await TemporaryFolder.create('heddle-pool')
    for (const [name, text] of Object.entries(FILES)) {
      await mkdir(folder.path, { recursive: true })
      await writeFile(path.join(folder.path, name), text)
    }
    cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
  })
  after(async () => {
    await cluster.close()
    await folder[Symbol.asyncDispose]()
  })

  const resolve = (name: string): string => path.join(folder.path, name)
  const poolOf = (name: string, options: PoolOptions = {}): Pool =>
    new Pool({ filename: resolve(name), cluster, ...options })

  test('runs the function that a CommonJS file exports', async () => {
    const piscina = poolOf('worker.js')
    const result: unknown = await piscina.run({ a: 4, b: 6 })
    assert.equal(result, 10)
    assert.equal(piscina.completed, 1)
    await piscina.destroy()
  })

  test('runs an asynchronous function, an ES module by its URL, and TypeScript with what it imports', async () => {
    await using piscina = new Pool<{ a: number; b: number }, number>({ filename: resolve('async.js'), cluster })
    assert.equal(await piscina.run({ a: 4, b: 6 }), 10)
    const filename = pathToFileURL(resolve('worker.mjs')).href
    assert.equal(await piscina.run({ a: 1, b: 6 }, { filename }), 7)
    assert.equal(await piscina.run({ a: 1, b: 6 }, { filename: resolve('worker.ts'), name: 'scaled' }), 70)
  })

  test('runs on a client that was given, which stays open, and else on the cluster that connect() finds', async () => {
    await using client = await connect(cluster)
    const given = new Pool<{ a: number; b: number }, number>({ filename: resolve('worker.js'), client })
    assert.equal(await given.run({ a: 1, b: 2 }), 3)
    await given.destroy()
    assert.equal(await client.submit(() => 4), 4)

    const before = process.env['HEDDLE_ADDRESS']
    process.env['HEDDLE_ADDRESS'] = cluster.address
    try {
      await using found = new Pool<{ a: number; b: number }, number>({ filename: resolve('worker.js') })
      assert.equal(await found.run({ a: 3, b: 2 }), 5)
      await eventually('there are two clients', async () => (await client.info()).clients === 2)
    } finally {
      if (before === undefined) delete process.env['HEDDLE_ADDRESS']
      else process.env['HEDDLE_ADDRESS'] = before
    }
  })

  test('runs one of several named functions', async () => {
    await using piscina = poolOf('several.js')
    const both = await Promise.all([
      piscina.run({ a: 4, b: 6 }, { name: 'add' }),
      piscina.run({ a: 4, b: 6 }, { name: 'multiply' }),
    ])
    assert.deepEqual(both, [10, 24])
    await assert.rejects(piscina.run({ a: 4, b: 6 }, { name: 'divide' }), {
      code: 'ERR_HEDDLE_MODULE',
      message: /has no export "divide"; its functions are .*add, multiply/,
    })
  })

  test('waits for what a module sets up before its function is there', async () => {
    await using piscina = poolOf('delayed.js')
    assert.equal(await piscina.run({ a: 4, b: 6 }), 10)
  })

  test('a task is cancelled by an AbortSignal, before it is submitted and while it runs', async () => {
    const piscina = poolOf('endless.js', { name: 'loop' })
    const early = new AbortController()
    const task = piscina.run(undefined, { signal: early.signal })
    early.abort('too late')
    await assert.rejects(task, { name: 'AbortError', cause: 'too late' })
    await assert.rejects(piscina.run(1, { signal: AbortSignal.abort('before') }), {
      name: 'AbortError',
      cause: 'before',
    })

    await piscina.run(0, { name: 'sleep' })
    const late = new AbortController()
    const loops = [1, 2].map(() => piscina.run(undefined, { signal: late.signal }))
    late.abort()
    for (const { status, reason } of (await Promise.allSettled(loops)) as PromiseRejectedResult[]) {
      assert.equal(status, 'rejected')
      assert.equal((reason as Error).name, 'AbortError')
    }
    // Both threads are free again.
    await Promise.all([1, 2, 3].map(() => piscina.run(0, { name: 'sleep' })))
    await piscina.destroy()
  })

  test('a task is cancelled by an EventEmitter, which is left alone afterwards', async () => {
    await using piscina = poolOf('endless.js', { name: 'loop' })
    const ee = new EventEmitter()
    const task = piscina.run({ a: 4, b: 6 }, { signal: ee })
    assert.equal(ee.listenerCount('abort'), 1)
    ee.emit('abort')
    await assert.rejects(task, { name: 'AbortError' })
    await piscina.run(0, { name: 'sleep', signal: ee })
    assert.equal(ee.listenerCount('abort'), 0)
  })

  test('a stream feeds a pool no faster than its queue empties', async () => {
    await using client = await connect(cluster)
    const pool = new Pool({ filename: resolve('worker.js'), client, maxQueue: 'auto' })
    await pool.run({ a: 0, b: 0 }) // It has counted the threads by then.
    const results: Promise<unknown>[] = []
    const stream = Readable.from(Array.from({ length: 40 }, (_, i) => ({ a: i, b: 1 })))
    let pauses = 0
    let highest = 0
    pool.on('drain', () => {
      if (stream.isPaused()) stream.resume()
    })
    stream.on('data', (data: number) => {
      results.push(pool.run(data))
      highest = Math.max(highest, pool.queueSize)
      if (pool.queueSize < pool.options.maxQueue) return
      pauses++
      stream.pause()
    })
    await once(stream, 'end')
    const sums = (await Promise.all(results)) as number[]
    assert.deepEqual(sums.slice(0, 3), [1, 2, 3])
    assert.equal(sums.length, 40)
    assert.ok(pauses > 0)
    assert.ok(highest <= pool.options.maxQueue)
    assert.equal(pool.queueSize, 0)
    assert.equal(pool.needsDrain, false)
    await pool.destroy()
    // The client was given, and stays.
    assert.equal(await client.submit(() => 1), 1)
  })

  test('more tasks than may wait are refused, and may be tried again', async () => {
    await using client = await connect(cluster)
    const pool = new Pool({ filename: resolve('endless.js'), name: 'sleep', client, maxQueue: 1 })
    await pool.run(0) // It has asked for the count of threads before.
    const running = [1, 2, 3].map(() => pool.run(20))
    assert.equal(pool.queueSize, 1)
    await assert.rejects(pool.run(1), { code: 'ERR_HEDDLE_QUEUE_FULL', retryable: true })
    await once(pool, 'drain')
    assert.equal(await pool.run(1), undefined)
    await Promise.all(running)
    await pool.close()
  })

  test('buffers of the transfer list are detached at the caller, and arrive whole', async () => {
    await using client = await connect(cluster)
    await using pool = new Pool({ filename: resolve('endless.js'), name: 'size', client })
    const bytes = new Uint8Array(100_000)
    const size = pool.run(bytes, { transferList: [bytes.buffer] })
    assert.equal(bytes.byteLength, 0)
    assert.equal(await size, 100_000)
    const shared = new SharedArrayBuffer(8) as unknown as ArrayBuffer
    await assert.rejects(pool.run(shared, { transferList: [shared] }), /only an ArrayBuffer can move/)
    const kept = new ArrayBuffer(16)
    await assert.rejects(
      pool.run(() => kept, { transferList: [kept] }),
      { code: 'ERR_HEDDLE_NOT_SERIALIZABLE' },
    )
    assert.equal(kept.byteLength, 16)
  })

  test('the error of a task is thrown as itself', async () => {
    await using pool = poolOf('endless.js')
    await assert.rejects(pool.run(0, { name: 'fail' }), { name: 'RangeError', message: 'no such row' })
    assert.equal(pool.completed, 1)
  })

  test('close waits for all tasks, destroy stops them, and then there are no more', async () => {
    const closing = poolOf('endless.js', { name: 'sleep' })
    const slow = closing.run(50)
    let closed = 0
    closing.on('close', () => closed++)
    await closing.close()
    assert.equal(await slow, undefined)
    assert.equal(closed, 1)
    await assert.rejects(closing.run(1), { code: 'ERR_HEDDLE_CLOSED' })

    const pool = poolOf('endless.js', { name: 'loop' })
    await pool.run(0, { name: 'sleep' })
    const loops = [1, 2, 3].map(() => pool.run(0))
    const settled = Promise.allSettled(loops)
    await pool.destroy()
    for (const { status, reason } of (await settled) as PromiseRejectedResult[]) {
      assert.equal(status, 'rejected')
      assert.equal((reason as Error).name, 'AbortError')
      assert.equal(((reason as Error).cause as { code?: string }).code, 'ERR_HEDDLE_CLOSED')
    }
    await pool.destroy()
    const unused = poolOf('worker.js')
    await unused.destroy()
  })
})

test('options that only threads of one process can have are refused, each with what to do', () => {
  const wrong = (options: object): string => {
    try {
      void new Pool(options)
    } catch (error) {
      return (error as Error).message
    }
    return 'it was taken'
  }
  assert.match(wrong({ maxThreads: 4 }), /no option "maxThreads"; leave it out: threads belong to the cluster/)
  assert.match(wrong({ workerData: 4 }), /client\.scatter/)
  assert.match(wrong({ filenam: '/a.js' }), /did you mean "filename"/)
  assert.match(wrong({ maxQueue: 'many' }), /give a number from 0 up, or "auto"/)
  assert.match(wrong({ filename: 4 }), /give an absolute path/)
  assert.match(wrong({ client: {} }), /what connect\(\) resolves to/)
})

test('a pool that can’t connect says so by its run, or by its event', async () => {
  const cluster = { address: 'ws://127.0.0.1:1' }
  const pool = new Pool({ filename: '/a.js', cluster })
  await assert.rejects(pool.run(1), { code: 'ERR_HEDDLE_SCHEDULER_UNREACHABLE' })
  await assert.rejects(pool.run(1), { code: 'ERR_HEDDLE_SCHEDULER_UNREACHABLE' })
  await pool.destroy()
  const [error] = (await once(new Pool({ cluster }), 'never').catch((reason: unknown) => [reason])) as [Error]
  assert.equal((error as Error & { code: string }).code, 'ERR_HEDDLE_SCHEDULER_UNREACHABLE')
})
