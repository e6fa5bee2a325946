import assert from 'node:assert/strict'
import { createRequire, SourceMap } from 'node:module'
import path from 'node:path'
import test from 'node:test'
import { pathToFileURL } from 'node:url'
import { runInThisContext } from 'node:vm'
import { transformSync } from 'esbuild'
import fc from 'fast-check'
import ts from 'typescript'
import { chainOf } from '../../client/capture/chain.js'
import { captureFunction } from '../../client/capture/function.js'
import { readMappings, writeMappings, type MapEntry } from '../../client/capture/source-map.js'
import { readFunctionFile, writeFunctionFile } from '../../common/node/function-file.js'
import { MAX_SOURCE_MAP_BYTES } from '../../protocol/limits.js'
import { Workspace } from './workspace.js'

type AnyFunction = (...args: never[]) => unknown
type Captured = ReturnType<typeof captureFunction>
/** What a file of the workspace exports: functions, and `call`, which calls what it is given with that file alone on the stack. */
interface Exports {
  readonly [name: string]: AnyFunction
  readonly call: (capture: (fn: AnyFunction) => Captured, fn: AnyFunction) => Promise<Captured>
}

const CALL = 'export const call = async (capture, fn) => { await null; return capture(fn) }\n'

/** The places in the files of the user that the stack of what `fn` throws leads to, as in `tasks.ts:3:9`. */
async function placesOf(workspace: Workspace, fn: AnyFunction, call: Exports['call']): Promise<string[]> {
  return placesIn(workspace, await stackOf(await workspace.load(await call(captureFunction, fn))))
}

async function stackOf(task: (...args: never[]) => unknown): Promise<string> {
  try {
    await task()
  } catch (error) {
    return (error as Error).stack ?? ''
  }
  return assert.fail('it returned')
}

function placesIn({ project }: Workspace, stack: string): string[] {
  const places = stack.split('\n').flatMap((frame) => /\(?([^\s(]+:\d+:\d+)\)?$/.exec(frame)?.[1] ?? [])
  return places.filter((place) => place.startsWith(project)).map((place) => path.relative(project, place))
}

/** The place of `text` in a file, as stacks tell it. */
function placeIn(name: string, file: string, text: string): string {
  const before = file.slice(0, file.indexOf(text)).split('\n')
  assert.ok(file.includes(text), `${text} stands in ${name}`)
  return `${name}:${before.length}:${before.at(-1)!.length + 1}`
}

async function load(workspace: Workspace, name: string): Promise<Exports> {
  return (await import(pathToFileURL(path.join(workspace.project, name)).href)) as Exports
}

/** In TypeScript, with lines that go when it is compiled. What was captured before is not looked for again: each test has its own. */
const tasksOf = (test: string): string => `interface Wide {
  readonly width: number
}
type Narrow = Omit<Wide, 'width'>

export const arrow = (wide: Wide, narrow?: Narrow): number => {
  const inner = (given: Wide): number => {
    if (given === undefined) throw new RangeError('of an arrow ${test}')
    return given.width
  }
  return inner(wide as Wide) + (narrow === undefined ? 1 : 2)
}
export async function /* ( */ declared(wide: Wide): Promise<never> {
  await Promise.resolve(wide)
  throw new TypeError('of a declaration ${test}')
}
export const { method } = {
  method(this: void, wide?: Wide): never {
    throw new TypeError(String(wide) + ' of a method ${test}')
  },
}
export const [one, two] = [(): never => { throw new Error('one ${test}') }, (): never => { throw new Error('two ${test}') }]
export const call = async (capture: (fn: object) => unknown, fn: object): Promise<unknown> => {
  await null
  return capture(fn)
}
`

const COMPILERS: readonly (readonly [string, (fileName: string) => Record<string, string>])[] = [
  [
    'TypeScript with a map beside it',
    (source) => {
      const { outputText, sourceMapText = '' } = ts.transpileModule(source, {
        fileName: 'src/tasks.ts',
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022, sourceMap: true },
      })
      const map = JSON.stringify({ ...(JSON.parse(sourceMapText) as object), sources: ['../src/tasks.ts'] })
      return { 'dist/tasks.js': outputText, 'dist/tasks.js.map': map }
    },
  ],
  [
    'esbuild with the map in the file, and short names of spaces',
    (source) => {
      const { code } = transformSync(source, {
        loader: 'ts',
        sourcefile: '../src/tasks.ts',
        sourcemap: 'inline',
        minifyWhitespace: true,
      })
      return { 'dist/tasks.js': code }
    },
  ],
]

