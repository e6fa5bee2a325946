import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { FakeScheduler } from './fake-scheduler.js'

interface Tasks {
  resize(path: string, width: number): Promise<number>
  twice(x: number): number
  readonly VERSION: string
}

let folder: string
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'heddle-test-'))
  await writeFile(path.join(folder, 'tasks.ts'), `export const twice = (x: number): number => x * 2\n`)
  await writeFile(path.join(folder, 'broken.ts'), `export const twice = (x: number => x\n`)
})
after(() => rm(folder, { recursive: true }))

const fileUrl = (name: string): URL => pathToFileURL(path.join(folder, name))
const settled = async (future: PromiseLike<unknown>): Promise<unknown> => await future

test('a module stands for its functions, and can be awaited and printed like any object', async () => {
  await using scheduler = await FakeScheduler.start()
  const tasks = scheduler.client.module<Tasks>(fileUrl('tasks.ts'))
  const proxy = tasks as unknown as Record<string | symbol, unknown>
  assert.equal(proxy['then'], undefined)
  assert.equal(proxy[Symbol.toPrimitive], undefined)
  assert.equal(await tasks, tasks)
  assert.equal(typeof inspect(tasks), 'string')
  assert.equal(tasks.twice, tasks.twice)
  assert.equal((tasks.twice as unknown as { name: string }).name, 'twice')
})

test('what is submitted before the bundle is there is held back in order, and sent with it', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const tasks = client.module<Tasks>(fileUrl('tasks.ts'))
  const a = tasks.twice(3)
  const b = client.submit(tasks.twice, a)
  const plain = client.submit((x: number) => x, b)
  const mapped = client.map(tasks.twice, [1, plain])
  await scheduler.untilSubmitted(5)

  assert.equal(scheduler.messages[0]?.type, 'define-code')
  const [bundle, inline] = scheduler.all('define-code')
  assert.equal(bundle!.kind, 'module')
  assert.equal(inline!.kind, 'function')
  const [template] = scheduler.all('define-template')
  assert.equal(template!.exportName, 'twice')
  assert.equal(template!.name, 'tasks.twice')
  const ids = scheduler.submitted
  assert.deepEqual(
    scheduler.all('submit').flatMap(({ inputs }) => inputs),
    [ids[0], ids[1], ids[2]],
  )
  assert.match(mapped[1]!.key, /^tasks\.twice-/)
  // The next client.module() of the same file is the same code.
  client.module<Tasks>(fileUrl('tasks.ts')).twice(4)
  await scheduler.untilSubmitted(6)
  assert.equal(scheduler.all('define-template').length, 2)
})

test('a module that cannot be bundled fails its futures and theirs, and nothing else', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const broken = client.module<Tasks>(fileUrl('broken.ts'))
  const a = broken.twice(1)
  const many = client.map(
    broken.twice,
    Array.from({ length: 2_000 }, (_, i) => i),
  )
  const needing = client.submit((x: number) => x + 1, a)
  const mapped = client.map((x: number, y: number) => x + y, [1, 2], { args: [a] })
  const fine = client.submit((x: number) => x, 5).result()

  const refusal = { code: 'ERR_HEDDLE_MODULE', message: /broken\.ts cannot be bundled: .*broken\.ts:1:\d+/ }
  await assert.rejects(settled(a), refusal)
  await assert.rejects(settled(many[1_999]!), refusal)
  await assert.rejects(settled(needing), refusal)
  await assert.rejects(settled(mapped[1]!), refusal)
  await assert.rejects(settled(broken.twice(2)), refusal)
  await assert.rejects(settled(client.submit((x: number) => x + 1, a)), refusal)
  await assert.rejects(client.gather(client.map((x: number, y: number) => x + y, [1, 2], { args: [a] })), refusal)
  assert.equal(a.status, 'error')

  await scheduler.until('want')
  assert.deepEqual(
    scheduler.all('define-code').filter(({ kind }) => kind === 'module'),
    [],
  )
  const [want] = scheduler.all('want')
  scheduler.values([[want!.tasks[0]!, 5]])
  assert.equal(await fine, 5)
  client.release([a, ...many])
  await scheduler.untilSubmitted(scheduler.submitted.length)
})

test('a module that is not there is an error that names the file', async () => {
  await using scheduler = await FakeScheduler.start()
  const future = scheduler.client.module<Tasks>(fileUrl('absent.ts')).twice(1)
  await assert.rejects(settled(future), { code: 'ERR_HEDDLE_MODULE', message: /There is no module at .*absent\.ts/ })
})
