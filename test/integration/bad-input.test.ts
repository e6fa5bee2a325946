import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Client } from '../../client/client.js'
import { connect } from '../../client/connect.js'
import { LocalCluster } from '../../deploy/local-cluster.js'
import {
  FunctionNotPortableError,
  HeddleError,
  NotSerializableError,
  SchedulerUnreachableError,
  VersionMismatchError,
} from '../../protocol/errors.js'
import { schedulerToWorker, workerToScheduler } from '../../protocol/messages/worker.js'
import { connectTo } from '../../protocol/transport/handshake.js'
import { dial } from '../../protocol/transport/websocket.js'
import { startSchedulerCommand } from '../cli/command.js'

let cluster: LocalCluster
let client: Client
let folder: string

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'heddle-test-'))
  cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
  client = await connect(cluster)
})
after(async () => {
  await client.close()
  await cluster.close()
  await rm(folder, { recursive: true })
})

/** One sentence: it ends with a full stop, and says something. */
function assertSentence(error: Error): void {
  assert.match(error.message, /^[^\n]{20,}\.$/)
}

/** Whatever happened, both workers still work. */
async function assertClusterGoesOn(): Promise<void> {
  assert.deepEqual(await client.gather(client.map((x: number) => x * 2, [1, 2, 3, 4])), [2, 4, 6, 8])
  assert.equal((await client.info()).workers.length, 2)
}

async function rejection(promise: PromiseLike<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not fail')
}

test('a function that needs its surroundings is refused at once, by the name it needs', async () => {
  const factor = 3
  assert.throws(
    () => client.submit((x: number) => x * factor, 1),
    (error: Error) => {
      assert.ok(error instanceof FunctionNotPortableError)
      assert.match(error.message, /factor/)
      assert.match(error.message, /argument.*import.*module/s)
      return true
    },
  )
  await assertClusterGoesOn()
})

test('an argument that cannot travel is refused at once, by its path', async () => {
  assert.throws(
    () => client.submit((x: { readonly rows: readonly unknown[] }) => x.rows.length, { rows: [1, () => 2] }),
    (error: Error) => {
      assert.ok(error instanceof NotSerializableError)
      assert.equal(error.path, 'args[0].rows[1]')
      assertSentence(error)
      return true
    },
  )
  await assertClusterGoesOn()
})

test('a result that cannot travel fails its task, by its path', async () => {
  const error = await rejection(client.submit(() => ({ found: { next: () => 1 } }) as unknown))
  assert.ok(error instanceof NotSerializableError)
  assert.equal(error.path, 'result.found.next')
  await assertClusterGoesOn()
})

test('a task that throws a string throws that string', async () => {
  const thrown: unknown = await client
    .submit(() => {
      throw 'no such row'
    })
    .then(
      () => 'nothing',
      (error: unknown) => error,
    )
  assert.equal(thrown, 'no such row')
  await assertClusterGoesOn()
})

test('a task’s own error is thrown as itself, with where it ran and where it was submitted', async () => {
  const error = await rejection(
    client.submit(function parse(text: string): never {
      throw Object.assign(new RangeError(`bad row ${text}`), { row: 7 })
    }, 'x'),
  )
  assert.ok(error instanceof RangeError)
  assert.equal(error.message, 'bad row x')
  const { row, taskKey, worker, attempt } = error as RangeError & Record<string, unknown>
  assert.equal(row, 7)
  assert.match(String(taskKey), /^parse-/)
  assert.match(String(worker), /^local/)
  assert.equal(attempt, 1)
  assert.match(String(error.stack), /at parse/)
  assert.match(String(error.stack), /bad-input\.test/)
  await assertClusterGoesOn()
})

test('a task that ends its process ends only its thread, and fails with the exit code', async () => {
  const error = await rejection(client.submit(() => process.exit(3)))
  assert.ok(error instanceof HeddleError)
  assert.equal(error.code, 'ERR_HEDDLE_TASK_EXITED')
  assert.match(error.message, /3/)
  await assertClusterGoesOn()
})

test('a task can’t abort the process: Node lets no thread do that', async () => {
  const error = await rejection(client.submit(() => process.abort()))
  assert.equal((error as NodeJS.ErrnoException).code, 'ERR_WORKER_UNSUPPORTED_OPERATION')
  await assertClusterGoesOn()
})

test('a module that does not compile is refused with file, line and what is wrong', async () => {
  const file = path.join(folder, 'broken.ts')
  await writeFile(file, 'export const ok = 1\nexport function broken( {\n')
  const module = client.module<{ broken: () => number }>(pathToFileURL(file))
  const error = await rejection(client.submit(module.broken))
  assert.ok(error instanceof HeddleError)
  assert.equal(error.code, 'ERR_HEDDLE_MODULE')
  assert.match(error.message, /broken\.ts:\d+:\d+/)
  await assertClusterGoesOn()
})

test('a module without such an export says what it has', async () => {
  const file = path.join(folder, 'small.ts')
  await writeFile(file, 'export const double = (x: number): number => x * 2\n')
  const module = client.module<{ double: (x: number) => number; triple: (x: number) => number }>(pathToFileURL(file))
  assert.equal(await client.submit(module.double, 4), 8)
  const error = await rejection(client.submit(module.triple, 4))
  assert.match(error.message, /triple/)
  assert.match(error.message, /double/)
  await assertClusterGoesOn()
})

test('a worker with another protocol version is told both versions and which side to upgrade', async () => {
  const socket = await dial(cluster.address, { timeoutMs: 60_000 })
  const joining = connectTo({
    socket,
    hello: { role: 'worker', name: 'newer' },
    versions: { lowest: 7, highest: 9 },
    incoming: schedulerToWorker,
    outgoing: workerToScheduler,
    handlers: () => ({ onMessages: () => undefined, onClose: () => undefined }),
  })
  const error = await rejection(joining)
  assert.ok(error instanceof VersionMismatchError)
  assert.match(error.message, /7.*9/)
  assert.match(error.message, /upgrade/i)
  await assertClusterGoesOn()
})

test('a client at an address where nothing listens says so within its time', async () => {
  const error = await rejection(connect('ws://127.0.0.1:9', { timeoutMs: 2_000 }))
  assert.ok(error instanceof SchedulerUnreachableError)
  assert.match(error.message, /ws:\/\/127\.0\.0\.1:9/)
  assertSentence(error)
  assertSentence(await rejection(connect('http://somewhere')))
  await assertClusterGoesOn()
})

test('when the scheduler is gone, what a client waits for fails, and so do later calls', async () => {
  await using scheduler = await startSchedulerCommand()
  const lonely = await connect(scheduler.address)
  const future = lonely.submit((x: number) => x, 1)
  const pending = rejection(future)
  scheduler.command.process.kill('SIGKILL')
  for (const error of [await pending, await rejection(lonely.info())]) {
    assert.ok(error instanceof SchedulerUnreachableError, String(error))
    assertSentence(error)
  }
  await lonely.close()
  await assertClusterGoesOn()
})

test('an option that is not known, or not yet, is refused with what is meant', async () => {
  assert.throws(() => client.with({ priorty: 3 } as never), /priorty.*priority/)
  assert.throws(() => client.map((x: number) => x, [1], { inFlight: 3 } as never), /inFlight/)
  await assertClusterGoesOn()
})

test('a closed client refuses calls', async () => {
  const closed = await connect(cluster)
  await closed.close()
  await closed.close()
  assert.throws(() => closed.submit((x: number) => x, 1), { code: 'ERR_HEDDLE_CLOSED' })
  assertSentence(await rejection(closed.info()))
  await assertClusterGoesOn()
})