for (const [compiler, compile] of COMPILERS) {
  for (const where of ['its own file', 'another file'] as const) {
    test(`${compiler}: stacks lead to the source of a function that ${where} submits`, async () => {
      const source = tasksOf(`${compiler}, ${where}`)
      await using workspace = await Workspace.create({
        'package.json': '{ "type": "module" }',
        'other.js': CALL,
        ...compile(source),
      })
      const tasks = await load(workspace, 'dist/tasks.js')
      const { call } = where === 'its own file' ? tasks : await load(workspace, 'other.js')
      const at = (text: string): string => placeIn('src/tasks.ts', source, text)
      const inner = await placesOf(workspace, tasks['arrow']!, call)
      assert.deepEqual(inner, [at("new RangeError('of an arrow"), at('inner(wide as Wide)')])
      assert.deepEqual(await placesOf(workspace, tasks['declared']!, call), [at("new TypeError('of a declaration")])
      assert.deepEqual(await placesOf(workspace, tasks['method']!, call), [at('new TypeError(String(wide)')])
      assert.deepEqual(await placesOf(workspace, tasks['one']!, call), [at("new Error('one")])
      assert.deepEqual(await placesOf(workspace, tasks['two']!, call), [at("new Error('two")])
    })
  }
}

test('a stack leads to a file that runs as it was written, with the column of each call', async () => {
  const textOf = (name: string): string => `${CALL}export const object = { get broken() {
    return [].map('${name}')
  }, ['computed'
    + 1]() { return null . width${name} }, async *each(x) { x () } }
export const fn = async (x) =>
    [1, 2].map((y) => x?.[0] ?? y.undefined${name}(y))
`
  const files = { 'own.js': textOf('Own'), 'others.js': textOf('Others') }
  await using workspace = await Workspace.create({ 'package.json': '{ "type": "module" }', 'call.js': CALL, ...files })
  for (const [name, text] of Object.entries(files)) {
    const { object, fn, call } = await load(workspace, name)
    const caller = name === 'own.js' ? call : (await load(workspace, 'call.js')).call
    const members = Object.getOwnPropertyDescriptors(object as unknown as Record<string, AnyFunction>)
    const at = (part: string): string => placeIn(name, text, part)
    assert.deepEqual(await placesOf(workspace, members['broken']!.get as AnyFunction, caller), [at("map('")])
    assert.deepEqual(await placesOf(workspace, members['computed1']!.value as AnyFunction, caller), [at('widthO')])
    assert.equal((await placesOf(workspace, fn!, caller))[0], at('undefinedO'))
  }
})

test('of a text that stands twice in a file V8 tells which it is', async () => {
  const text = `${CALL}export const first = { a: () => { throw new Error('twice') } }\nexport const second = [() => { throw new Error('twice') }]\n`
  await using workspace = await Workspace.create({ 'package.json': '{ "type": "module" }', 'a.js': text })
  const a = await load(workspace, 'a.js')
  const [second] = a['second'] as unknown as AnyFunction[]
  assert.deepEqual(await placesOf(workspace, second!, a.call), ['a.js:3:38'])
})

