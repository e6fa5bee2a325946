/** Tasks that submit tasks and wait for them, in real threads. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import { LocalCluster } from '../../deploy/local-cluster.js'
import { eventually } from '../support/eventually.js'
import { sharedCluster } from '../support/shared-cluster.js'
import type * as Recursion from './programs/recursion.js'

const one = sharedCluster({ workers: 1, threadsPerWorker: 1 })
const PROGRAM = new URL('./programs/recursion.js', import.meta.url)

test('tasks that submit themselves end, ten deep, on one thread', { timeout: 120_000 }, async () => {
  await using client = await connect(await one())
  const { fib, mergeSort } = client.module<typeof Recursion>(PROGRAM)
  assert.equal(await fib(10), 55)
  const numbers = Array.from({ length: 64 }, (_, i) => (i * 37) % 64)
  assert.deepEqual(
    await mergeSort(numbers),
    [...numbers].sort((a, b) => a - b),
  )
  // Nothing of it is left.
  await eventually('all of it is let go', async () => {
    const { tasks } = await client.info()
    return tasks.processing + tasks.waiting + tasks.ready === 0 && tasks['in-memory'] <= 2
  })
})

test(
  'a parent that waits is cancelled with its children, and its code ends in order',
  { timeout: 120_000 },
  async () => {
    await using client = await connect(await one())
    const parent = client.submit(async () => {
      const { task } = await import('heddle/task')
      try {
        await task.client().submit(() => {
          while (true);
        })
      } finally {
        console.log('the parent ends')
      }
    })
    await eventually('its child runs', async () => (await client.info()).tasks.processing === 2)
    const cancelling = parent.cancel({ graceMs: 60_000 })
    await assert.rejects(Promise.resolve(parent), { name: 'AbortError' })
    // The endless child takes its thread along, and so its parent.
    assert.ok(['signal', 'thread'].includes((await cancelling).stoppedBy))
    assert.equal(await client.submit(() => 7), 7)
    assert.equal((await client.info()).tasks.processing, 0)
  },
)

test('a parent whose worker dies starts again, and its finished children do not', { timeout: 120_000 }, async () => {
  await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
  await using client = await connect(cluster)
  const parent = client.submit(async () => {
    const { task } = await import('heddle/task')
    const inTask = task.client()
    // Random, so that it shows if it was made once more.
    const random = inTask.submit(() => Math.random())
    const first = await random
    if (task.attempt > 1) return [first, await random, task.attempt]
    const { worker } = task
    await inTask.submit(
      async (other: string, value: number) => {
        const { task: inner } = await import('heddle/task')
        console.log(`${inner.worker} beside ${other}: ${value}`)
        if (inner.attempt === 1) process.kill(process.pid, 'SIGKILL')
      },
      worker,
      first,
    )
    return [first, await random, task.attempt]
  })
  const [first, again, attempt] = await parent
  assert.equal(first, again)
  assert.ok(attempt! >= 1)
})

test(
  'a task that goes on is not to blame for its thread, when that ends for another',
  { timeout: 120_000 },
  async () => {
    await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 2 })
    await using client = await connect(cluster)
    await using gate = await Gate.start()
    const parent = client.submit(async (url: string) => {
      const { task } = await import('heddle/task')
      await task
        .client()
        .with({ resources: { threads: 0 } })
        .submit(async (address: string) => void (await fetch(address)), url)
      if (task.attempt > 1) return 7
      console.log('the parent goes on')
      return await new Promise<number>(() => undefined)
    }, gate.url)
    await gate.reached
    const endless = (): Promise<void> => new Promise(() => undefined)
    // The first gets the other thread, the second that of the parent.
    const [one, two] = [client.submit(endless), client.submit(endless)]
    await eventually('they run', async () => (await client.info()).tasks.processing === 4)
    gate.open()
    await eventually('it goes on', async () => (await client.logs()).some(({ text }) => text === 'the parent goes on'))
    await client.cancel([one, two], { graceMs: 0 })
    assert.equal(await parent, 7)
  },
)

test('what a thread was lent for goes on when the thread is replaced', { timeout: 120_000 }, async () => {
  await using client = await connect(await one())
  const parent = client.submit(async () => {
    const { task } = await import('heddle/task')
    const inTask = task.client()
    if (task.attempt === 1) {
      // Its child ends the thread that the parent waits in.
      await inTask.submit(() => process.exit(3)).error()
    }
    return [await inTask.submit((x: number) => x + 1, 41), task.attempt]
  })
  assert.deepEqual(await parent, [42, 2])
})

test('a task without a thread submits tasks; any way of waiting lends a thread', { timeout: 120_000 }, async () => {
  await using client = await connect(await one())
  const shared = client.with({ resources: { threads: 0 } }).submit(async () => {
    const { task } = await import('heddle/task')
    return (await task.client().submit((x: number) => x + 1, 1)) + task.attempt
  })
  assert.equal(await shared, 3)
  const waiting = client.submit(async () => {
    const { task } = await import('heddle/task')
    const { asCompleted, wait } = await import('heddle')
    const inTask = task.client()
    let sum = 0
    for await (const each of asCompleted(inTask.map((x: number) => x * x, [1, 2, 3]))) sum += await each
    const { done } = await wait([inTask.submit(() => 1), inTask.future<number>(inTask.submit(() => 2).key)])
    return sum + done.length
  })
  assert.equal(await waiting, 16)
})

test('a parent that waits for too long has failed, and its children go', { timeout: 120_000 }, async () => {
  await using client = await connect(await one())
  const parent = client.with({ timeoutMs: 1_500 }).submit(async () => {
    const { task } = await import('heddle/task')
    await task.client().submit(() => {
      while (true);
    })
  })
  await assert.rejects(Promise.resolve(parent), { name: 'TaskTimeoutError' })
  assert.equal(await client.submit(() => 7), 7)
})

test('tasks of an inline cluster submit tasks, too', { timeout: 120_000 }, async () => {
  await using client = await connect('inline:')
  const sum = client.submit(
    async (numbers: number[]) => {
      const { task } = await import('heddle/task')
      const squares = task.client().map((x: number) => x * x, numbers)
      return (await task.client().gather(squares)).reduce((a, b) => a + b, 0)
    },
    [1, 2, 3],
  )
  assert.equal(await sum, 14)
})

test('each task knows itself, whatever runs between its steps', { timeout: 120_000 }, async () => {
  await using client = await connect(await one())
  const whoAmI = async (depth: number): Promise<string[]> => {
    const { task } = await import('heddle/task')
    const before = task.name
    const inTask = task.client()
    const below =
      depth === 0
        ? []
        : await inTask.with({ name: `level-${depth - 1}` }).submit(async (left: number) => {
            const { task: inner } = await import('heddle/task')
            const name = inner.name
            await inner.client().submit(() => undefined)
            return left >= 0 && inner.name === name ? [name] : ['lost itself']
          }, depth)
    return task.name === before ? [before, ...below] : ['lost itself']
  }
  const all = client.with({ name: 'top' }).map(whoAmI, [1, 2, 3])
  for (const names of await client.gather(all)) assert.ok(!names.includes('lost itself') && names[0] === 'top')
})

test('a task takes units of a limit as any client does, and gives them back', { timeout: 120_000 }, async () => {
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 2 })
  await using client = await connect(cluster)
  const held = await client.semaphore('db', 1).acquire()
  const late = client.submit(async () => {
    const { task } = await import('heddle/task')
    return await task
      .client()
      .semaphore('db', 1)
      .acquire({ timeoutMs: 5 })
      .then(String, (error: Error) => error.name)
  })
  assert.equal(await late, 'TimeoutError')
  const asks = client.map(
    async (n: number) => {
      const { task } = await import('heddle/task')
      const unit = await task.client().semaphore('db', 1).acquire({ timeoutMs: 60_000 })
      await unit[Symbol.asyncDispose]()
      return n
    },
    [1, 2],
  )
  await held[Symbol.asyncDispose]()
  assert.deepEqual(await client.gather(asks), [1, 2])
})

test('what concerns the cluster as a whole, or outlives the task, is refused', { timeout: 120_000 }, async () => {
  await using client = await connect('inline:')
  const codes = await client.submit(async () => {
    const { task } = await import('heddle/task')
    const inTask = task.client()
    const child = inTask.submit((x: number) => x + 1, 1)
    const code = (error: unknown): unknown => (error as { readonly code?: unknown }).code
    let detached: unknown
    try {
      inTask.fireAndForget(child)
    } catch (error) {
      detached = code(error)
    }
    const refused = [inTask.restart(), inTask.retireWorkers('absent'), inTask.logs(), inTask.dump('dump.json')]
    const others = await Promise.all(refused.map((call) => (call as Promise<unknown>).catch(code)))
    return [await child, detached, ...others]
  })
  assert.deepEqual(codes, [2, ...new Array<string>(5).fill('ERR_HEDDLE_INVALID_OPTION')])
})

/** A server that answers once it is opened, and then at once. */
class Gate implements AsyncDisposable {
  readonly reached: Promise<void>
  readonly #server: Server
  #open: () => void = () => undefined

  private constructor(server: Server) {
    this.#server = server
    const opened = new Promise<void>((resolve) => (this.#open = resolve))
    this.reached = new Promise((resolve) => {
      server.on('request', (_request, response) => {
        resolve()
        void opened.then(() => response.end())
      })
    })
  }

  static async start(): Promise<Gate> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Gate(server)
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  open(): void {
    this.#open()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
