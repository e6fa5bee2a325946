import assert from 'node:assert/strict'
import { cp, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { PROJECT } from '../support/project.js'
import { runProgram } from '../support/run-program.js'
import { TemporaryFolder } from '../support/temporary-folder.js'

const FIXTURES = path.join(PROJECT, 'test/package/fixtures')
const TSC = path.join(PROJECT, 'node_modules/typescript/bin/tsc')
const NPM_TIMEOUT_MS = 300_000

interface PackageJson {
  readonly version: string
  readonly bin: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
}
const packageJson = JSON.parse(readFileSync(path.join(PROJECT, 'package.json'), 'utf8')) as PackageJson

interface Packed {
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

/** What may be in the package. Of the compiled code, only what the product is made of. */
const BELONGS = [
  /^dist\/(cli|client|common|deploy|protocol|scheduler|testing|worker)\/.*\.(js|d\.ts)$/,
  /^dist\/dashboard\/[\w-]+\.(html|css|js|txt)$/,
  /^docs\/.*\.md$/,
  /^deploy\/(Dockerfile|systemd\/[\w@-]+\.service)$/,
  /^(package\.json|LICENSE|README\.md|ARCHITECTURE\.md|CHANGELOG\.md)$/,
]

suite('the package, installed into an empty folder', () => {
  let folder: TemporaryFolder
  let packed: Packed

  before(async () => {
    folder = await TemporaryFolder.create('heddle-package')
    const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder.path]
    const output = await runProgram('npm', pack, { cwd: PROJECT, timeoutMs: NPM_TIMEOUT_MS })
    packed = (JSON.parse(output) as readonly Packed[])[0]!
    await cp(FIXTURES, folder.path, { recursive: true })
    await writeFile(path.join(folder.path, 'package.json'), '{ "private": true, "type": "module" }')
    const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', `./${packed.filename}`]
    await runProgram('npm', install, { cwd: folder.path, timeoutMs: NPM_TIMEOUT_MS })
  })

  after(async () => {
    await folder[Symbol.asyncDispose]()
  })

  const run = (file: string, ...args: readonly string[]): Promise<string> =>
    runProgram(file, args, { cwd: folder.path })

  test('holds the product and its pages, and neither tests nor sources', () => {
    const paths = packed.files.map((file) => file.path)
    assert.deepEqual(
      paths.filter((file) => !BELONGS.some((pattern) => pattern.test(file))),
      [],
    )
    for (const pattern of BELONGS)
      assert.ok(
        paths.some((file) => pattern.test(file)),
        `nothing in it is ${String(pattern)}`,
      )
  })

  test('holds every file that its package.json promises', () => {
    const paths = new Set(packed.files.map((file) => file.path))
    const entries = Object.values(packageJson.exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : [entry.types, entry.default],
    )
    const promised = [...Object.values(packageJson.bin), ...entries].map((file) => path.posix.normalize(file))
    assert.deepEqual(
      promised.filter((file) => !paths.has(file)),
      [],
    )
  })

  test('runs a program on a cluster of its own, with one line to start it', async () => {
    assert.equal(await run(process.execPath, 'program.mjs'), '[ 1, 4, 9 ]\n')
  })

  test('is required from CommonJS', async () => {
    assert.equal(await run(process.execPath, 'program.cjs'), 'function function object\n7\n')
  })

  for (const resolution of ['nodenext', 'bundler']) {
    test(`type-checks with module resolution ${resolution}, without settings for it`, async () => {
      await run(process.execPath, TSC, '-p', `tsconfig.${resolution}.json`)
    })
  }

  test('brings the heddle command', async () => {
    assert.equal(await run('npx', 'heddle', '--version'), `${packageJson.version}\n`)
  })
})
