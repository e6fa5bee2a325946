import assert from 'node:assert/strict'
import { cp, readFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'node:test'
import { pathToFileURL } from 'node:url'
import { bundleModule } from '../../client/capture/module.js'
import { HeddleError } from '../../protocol/errors.js'
import { Workspace } from './workspace.js'

const PROJECT = {
  'package.json': '{ "name": "app" }',
  'src/tasks.ts': [
    "import { helper, type Item } from './helper.js'",
    "import { shout } from 'loud'",
    'export const LIMIT: number = 3',
    'export function work(item: Item): string {',
    '  return shout(helper(item))',
    '}',
    'export function fail(): never {',
    "  throw new TypeError('bad')",
    '}',
    'export default async (x: number): Promise<number> => x * 2',
  ].join('\n'),
  'src/helper.ts':
    'export interface Item { readonly name: string }\nexport const helper = ({ name }: Item): string => name.trim()\n',
  // A package in CommonJS that asks for what only CommonJS has.
  'node_modules/loud/package.json': '{ "name": "loud", "main": "index.js" }',
  'node_modules/loud/index.js':
    "const fs = require('fs'); const { join } = require('node:path'); exports.shout = (text) => `${text.toUpperCase()} ${typeof fs.readFileSync} ${typeof join(__dirname, __filename)}`",
}

test('a TypeScript module runs with all that it imports, CommonJS packages too', async () => {
  await using workspace = await Workspace.create(PROJECT)
  const module = await bundleModule(pathToFileURL(path.join(workspace.project, 'src/tasks.ts')))
  assert.equal(module.name, 'tasks')
  assert.deepEqual(module.exportNames, ['LIMIT', 'default', 'fail', 'work'])
  const work = await workspace.load(module, 'work')
  assert.equal(work({ name: ' ab ' }), 'AB function string')
  const twice = await workspace.load(module)
  assert.equal(await twice(4), 8)
})

test('the same project gives the same bytes, wherever it is and from wherever it is bundled', async () => {
  await using one = await Workspace.create(PROJECT)
  await using other = await Workspace.create()
  await cp(one.project, other.project, { recursive: true })
  const first = await bundleModule(path.join(one.project, 'src/tasks.ts'))
  const second = await bundleModule(path.join(other.project, 'src/tasks.ts'))
  assert.equal(first.code, second.code)
  assert.deepEqual(first.source, second.source)
  assert.ok(!Buffer.from(first.source).includes(one.project), 'no path of this machine is inside')
})

test('another content gives another code', async () => {
  await using workspace = await Workspace.create(PROJECT)
  const file = path.join(workspace.project, 'src/tasks.ts')
  const before = await bundleModule(file)
  await workspace.write({
    'src/helper.ts': 'export const helper = ({ name }: { name: string }): string => name + "!"\n',
  })
  assert.notEqual((await bundleModule(file)).code, before.code)
})

test('an author who makes require, __filename and __dirname of his own keeps them', async () => {
  await using workspace = await Workspace.create({
    ...PROJECT,
    'own.ts': [
      "import { createRequire } from 'node:module'",
      "import { shout } from 'loud'",
      "import process from 'node:process'",
      'const require = createRequire(import.meta.url)',
      "const __filename = 'mine', __dirname = 'my folder'",
      "export const own = () => [__filename, __dirname, typeof require('node:os').EOL, typeof process.pid, shout('')]",
    ].join('\n'),
  })
  const own = await workspace.load(await bundleModule(path.join(workspace.project, 'own.ts')), 'own')
  assert.deepEqual(own(), ['mine', 'my folder', 'string', 'number', ' function string'])
})

test('a program that runs compiled finds its module compiled, and the other way round', async () => {
  await using workspace = await Workspace.create({
    'dist/tasks.js': 'export const f = () => 1',
    'src/tasks.ts': 'export const f = () => 2',
  })
  const compiled = await workspace.load(await bundleModule(path.join(workspace.project, 'dist/tasks.ts')), 'f')
  assert.equal(compiled(), 1)
  const source = await workspace.load(await bundleModule(path.join(workspace.project, 'src/tasks.js')), 'f')
  assert.equal(source(), 2)
})

test('packages with native code stay outside, whatever shows that they have it', async () => {
  const packages = {
    binary: { 'build/Release/addon.node': 'ELF' },
    gyp: { 'binding.gyp': '{}' },
    declared: {},
    '@scope/platforms': {
      'node_modules/@scope/platforms-here/package.json': '{ "name": "@scope/platforms-here", "os": ["linux"] }',
    },
  }
  const description = {
    binary: {},
    gyp: {},
    declared: { binary: { module_name: 'declared' } },
    '@scope/platforms': { optionalDependencies: { '@scope/platforms-here': '1' } },
  }
  const files: Record<string, string> = {}
  for (const [name, content] of Object.entries(packages)) {
    const folder = `node_modules/${name}`
    files[`${folder}/package.json`] = JSON.stringify({
      name,
      main: 'index.js',
      ...description[name as keyof typeof description],
    })
    files[`${folder}/index.js`] = `exports.where = __filename; exports.secret = 'in ${name}'`
    for (const [file, text] of Object.entries(content)) files[`${folder}/${file}`] = text
  }
  const names = Object.keys(packages)
  await using workspace = await Workspace.create({
    ...files,
    'tasks.mjs': `${names.map((name, i) => `import p${i} from '${name}'`).join('\n')}\nexport const where = () => [${names.map((_, i) => `p${i}.where`).join(', ')}]`,
  })
  const module = await bundleModule(path.join(workspace.project, 'tasks.mjs'))
  assert.doesNotMatch(Buffer.from(module.source).toString(), /in (binary|gyp|declared|@scope)/)
  const where = await workspace.load(module, 'where')
  assert.deepEqual(
    where(),
    names.map((name) => path.join(workspace.project, 'node_modules', name, 'index.js')),
  )
})

test('heddle itself stays outside', async () => {
  await using workspace = await Workspace.create({
    'tasks.ts': "export { task } from 'heddle/task'\nexport * as heddle from 'heddle'",
  })
  const { source } = await bundleModule(path.join(workspace.project, 'tasks.ts'))
  assert.match(Buffer.from(source).toString(), /from "heddle\/task"/)
  assert.match(Buffer.from(source).toString(), /from "heddle"/)
})

test('what is wrong with a module is one sentence that says where', async () => {
  await using workspace = await Workspace.create({
    'package.json': '{}',
    'src/syntax.ts': 'export const a = 1\nexport const b = ;\n',
    'src/imports.ts': "import { x } from './nowhere.js'\nimport y from 'not-installed'\nexport { x, y }\n",
  })
  const at = (file: string): string => path.join(workspace.project, file)
  const cases: readonly (readonly [URL | string, RegExp])[] = [
    [at('src/syntax.ts'), /^The module src\/syntax\.ts cannot be bundled: src\/syntax\.ts:2:18: Unexpected ";"\.$/],
    [
      at('src/imports.ts'),
      /^The module src\/imports\.ts cannot be bundled: src\/imports\.ts:1:19: Could not resolve "\.\/nowhere\.js" \(and 1 more\)\.$/,
    ],
    [at('src/none.ts'), /^There is no module at .*none\.ts; check the path/],
    ['./tasks.ts', /new URL\('\.\/tasks\.ts', import\.meta\.url\)/],
    [new URL('https://example.org/tasks.ts'), /give a file URL/],
  ]
  for (const [location, expected] of cases) {
    await assert.rejects(bundleModule(location), (error) => {
      assert.ok(error instanceof HeddleError)
      assert.equal(error.code, 'ERR_HEDDLE_MODULE')
      assert.match(error.message, expected)
      return true
    })
  }
})

test('bundling leaves no file behind', async () => {
  await using workspace = await Workspace.create(PROJECT)
  await bundleModule(path.join(workspace.project, 'src/tasks.ts'))
  await assert.rejects(readFile(path.join(workspace.project, 'bundle.mjs')), { code: 'ENOENT' })
})
