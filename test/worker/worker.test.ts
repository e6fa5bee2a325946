/** A whole worker, its core included, against a scheduler that the test plays. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { NO_LOG, type Log } from '../../common/node/log.js'
import { HeddleError, VersionMismatchError } from '../../protocol/errors.js'
import { arrayId, taskId, workerId, type TaskId } from '../../protocol/ids.js'
import { dial } from '../../protocol/transport/websocket.js'
import { ValueFetcher } from '../../protocol/transport/value-fetcher.js'
import { decodeError, decodeValue } from '../../protocol/values/decode.js'
import { resolveWorkerOptions, type GivenWorkerOptions } from '../../worker/options.js'
import { startWorker, type RunningWorker } from '../../worker/worker.js'
import { eventually } from '../support/eventually.js'
import { FakeScheduler, runTasks, SECRET, type WorkerSession } from './fake-scheduler.js'
import { Future, templateOf } from './pool-harness.js'

const tasks = (count: number, array = 1): TaskId[] => Array.from({ length: count }, (_, n) => taskId(arrayId(array), n))
const start = (given: GivenWorkerOptions, log: Log = NO_LOG): Promise<RunningWorker> =>
  startWorker(resolveWorkerOptions({ threads: 1, memoryLimitBytes: 2 ** 30, ...given }), { log, taskLog: log })

/** A log that keeps its lines. */
function keptLog(): { readonly lines: string[]; readonly log: Log } {
  const lines: string[] = []
  const keep = (level: string) => (fields: object, text: string) =>
    void lines.push(`${level} ${JSON.stringify(fields)} ${text}`)
  return { lines, log: { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') } }
}

class Scene implements AsyncDisposable {
  readonly scheduler: FakeScheduler
  readonly worker: RunningWorker
  readonly session: WorkerSession
  readonly lines: string[]

  private constructor(scheduler: FakeScheduler, worker: RunningWorker, session: WorkerSession, lines: string[]) {
    this.scheduler = scheduler
    this.worker = worker
    this.session = session
    this.lines = lines
  }

  static async begin(given: Partial<GivenWorkerOptions> = {}): Promise<Scene> {
    const scheduler = await FakeScheduler.start()
    const { log, lines } = keptLog()
    const worker = await start({ schedulerUrl: scheduler.url, ...given }, log)
    return new Scene(scheduler, worker, await scheduler.worker(1), lines)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.worker.close()
    await this.scheduler[Symbol.asyncDispose]()
  }
}

suite('a worker that joins', { timeout: 180_000 }, () => {
  test('says who it is and where it can be reached', async () => {
    await using scene = await Scene.begin({ name: 'w-1', incarnation: 'i', threads: 2 })
    const { name, incarnation, threads, memoryLimitBytes, pid, address } = scene.session.join
    assert.deepEqual(
      { name, incarnation, threads, memoryLimitBytes, pid },
      {
        name: 'w-1',
        incarnation: 'i',
        threads: 2,
        memoryLimitBytes: 2 ** 30,
        pid: process.pid,
      },
    )
    assert.match(address, /^ws:\/\/127\.0\.0\.1:\d+$/)
    assert.equal(scene.worker.address, address)
  })

  test('says the address that it was told to advertise', async () => {
    await using scene = await Scene.begin({ listen: '127.0.0.1:0', advertiseUrl: 'ws://10.1.2.3:99' })
    assert.equal(scene.session.join.address, 'ws://10.1.2.3:99')
  })

  test('keeps trying until the scheduler is up, and says so once', async () => {
    const port = await freePort()
    const { log, lines } = keptLog()
    const joining = start({ schedulerUrl: `ws://127.0.0.1:${port}` }, log)
    await eventually('it tried', () => lines.some((line) => line.includes('no scheduler yet')))
    await using scheduler = await FakeScheduler.start({ port })
    const worker = await joining
    await worker.close()
    assert.equal(scheduler.sessions.length, 1)
    assert.equal(lines.filter((line) => line.includes('no scheduler yet')).length, 1)
  })

  test('gives up when it is told to', async () => {
    const options = resolveWorkerOptions({ schedulerUrl: `ws://127.0.0.1:${await freePort()}`, threads: 1 })
    const signal = AbortSignal.abort(new Error('enough'))
    await assert.rejects(startWorker(options, { log: NO_LOG, taskLog: NO_LOG, signal }), /enough/)
  })

  test('says why it cannot, when trying again is no use', async () => {
    await using guarded = await FakeScheduler.start({ token: 'right' })
    await assert.rejects(start({ schedulerUrl: guarded.url, token: 'wrong' }), { code: 'ERR_HEDDLE_AUTHENTICATION' })
    const taken = new HeddleError('ERR_HEDDLE_NAME_IN_USE', 'A worker named "x" is already here.')
    await using full = await FakeScheduler.start({ refuse: taken })
    await assert.rejects(start({ schedulerUrl: full.url }), { code: 'ERR_HEDDLE_NAME_IN_USE', message: taken.message })
    await using newer = await FakeScheduler.start({ refuse: new VersionMismatchError('Upgrade heddle on the worker.') })
    await assert.rejects(start({ schedulerUrl: newer.url }), { code: 'ERR_HEDDLE_VERSION_MISMATCH' })
  })

  test('says so when it cannot listen where it should', async () => {
    await using scheduler = await FakeScheduler.start()
    const listen = `127.0.0.1:${scheduler.port}`
    await assert.rejects(start({ schedulerUrl: scheduler.url, listen }), { code: 'ERR_HEDDLE_PORT_IN_USE' })
  })
})

suite('a worker that runs tasks', { timeout: 180_000 }, () => {
  test('returns their results, small ones along with the news', async () => {
    await using scene = await Scene.begin()
    const { session } = scene
    const ids = tasks(500)
    session.send(
      runTasks(
        session.define((n: number) => n * n),
        ids,
        ids.map((_, n) => [n]),
      ),
    )
    const found = await session.finished(ids)
    assert.deepEqual(
      ids.map((id) => decodeValue(found.get(id)!.bytes)),
      ids.map((_, n) => n * n),
    )
  })

  test('keeps large results, and says how large they are', async () => {
    await using scene = await Scene.begin()
    const { session } = scene
    const [id] = tasks(1)
    session.send(
      runTasks(
        session.define(() => new Uint8Array(300_000)),
        [id!],
        [[]],
      ),
    )
    const { sizeBytes, bytes } = (await session.finished([id!])).get(id!)!
    assert.ok(sizeBytes >= 300_000)
    assert.equal(bytes.length, 0)
  })

  test('tells of errors, large ones too, and goes on with the other tasks', async () => {
    await using scene = await Scene.begin()
    const { session } = scene
    const ids = tasks(3)
    const run = (n: number): number => {
      if (n === 1) throw new RangeError('x'.repeat(100_000))
      return n
    }
    session.send(runTasks(session.define(run), ids, [[0], [1], [2]]))
    await session.finished([ids[0]!, ids[2]!])
    const { task, attempt, error } = await session.hear('task-failed')
    assert.deepEqual([task, attempt], [ids[1], 1])
    const thrown = decodeError(error)
    assert.ok(thrown instanceof RangeError && thrown.message.length === 100_000)
  })

  test('tells which task ended its thread, and runs its neighbours', async () => {
    await using scene = await Scene.begin()
    const { session } = scene
    const ids = tasks(3)
    const run = (n: number): number => (n === 1 ? process.exit(7) : n)
    session.send(runTasks(session.define(run), ids, [[0], [1], [2]]))
    const { task, exitCode } = await session.hear('task-exited')
    assert.deepEqual([task, exitCode], [ids[1], 7])
    await session.finished([ids[0]!, ids[2]!])
  })

  test('fails the tasks of code that is not what its name says', async () => {
    await using scene = await Scene.begin()
    const { session } = scene
    const template = session.define(() => 1)
    const source = Buffer.from('() => 2')
    const forged = {
      type: 'define-code',
      kind: 'function',
      source,
      sourceMap: undefined,
      code: 'f'.repeat(64) as never,
    } as const
    session.send(forged, templateOf({ template: 9 as never, name: 'forged', code: forged.code }))
    const [first, second] = tasks(2)
    session.send(runTasks(9 as never, [first!], [[]]), runTasks(template, [second!], [[]]))
    assert.equal((await session.hear('task-failed')).task, first)
    await session.finished([second!])
  })

  test('ends when it cannot write code to its disk, and blames no task', async () => {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'test-heddle-'))
    try {
      await using scene = await Scene.begin({ dataDir })
      const { session, worker } = scene
      for (const folder of await readdir(dataDir)) await rm(path.join(dataDir, folder), { recursive: true })
      const template = session.define(() => 1)
      session.send(runTasks(template, tasks(1), [[]]))
      await assert.rejects(worker.closed, { code: 'ENOENT' })
      assert.deepEqual(session.all('task-failed'), [])
      assert.ok(scene.lines.some((line) => line.includes('cannot write code')))
    } finally {
      await rm(dataDir, { recursive: true, force: true })
    }
  })

  test('writes what tasks print into its log', async () => {
    await using scene = await Scene.begin()
    const { session } = scene
    const [id] = tasks(1)
    session.send(
      runTasks(
        session.define(() => console.log('hello')),
        [id!],
        [[]],
        { keys: [{ place: 0, key: 'greet' }] },
      ),
    )
    await eventually('the line is there', () => scene.lines.includes('info {"task":"greet"} hello'))
  })

  test('uses its own results as inputs, and drops what it is told to', async () => {
    await using scene = await Scene.begin()
    const { session } = scene
    const [made, used, late] = tasks(3)
    const make = session.define(() => [1, 2, 3])
    const use = session.define((list: number[]) => list.length)
    session.send(runTasks(make, [made!], [[]]))
    await session.finished([made!])
    session.send(runTasks(use, [used!], [[new Future(made!)]]))
    assert.equal(decodeValue((await session.finished([used!])).get(used!)!.bytes), 3)
    session.send({ type: 'free-tasks', tasks: [made!] }, runTasks(use, [late!], [[new Future(made!)]]))
    assert.deepEqual((await session.hear('inputs-missing')).inputs, [made])
  })

  test('sends a pulse with what it measured', async () => {
    await using scene = await Scene.begin()
    const pulse = await scene.session.hear('pulse')
    assert.ok(pulse.memoryBytes > 10 * 2 ** 20)
    assert.ok(pulse.cpuSeconds > 0)
  })
})

