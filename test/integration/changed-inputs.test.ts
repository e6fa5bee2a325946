/** With HEDDLE_CHECK_INPUTS=1 a task that changes what it shares with others is found. */
import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { connect, LocalCluster, type Client } from '../../client/index.js'

let cluster: LocalCluster
let client: Client

before(async () => {
  process.env['HEDDLE_CHECK_INPUTS'] = '1'
  cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1 })
  client = await connect(cluster)
})

after(async () => {
  delete process.env['HEDDLE_CHECK_INPUTS']
  await client.close()
  await cluster.close()
})

const numbers = (): Float64Array => new Float64Array(200_000).fill(1)
const read = (x: Float64Array): number => x.reduce((sum, value) => sum + value, 0)
const sortCopy = (x: Float64Array): number => x.slice().fill(7)[0]!
const write = (x: Float64Array): void => void x.fill(7)
const writeAndThrow = (x: Float64Array): void => {
  x[0] = 7
  throw new RangeError('after the deed')
}

test('tasks that read, or that change copies, are left alone', async () => {
  const shared = client.scatter(numbers())
  assert.deepEqual(await client.gather([client.submit(read, shared), client.submit(sortCopy, shared)]), [200_000, 7])
})

for (const [name, options] of [
  ['a task with a thread', {}],
  ['a task among others', { resources: { threads: 0 } }],
] as const) {
  test(`${name} that changes an input fails for it, once`, async () => {
    for (const change of [write, writeAndThrow]) {
      const task = client.with({ ...options, retries: 3 }).submit(change, client.scatter(numbers()))
      const error = (await task.error()) as Error & { code: string; attempt: number }
      assert.equal(error.code, 'ERR_HEDDLE_INPUT_CHANGED')
      assert.match(error.message, /changed an input of 1\.5 MiB in place, .*x\.slice\(\)/)
      assert.equal(error.attempt, 1)
    }
  })
}

test('so does one that changes the constants of its map', async () => {
  const tasks = client.map((_item: number, x: Float64Array) => void (x[0] = 2), [1], { args: [numbers()] })
  assert.equal(((await tasks[0]!.error()) as { code?: string }).code, 'ERR_HEDDLE_INPUT_CHANGED')
})

test('a small input is the task’s own', async () => {
  const small = client.scatter(new Float64Array(1_000))
  await client.submit(write, small)
  assert.equal(await client.submit(read, small), 0)
})
