import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { LocalCluster } from '../../deploy/local-cluster.js'
import { PROJECT } from '../support/project.js'
import { TemporaryFolder } from '../support/temporary-folder.js'
import { run } from './command.js'

const SCRIPT = `
import { connect } from 'heddle'
const client = await connect()
const { workers } = await client.info()
console.log(process.argv.slice(2).join(' '), await client.submit((n) => n * 2, 21), workers.length, process.env.HEDDLE_ADDRESS)
await client.close()
`

let folder: TemporaryFolder
const file = (name: string): string => path.join(folder.path, name)

before(async () => {
  folder = await TemporaryFolder.create('heddle-run')
  await mkdir(file('node_modules'))
  await symlink(PROJECT, file('node_modules/heddle'))
  await writeFile(file('double.mjs'), SCRIPT)
  await writeFile(file('fails.mjs'), 'process.exitCode = 3')
  await writeFile(file('pages.mjs'), 'console.log(process.env.GLIBC_TUNABLES)')
  await writeFile(file('typed.ts'), 'const n: number = 1')
})
after(() => folder[Symbol.asyncDispose]())

test('a script finds a cluster of its own, its arguments, and ends it with itself', async () => {
  const { code, stdout } = await run(['run', '--workers', '1', '--threads', '1', file('double.mjs'), 'a', '--json'])
  assert.equal(code, 0)
  assert.match(stdout, /^a --json 42 1 ws:\/\/127\.0\.0\.1:\d+\n$/)
})

test('a script finds the cluster at an address, which stays', async () => {
  await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
  const args = ['run', '--address', cluster.address, file('double.mjs')]
  assert.deepEqual(await run(args), { code: 0, stdout: ` 42 2 ${cluster.address}\n`, stderr: '' })
  assert.equal((await run(args)).code, 0)
})

test('it ends as the script does', async () => {
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1 })
  assert.equal((await run(['run', '--address', cluster.address, file('fails.mjs')])).code, 3)
})

test('it has huge pages for large values', async () => {
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1 })
  const { stdout } = await run(['run', '--address', cluster.address, file('pages.mjs')])
  assert.match(stdout, /glibc\.malloc\.hugetlb=1/)
})

test('what cannot run is told before anything starts', async () => {
  const missing = await run(['run', file('missing.mjs')])
  assert.deepEqual(
    [missing.code, missing.stderr],
    [2, `heddle: There is no script ${file('missing.mjs')}; give the path of a JavaScript file.\n`],
  )
  const both = await run(['run', '--address', 'ws://127.0.0.1:1', '--workers', '2', file('double.mjs')])
  assert.equal(both.code, 2)
  assert.match(both.stderr, /leave out --address/)
  const runsTypeScript = 'typescript' in process.features && process.features.typescript !== false
  const typed = await run(['run', file('typed.ts')], { env: { NODE_OPTIONS: '' } })
  if (!runsTypeScript) assert.match(typed.stderr, /runs no TypeScript; compile/)
})
