import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, readdir, stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import test from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { runInThisContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import { captureFunction, type CapturedCode } from '../../client/capture/function.js'
import { bundleModule, type CapturedModule } from '../../client/capture/module.js'
import { ProtocolError } from '../../protocol/errors.js'
import { codeHash } from '../../protocol/ids.js'
import { CodeCache } from '../../worker/code-cache.js'
import { PROJECT } from '../support/project.js'
import type { Answer, Call } from './thread-entry.js'
import { Workspace } from './workspace.js'

/** A worker thread beside a workspace, whose code it runs. */
class Thread implements AsyncDisposable {
  readonly #worker = new Worker(new URL('./thread-entry.js', import.meta.url))
  readonly #workspace: Workspace

  constructor(workspace: Workspace) {
    this.#workspace = workspace
  }

  async run(
    { code, kind, source, sourceMap, name }: CapturedCode | CapturedModule,
    exportName = 'default',
    ...args: unknown[]
  ): Promise<Answer> {
    const url = await this.#workspace.codeCache.store({ type: 'define-code', code, kind, source, sourceMap })
    this.#worker.postMessage({ url, exportName, name, args } satisfies Call)
    const [answer] = (await once(this.#worker, 'message')) as [Answer]
    return answer
  }

  async value(...[captured, exportName, ...args]: Parameters<Thread['run']>): Promise<unknown> {
    const answer = await this.run(captured, exportName, ...args)
    return answer.type === 'returned' ? answer.value : assert.fail(answer.stack)
  }

  async failure(...[captured, exportName, ...args]: Parameters<Thread['run']>): Promise<Answer & { type: 'threw' }> {
    const answer = await this.run(captured, exportName, ...args)
    return answer.type === 'threw' ? answer : assert.fail('it returned')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate()
  }
}

test('bare imports mean in a function what they mean in a script of the working directory', async () => {
  await using workspace = await Workspace.create({
    'node_modules/users-package/package.json': '{ "name": "users-package", "exports": "./index.mjs" }',
    'node_modules/users-package/index.mjs': "export const here = import.meta.url\nexport { inner } from 'inner'",
    'node_modules/inner/package.json': '{ "name": "inner", "exports": "./index.mjs" }',
    'node_modules/inner/index.mjs': 'export const inner = 42',
  })
  await using thread = new Thread(workspace)
  const ofNode = captureFunction(async () => (await import('node:path')).basename('/a/b'))
  assert.equal(await thread.value(ofNode), 'b')

  const users = captureFunction(
    runInThisContext("async () => ({ ...(await import('users-package')) })") as () => unknown,
  )
  const { here, inner } = (await thread.value(users)) as { here: string; inner: number }
  assert.equal(fileURLToPath(here), path.join(workspace.project, 'node_modules/users-package/index.mjs'))
  assert.equal(inner, 42)
})

test('heddle is always the copy that the worker runs', async () => {
  await using workspace = await Workspace.create({
    'node_modules/heddle/package.json': '{ "name": "heddle", "version": "0.0.0-users" }',
  })
  await using thread = new Thread(workspace)
  const source = "async () => (await import('heddle/package.json', { with: { type: 'json' } })).default.version"
  const version = await thread.value(captureFunction(runInThisContext(source) as () => unknown))
  assert.match(String(version), /^\d+\.\d+\.\d+/)
  assert.notEqual(version, '0.0.0-users')

  await workspace.write({ 'tasks.mjs': "export const where = () => import.meta.resolve('heddle/task')" })
  const where = await thread.value(await bundleModule(path.join(workspace.project, 'tasks.mjs')), 'where')
  assert.equal(where, pathToFileURL(path.join(PROJECT, 'dist/worker/thread/task.js')).href)
})

test('of a function that stands in no file, a stack tells line and column in its text, but for its first line', async () => {
  await using workspace = await Workspace.create()
  await using thread = new Thread(workspace)
  const source =
    '(x) => {\n  const named = function broken() {\n    throw new RangeError("off")\n  }\n  return named()\n}'
  const { name, message, stack } = await thread.failure(captureFunction(runInThisContext(source) as () => unknown))
  assert.equal(`${name}: ${message}`, 'RangeError: off')
  assert.match(stack, /at broken \(file:\/\/\/.*\/[0-9a-f]{64}\.mjs:3:11\)/)
  assert.match(stack, /[0-9a-f]{64}\.mjs:5:10/)
})

test('a stack calls an arrow by the name of its variable', async () => {
  await using workspace = await Workspace.create()
  await using thread = new Thread(workspace)
  const resize = (): never => {
    throw new Error('bad')
  }
  assert.match(
    (await thread.failure(captureFunction(resize))).stack,
    /at resize \(\/.*\/test\/capture\/thread\.test\.ts:\d+:\d+\)/,
  )
})

test('the stack of a module shows its TypeScript source', async () => {
  await using workspace = await Workspace.create({
    'package.json': '{}',
    'src/tasks.ts':
      "import { fail } from './deep/fail.js'\ninterface Wide {\n  a: number\n}\nexport function outer(x: Wide): void {\n  fail(x.a)\n}\n",
    'src/deep/fail.ts':
      'type A = number\n\nexport function fail(a: A): never {\n  throw new TypeError(`bad ${a}`)\n}\n',
  })
  await using thread = new Thread(workspace)
  const { stack } = await thread.failure(await bundleModule(path.join(workspace.project, 'src/tasks.ts')), 'outer', {
    a: 1,
  })
  assert.match(stack, /at fail \(module:src\/deep\/fail\.ts:4:9\)/)
  assert.match(stack, /outer \(module:src\/tasks\.ts:6:3\)/)
})

test('a source beside the project keeps its place in the stack', async () => {
  await using workspace = await Workspace.create({
    'app/package.json': '{}',
    'app/tasks.ts': "export { fail } from '../shared/fail.js'",
    'shared/fail.ts': "export function fail(): never {\n  throw new Error('bad')\n}\n",
  })
  await using thread = new Thread(workspace)
  const { stack } = await thread.failure(await bundleModule(path.join(workspace.project, 'app/tasks.ts')), 'fail')
  assert.match(stack, /shared\/fail\.ts:2:9/)
})

test('a package that is missing on the worker is named, with what to do', async () => {
  await using workspace = await Workspace.create({
    'node_modules/fake-sharp/package.json': '{ "name": "fake-sharp", "main": "index.js", "gypfile": true }',
    'node_modules/fake-sharp/index.js': '',
    'tasks.mjs': "import sharp from 'fake-sharp'\nexport const resize = () => sharp()",
  })
  const module = await bundleModule(path.join(workspace.project, 'tasks.mjs'))
  await using elsewhere = await Workspace.create()
  await using thread = new Thread(elsewhere)
  const inModule = await thread.failure(module, 'resize')
  assert.match(
    inModule.message,
    /Cannot find package 'fake-sharp' on this worker; install it in the worker's working directory, .*npm install fake-sharp/,
  )
  const inFunction = await thread.failure(
    captureFunction(runInThisContext("() => import('fake-sharp')") as () => unknown),
  )
  assert.match(inFunction.message, /^Cannot find package 'fake-sharp' on this worker; install it/)
  const required = await thread.failure(
    captureFunction(runInThisContext("() => require('fake-sharp')") as () => unknown),
  )
  assert.match(required.message, /^Cannot find package 'fake-sharp' on this worker; install it/)
  assert.match(inFunction.stack, /install it in the worker's working directory/)
})

test('what a package misses itself is told by Node', async () => {
  await using workspace = await Workspace.create({
    'node_modules/half/package.json': '{ "name": "half", "exports": "./index.mjs" }',
    'node_modules/half/index.mjs': "import 'other-half'",
  })
  await using thread = new Thread(workspace)
  const { message } = await thread.failure(captureFunction(runInThisContext("() => import('half')") as () => unknown))
  assert.match(message, /^Cannot find package 'other-half' imported from .*half\/index\.mjs$/)
})

test('a missing export names those that are there', async () => {
  await using workspace = await Workspace.create({
    'tasks.ts': 'export const a = () => 1, b = () => 2\nexport const limit = 3',
  })
  await using thread = new Thread(workspace)
  const module = await bundleModule(path.join(workspace.project, 'tasks.ts'))
  assert.match((await thread.failure(module, 'c')).message, /has no export "c"; its functions are a, b\.$/)
  assert.match(
    (await thread.failure(module, 'limit')).message,
    /exports "limit", which is no function; its functions are a, b\.$/,
  )
})

test('what a module throws while it is loaded is thrown as itself', async () => {
  await using workspace = await Workspace.create({
    'tasks.ts': "export const a = 1\nthrow new EvalError('while loading')",
  })
  await using thread = new Thread(workspace)
  const { name, message } = await thread.failure(await bundleModule(path.join(workspace.project, 'tasks.ts')), 'a')
  assert.equal(`${name}: ${message}`, 'EvalError: while loading')
})

test('a thread counts the files that it has loaded, each once', async () => {
  await using workspace = await Workspace.create({ 'tasks.ts': 'export const a = () => 1, b = () => 2' })
  await using thread = new Thread(workspace)
  const module = await bundleModule(path.join(workspace.project, 'tasks.ts'))
  const loaded: number[] = []
  for (const [code, name] of [
    [module, 'a'],
    [module, 'b'],
    [captureFunction(() => 1), 'default'],
    [module, 'a'],
  ] as const) {
    const answer = await thread.run(code, name)
    loaded.push(answer.type === 'returned' ? answer.loaded : -1)
  }
  assert.deepEqual(loaded, [1, 1, 2, 2])
})

test('code is written once, and only under its own name', async () => {
  await using workspace = await Workspace.create()
  const { code, kind, source, sourceMap } = captureFunction(() => 'once')
  const url = await workspace.codeCache.store({ type: 'define-code', code, kind, source, sourceMap })
  assert.equal(url, workspace.codeCache.urlOf(code))
  const file = fileURLToPath(url)
  const longAgo = new Date(2001, 1, 1)
  await utimes(file, longAgo, longAgo)
  await workspace.codeCache.store({ type: 'define-code', code, kind, source, sourceMap })
  assert.equal((await stat(file)).mtimeMs, longAgo.getTime())
  assert.match(
    await readFile(file, 'utf8'),
    /^export default \(\(\) => 'once'\)\n\/\/# sourceMappingURL=data:application\/json;base64,\S+\n$/,
  )

  const forged = { type: 'define-code', code: codeHash('0'.repeat(64)), kind, source, sourceMap } as const
  await assert.rejects(workspace.codeCache.store(forged), ProtocolError)
  await assert.rejects(
    workspace.codeCache
      .store({ type: 'define-code', code, kind: 'module', source: Buffer.from('x'), sourceMap: undefined })
      .then(() => workspace.codeCache.store({ ...forged, code: codeHash('../../evil') })),
    ProtocolError,
  )
  assert.deepEqual((await readdir(path.dirname(file))).sort(), [path.basename(file), 'node_modules'].sort())
})

test('packages of folders above the working directory are found too, the nearest first', async () => {
  await using workspace = await Workspace.create({
    'packages/app/node_modules/both/package.json': '{ "name": "both", "version": "1.0.0" }',
    'node_modules/both/package.json': '{ "name": "both", "version": "2.0.0" }',
    'node_modules/hoisted/package.json': '{ "name": "hoisted", "version": "3.0.0" }',
  })
  const scratch = path.join(workspace.project, 'scratch')
  const codeCache = await CodeCache.create({ scratch, workingDirectory: path.join(workspace.project, 'packages/app') })
  const text = "() => ['both', 'hoisted'].map((name) => require(`${name}/package.json`).version)"
  const { code, kind, source, sourceMap } = captureFunction(runInThisContext(text) as () => unknown)
  const loaded = (await import(await codeCache.store({ type: 'define-code', code, kind, source, sourceMap }))) as {
    default: () => unknown
  }
  assert.deepEqual(loaded.default(), ['1.0.0', '3.0.0'])
})