suite('workers that exchange values', { timeout: 180_000 }, () => {
  test('fetch small and large inputs from each other', async () => {
    await using scene = await Scene.begin({ name: 'a' })
    const { scheduler, session: a } = scene
    const second = await start({ schedulerUrl: scheduler.url, name: 'b' })
    const b = await scheduler.worker(2)
    const [small, large, sum, copy] = tasks(4)
    a.send(
      runTasks(
        a.define((n: number) => new Uint8Array(n).fill(1)),
        [small!, large!],
        [[100], [3_000_000]],
      ),
    )
    const made = await a.finished([small!, large!])
    const total = b.define((...arrays: Uint8Array[]) => arrays.reduce((count, each) => count + each.length, 0))
    b.send({ type: 'peers', workers: [1], addresses: [a.join.address] })
    b.send(
      runTasks(total, [sum!, copy!], [[new Future(small!), new Future(large!)], [new Future(large!)]], {
        remoteInputs: [small!, large!],
        remoteHolders: [1, 1],
        remoteSizes: [made.get(small!)!.sizeBytes, made.get(large!)!.sizeBytes],
      }),
    )
    const found = await b.finished([sum!, copy!])
    assert.equal(decodeValue(found.get(sum!)!.bytes), 3_000_100)
    await eventually(
      'it says that it holds copies',
      () => b.all('copies-held').flatMap((each) => each.tasks).length === 2,
    )
    await second.close()
  })

  test('give nothing to those who do not know the secret', async () => {
    await using scene = await Scene.begin()
    const { session } = scene
    const [id] = tasks(1)
    session.send(
      runTasks(
        session.define(() => 'value'),
        [id!],
        [[]],
      ),
    )
    await session.finished([id!])
    assert.deepEqual(await fetchValue(scene.worker.address, id!, SECRET), 'value')
    assert.match(String(await fetchValue(scene.worker.address, id!, 'guess')), /members of its own cluster/)
    assert.match(String(await fetchValue(scene.worker.address, id!, undefined)), /members of its own cluster/)
  })

  test('ask for a relay to a peer that cannot be reached, and say when there is none', async () => {
    await using scene = await Scene.begin()
    const { session } = scene
    const [gone, id] = tasks(2)
    session.send({ type: 'peers', workers: [7], addresses: [`ws://127.0.0.1:${await freePort()}`] })
    const remote = { remoteInputs: [gone!], remoteHolders: [7], remoteSizes: [10] }
    session.send(
      runTasks(
        session.define((x: unknown) => x),
        [id!],
        [[new Future(gone!)]],
        remote,
      ),
    )
    const asked = await session.hear('open-relay')
    assert.equal(asked.holder, workerId(7))
    session.send({ type: 'relay-closed', request: asked.request, relay: 0, reason: 'There is no worker 7.' })
    const { task, inputs, holder } = await session.hear('inputs-missing')
    assert.deepEqual([task, inputs, holder], [id, [gone], workerId(7)])
  })
})