test('a function that is compiled in memory only leads to its source', async () => {
  const source = tasksOf('in memory')
  await using workspace = await Workspace.create({ 'package.json': '{ "type": "module" }', 'call.js': CALL })
  const { call } = await load(workspace, 'call.js')
  const { outputText } = ts.transpileModule(source, {
    fileName: 'tasks.ts',
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS, inlineSourceMap: true },
  })
  const filename = path.join(workspace.project, 'tasks.ts')
  const head = '(exports) => {'
  const run = runInThisContext(`${head}${outputText}\n}`, { filename, columnOffset: -head.length }) as (
    to: object,
  ) => void
  const exports: Record<string, AnyFunction> = {}
  run(exports)
  const at = placeIn('tasks.ts', source, "new TypeError('of a declaration")
  assert.deepEqual(await placesOf(workspace, exports['declared']!, call), [at])
})

test('a CommonJS file is found too, and helpers ahead of a function move nothing', async () => {
  const text =
    "const __name = (fn) => fn\nexports.fn = function () { __name(() => 1, 'inner'); throw new Error('bad') }\n"
  await using workspace = await Workspace.create({
    'package.json': '{ "type": "module" }',
    'a.cjs': `${text}exports.call = async (capture, fn) => { await null; return capture(fn) }`,
  })
  const { fn, call } = createRequire(import.meta.url)(path.join(workspace.project, 'a.cjs')) as Exports
  assert.deepEqual(await placesOf(workspace, fn!, call), ['a.cjs:2:60'])
})

test('where a function stands is no part of what names its code, and the first place is the one that is told', async () => {
  const text = `${CALL}export const fn = () => { throw new Error('the same text in two files') }\n`
  await using workspace = await Workspace.create({
    'package.json': '{ "type": "module" }',
    'a.js': text,
    'b.js': `// Further down.\n${text}`,
  })
  const [a, b] = [await load(workspace, 'a.js'), await load(workspace, 'b.js')]
  const ofA = await a!.call(captureFunction, a!['fn']!)
  const ofB = await b!.call(captureFunction, b!['fn']!)
  assert.equal(ofA.code, ofB.code)
  assert.deepEqual(ofB.sourceMap?.sources, [pathToFileURL(path.join(workspace.project, 'a.js')).href])
  const unplaced = captureFunction(runInThisContext(`() => '${['of', 'no', 'file'].join(' ')}'`) as AnyFunction)
  assert.equal(unplaced.sourceMap, undefined)
})

test('each function of a chain leads to its own file', async () => {
  const fnOf = (name: string, body: string): string => `${CALL}\nexport const ${name} = (x) => {\n  ${body}\n}\n`
  await using workspace = await Workspace.create({
    'package.json': '{ "type": "module" }',
    'a.js': fnOf('a', 'return x + 1'),
    'b.js': fnOf('b', 'if (x > 1) throw new Error(x)\n  return x'),
  })
  const [{ a }, { b }] = [await load(workspace, 'a.js'), await load(workspace, 'b.js')]
  const captured = captureFunction(chainOf([a!, b!, a!]))
  const chain = await workspace.load(captured)
  const stack = await stackOf(() => chain([0, 1, 2], [0, 0, 0], [[1], [0], [0]]))
  assert.equal(placesIn(workspace, stack)[0], 'b.js:4:20')
})

test('of very long text a stack tells the line, or nothing', async () => {
  const lines = Array.from({ length: 4_000 }, (_, i) => `  x = [x, ${i}, x, ${i}, x]`).join('\n')
  const text = `${CALL}export const lines = (x) => {\n${lines}\n  return (1, x).slice(5).at(1).y\n}\n`
  await using workspace = await Workspace.create({
    'package.json': '{ "type": "module" }',
    'long.js': text,
    'longer.js': text.replaceAll('\n', '\n\n\n').replace(/^ {2}x = /gm, '\n;[]\n;[]\n; x = '),
  })
  const long = await load(workspace, 'long.js')
  const captured = await long.call(captureFunction, long['lines']!)
  const size = captured.sourceMap?.mappings.length ?? 0
  assert.ok(size > 4_000 && size <= MAX_SOURCE_MAP_BYTES, `${size} bytes`)
  assert.match((await placesOf(workspace, long['lines']!, long.call))[0] ?? '', /^long\.js:4003:\d+$/)
  const longer = await load(workspace, 'longer.js')
  const left = await longer.call(captureFunction, longer['lines']!)
  assert.equal(left.sourceMap, undefined)
})

