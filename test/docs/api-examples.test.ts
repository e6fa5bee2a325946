/** The examples of the API reference, which are those of the doc comments: each compiles, and prints what it says. */
import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import * as heddle from '../../client/index.js'
import { connect, type Client } from '../../client/index.js'
import { LocalCluster } from '../../deploy/local-cluster.js'
import { PROJECT } from '../support/project.js'
import { runProgram } from '../support/run-program.js'
import { TemporaryFolder } from '../support/temporary-folder.js'
import { codeBlocksOf, readPages } from './markdown.js'

/** What an example has without saying so: a client, its cluster, and whatever `heddle` exports. */
type Example = (client: Client, cluster: LocalCluster, console: Pick<Console, 'log' | 'error'>) => Promise<void>

const TSC = path.join(PROJECT, 'node_modules/typescript/bin/tsc')
const TSCONFIG = {
  compilerOptions: {
    module: 'NodeNext',
    target: 'ES2022',
    strict: true,
    skipLibCheck: true, // The libraries are checked where the package is tested.
    types: ['node'],
    typeRoots: [path.join(PROJECT, 'node_modules/@types')],
  },
  include: ['*.ts'],
}
/** Modules that examples name. */
const FILES = {
  'package.json': '{ "type": "module" }',
  'tsconfig.json': JSON.stringify(TSCONFIG),
  'tasks.ts': 'export const resize = (photograph: string, width: number): string => `${photograph} at ${width}`\n',
  'places.ts': [
    `import { registerType } from 'heddle'`,
    `registerType(URL, { encode: (url) => url.href, decode: (href: string) => new URL(href) })`,
    `export const hostOf = (url: URL): string => url.hostname`,
  ].join('\n'),
  'worker.js': 'export default ({ a, b }) => a + b\nexport const multiply = ({ a, b }) => a * b\n',
}

const pages = readPages().filter(({ name }) => name.startsWith('docs/api/'))
const blocks = pages.flatMap(codeBlocksOf)
// An overloaded function has its example several times, and one is for a test runner that is not here.
const examples = [...new Set(blocks.map(({ text }) => text))].filter((text) => !text.includes("from 'vitest'"))

test('the reference has examples', () => {
  assert.ok(examples.length > 40)
})

suite('the examples of the reference', () => {
  let folder: TemporaryFolder
  let cluster: LocalCluster
  const cwd = process.cwd()

  before(async () => {
    folder = await TemporaryFolder.create('heddle-examples')
    await mkdir(path.join(folder.path, 'node_modules'))
    await symlink(PROJECT, path.join(folder.path, 'node_modules/heddle'))
    for (const [name, text] of Object.entries(FILES)) await writeFile(path.join(folder.path, name), text)
    await Promise.all(examples.map((text, i) => writeFile(path.join(folder.path, `example-${i}.ts`), moduleOf(text))))
    cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
    process.chdir(folder.path) // Some write files.
  })

  after(async () => {
    process.chdir(cwd)
    await cluster.close()
    await folder[Symbol.asyncDispose]()
  })

  test('compile', async () => {
    await runProgram(process.execPath, [TSC], { cwd: folder.path })
  })

  examples.forEach((text, i) => {
    test(`${titleOf(text)} does what it says`, async () => {
      const file = path.join(folder.path, `example-${i}.js`)
      if (isWhole(text)) {
        await runProgram(process.execPath, [file], { cwd: folder.path })
        return
      }
      const { example } = (await import(pathToFileURL(file).href)) as {
        example: Example
      }
      const printed: string[] = []
      const print = (...values: unknown[]): number =>
        printed.push(values.map((each) => (typeof each === 'string' ? each : inspect(each))).join(' '))
      await using client = await connect(cluster)
      await example(client, cluster, { log: print, error: print })
      const expected = [...text.matchAll(/\/\/ => (.*)$/gm)].map(([, line]) => line)
      if (expected.length > 0) assert.deepEqual(printed, expected)
    })
  })
})

/** A program of its own, not what stands in one. */
function isWhole(text: string): boolean {
  return text.includes("from 'node:test'")
}

function occurs(name: string, lines: readonly string[]): boolean {
  return lines.some((line) => new RegExp(`\\b${name}\\b`).test(line))
}

/** The example as a function of a module, with the imports that it leaves out. */
function moduleOf(text: string): string {
  if (isWhole(text)) return text
  const given = text.split('\n').filter((line) => line.startsWith('import '))
  const body = text.split('\n').filter((line) => !line.startsWith('import '))
  const names = Object.keys(heddle).filter((name) => occurs(name, body) && !occurs(name, given))
  return [
    ...given,
    ...(names.length > 0 ? [`import { ${names.join(', ')} } from 'heddle'`] : []),
    `import type { Client as GivenClient, LocalCluster as GivenCluster } from 'heddle'`,
    `export async function example(client: GivenClient, cluster: GivenCluster, console: Pick<Console, 'log' | 'error'>): Promise<void> {{`,
    ...body,
    '}}',
  ].join('\n')
}

function titleOf(text: string): string {
  const line = text.split('\n').find((each) => each !== '' && !each.startsWith('import ')) ?? ''
  return line.replace(/ +\/\/.*$/, '')
}