suite('a worker that loses its scheduler or leaves', { timeout: 180_000 }, () => {
  test('joins the next one, and works for it', async () => {
    const first = await FakeScheduler.start()
    const { port, url } = first
    const worker = await start({ schedulerUrl: url, name: 'same', incarnation: 'i' })
    await first[Symbol.asyncDispose]()
    await using next = await FakeScheduler.start({ port })
    const session = await next.worker(1)
    assert.deepEqual([session.join.name, session.join.incarnation], ['same', 'i'])
    assert.equal(session.join.address, worker.address)
    const ids = tasks(3)
    session.send(
      runTasks(
        session.define((n: number) => n + 1),
        ids,
        [[0], [1], [2]],
      ),
    )
    const found = await session.finished(ids)
    assert.deepEqual(
      ids.map((id) => decodeValue(found.get(id)!.bytes)),
      [1, 2, 3],
    )
    await worker.close()
  })

  test('ends with an error when the next one refuses it', async () => {
    const first = await FakeScheduler.start()
    const { port, url } = first
    const worker = await start({ schedulerUrl: url })
    await first[Symbol.asyncDispose]()
    const refuse = new HeddleError('ERR_HEDDLE_NAME_IN_USE', 'Somebody has that name now.')
    await using _next = await FakeScheduler.start({ port, refuse })
    await assert.rejects(worker.closed, { code: 'ERR_HEDDLE_NAME_IN_USE' })
  })

  test('hangs up on a scheduler that breaks the protocol, and dials again', async () => {
    await using scene = await Scene.begin()
    scene.session.send(runTasks(99 as never, tasks(1), [[]]))
    await scene.scheduler.worker(2)
    await eventually('the first connection ends', () => scene.session.closed?.code === 'ERR_HEDDLE_PROTOCOL')
  })

  test('leaves when it is asked to: ends what runs, gives back the rest, and waits for the farewell', async () => {
    await using scene = await Scene.begin()
    const { session, worker } = scene
    const ids = tasks(3)
    const slow = async (n: number): Promise<number> => {
      const { BroadcastChannel } = await import('node:worker_threads')
      const channel = new BroadcastChannel('leaving')
      const mayEnd = new Promise((resolve) => (channel.onmessage = resolve))
      console.log('It runs.')
      await mayEnd
      channel.close()
      return n
    }
    session.send(runTasks(session.define(slow), ids, [[0], [1], [2]]))
    await eventually('one runs', () => scene.lines.some((line) => line.includes('It runs.')))
    worker.leave()
    await session.hear('leaving')
    const channel = new BroadcastChannel('leaving')
    channel.postMessage('It may end.')
    channel.close()
    await eventually('every task ended or came back', () => {
      const ended = session.all('tasks-finished').flatMap((each) => each.tasks)
      const returned = session.all('tasks-returned').flatMap((each) => each.tasks)
      return ended.length + returned.length === 3
    })
    assert.ok(session.all('tasks-returned').length > 0)
    assert.equal(session.closed, undefined)
    session.send({ type: 'farewell' })
    await worker.closed
    await eventually('it closes well', () => session.closed?.code === 'closed')
  })

  test('closes at once, endless loop or not, and twice does no harm', async () => {
    await using scene = await Scene.begin()
    const { session, worker } = scene
    const forever = (): never => {
      for (;;);
    }
    session.send(runTasks(session.define(forever), tasks(1), [[]]))
    await eventually('it runs', () => session.all('pulse').some(({ running }) => running.length === 1))
    await worker.close()
    await worker.close()
    await worker.closed
  })
})

/** The value, or why there is none. */
async function fetchValue(address: string, task: TaskId, secret: string | undefined): Promise<unknown> {
  const hello = { role: 'peer', name: 'test', secret } as const
  const fetcher = new ValueFetcher({ dial: (each, signal) => dial(each, { signal }), hello })
  try {
    return await new Promise((resolve) => {
      fetcher.fetch(address, [task], {
        onValues: (_, { bytes }) => resolve(decodeValue(bytes)),
        onLargeValue: (_, value) => resolve(decodeValue(value)),
        onGone: () => resolve('gone'),
        onUnreachable: (_, reason) => resolve(reason),
      })
    })
  } finally {
    fetcher.close()
  }
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const scheduler = await FakeScheduler.start()
  const { port } = scheduler
  await scheduler[Symbol.asyncDispose]()
  return port
}