test('maps that cannot be read leave the place in the compiled file', async () => {
  const text = (map: string): string =>
    `${CALL}export const fn = () => { throw new Error('${map}') }\n//# sourceMappingURL=${map}\n`
  const broken = ['missing.js.map', 'data:application/json,no', 'list.js.map', 'https://localhost/a.map', 'data:,null']
  await using workspace = await Workspace.create({
    'package.json': '{ "type": "module" }',
    'list.js.map': '{ "version": 3, "sections": [] }',
    ...Object.fromEntries(broken.map((map, i) => [`${i}.js`, text(map)])),
  })
  for (const i of broken.keys()) {
    const { fn, call } = await load(workspace, `${i}.js`)
    assert.deepEqual(await placesOf(workspace, fn!, call), [`${i}.js:2:33`])
  }
})

test('a stack calls a function by its name, which its map has where it begins', async () => {
  const text = `${CALL}export const shortName = (x) => x.y.named\n`
  await using workspace = await Workspace.create({ 'package.json': '{ "type": "module" }', 'a.js': text })
  const { shortName, call } = await load(workspace, 'a.js')
  const loaded = await workspace.load(await call(captureFunction, shortName!))
  assert.match(await stackOf(() => loaded({})), /^ +at shortName \(\S+a\.js:2:37\)$/m)
})

test('what is written as mappings is what Node reads, and what is read again from any place on', () => {
  const number = fc.nat(300)
  const entry = fc.record({
    line: fc.nat(6),
    column: number,
    source: fc.nat(2),
    sourceLine: number,
    sourceColumn: number,
    name: fc.integer({ min: -1, max: 1 }),
  })
  const sorted = fc
    .uniqueArray(entry, { selector: ({ line, column }) => `${line} ${column}`, minLength: 1 })
    .map((list) => {
      return list.sort((a: MapEntry, b: MapEntry) => a.line - b.line || a.column - b.column)
    })
  fc.assert(
    fc.property(sorted, fc.nat(6), number, fc.nat(6), (entries, line, column, further) => {
      const mappings = writeMappings(entries)
      const map = new SourceMap({
        file: '',
        version: 3,
        sources: ['a', 'b', 'c'],
        sourcesContent: [],
        names: ['x', 'y'],
        mappings,
        sourceRoot: '',
      })
      for (const { line, column, source, sourceLine, sourceColumn } of entries) {
        const found = map.findEntry(line, column) as {
          originalSource: string
          originalLine: number
          originalColumn: number
        }
        assert.deepEqual(
          [found.originalSource, found.originalLine, found.originalColumn],
          ['abc'[source], sourceLine, sourceColumn],
        )
      }
      const covering = entries.findLast((each) => each.line === line && each.column <= column)
      const expected = entries
        .filter(
          (each) => each.line <= line + further && (each.line > line || (each.line === line && each.column > column)),
        )
        .map((each) => ({
          ...each,
          line: each.line - line,
          column: each.line === line ? each.column - column : each.column,
        }))
      if (covering !== undefined) expected.unshift({ ...covering, line: 0, column: 0 })
      assert.deepEqual(readMappings(mappings, { line, column }, line + further), expected)
    }),
  )
  assert.deepEqual(readMappings('A!', { line: 0, column: 0 }, 0), [])
})

test('the file of a function gives back its source and its map', () => {
  const source = Buffer.from("() => '\n//# sourceMappingURL=data:application/json;base64,'")
  for (const sourceMap of [
    undefined,
    ...['AAAA;AACA', ';AAAA'].map((mappings) => ({ sources: ['file:///a.ts'], names: ['a'], mappings })),
  ]) {
    const read = readFunctionFile(Buffer.from(writeFunctionFile({ source, sourceMap })))
    assert.deepEqual([read?.source.toString(), read?.sourceMap], [source.toString(), sourceMap])
  }
  assert.equal(readFunctionFile(Buffer.from('export const a = 1')), undefined)
})
