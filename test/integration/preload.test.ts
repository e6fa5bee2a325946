/** Functions that workers were started with, called by name; and workers that run nothing else. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import { LocalCluster } from '../../deploy/local-cluster.js'
import { run } from '../cli/command.js'
import { TemporaryFolder } from '../support/temporary-folder.js'

async function tasksIn(folder: string): Promise<string> {
  const file = path.join(folder, 'tasks.mjs')
  await writeFile(
    file,
    `import path from 'node:path'
let calls = 0
export const join = (...parts) => path.posix.join(...parts)
export const sum = (numbers, start = 0) => numbers.reduce((a, b) => a + b, start)
export const here = () => [import.meta.url, ++calls > 0]
export const limit = 3
`,
  )
  return file
}

test('a worker offers the functions of a preloaded module by name, and takes other code too', async () => {
  await using folder = await TemporaryFolder.create('heddle-preload')
  const file = await tasksIn(folder.path)
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 2, preload: file })
  await using client = await connect(cluster)
  assert.equal(await client.submit<string>('tasks.join', 'a', 'b'), 'a/b')
  const numbers = client.submit(() => [1, 2, 3])
  assert.equal(await client.submit<number>('tasks.sum', numbers), 6)
  const sums = client.map<number>('tasks.sum', [[1], [2, 3]], { args: [10] })
  assert.deepEqual(await client.gather(sums), [11, 15])
  assert.match(sums[0]!.key, /^tasks\.sum-/)
  const [url] = await client.submit<[string]>('tasks.here')
  assert.equal(new URL(url).pathname, file)

  const absent = { code: 'ERR_HEDDLE_MODULE' }
  await assert.rejects(client.submit('tasks.absent').result(), { ...absent, message: /functions are here, join, sum/ })
  await assert.rejects(client.submit('tasks.limit').result(), { ...absent, message: /which is no function/ })
  await assert.rejects(client.submit('other.sum').result(), {
    ...absent,
    message: /no module "other".*It offers tasks\./,
  })
  assert.throws(() => client.submit('.sum'), { code: 'ERR_HEDDLE_INVALID_OPTION' })
})

test('a worker without remote code runs only what it offers', async () => {
  await using folder = await TemporaryFolder.create('heddle-preload')
  const preload = [await tasksIn(folder.path)]
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1, preload, remoteCode: false })
  await using client = await connect(cluster)
  const refused = { code: 'ERR_HEDDLE_REMOTE_CODE', message: /It offers tasks\./ }
  await assert.rejects(client.submit(() => process.exit(1)).result(), refused)
  assert.equal(await client.submit<number>('tasks.sum', [1, 2]), 3)
  await assert.rejects(client.submit(() => process.exit(1)).result(), refused)
})

test('wrong preloads are refused at once', async () => {
  const { code, stderr } = await run(['worker', 'join', 'ws://127.0.0.1:1', '--preload', '/absent/tasks.js'])
  assert.equal(code, 2)
  assert.match(stderr, /There is no file \/absent\/tasks\.js to preload/)
  const nothing = await run(['worker', 'join', 'ws://127.0.0.1:1', '--no-remote-code'])
  assert.equal(nothing.code, 2)
  assert.match(nothing.stderr, /give it --preload too/)
  await assert.rejects(LocalCluster.start({ preload: [3] as never }), { code: 'ERR_HEDDLE_INVALID_OPTION' })
})
