/** Functions as compilers and test runners leave them: by running the compilers that are here, as text for the others. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import test from 'node:test'
import { runInThisContext } from 'node:vm'
import { transformSync } from 'esbuild'
import ts from 'typescript'
import { captureFunction } from '../../client/capture/function.js'
import { FunctionNotPortableError } from '../../protocol/errors.js'
import { Workspace } from './workspace.js'

type AnyFunction = (...args: never[]) => unknown

/** A module's text exports `task`; each is as its author wrote it, with what it returns. */
const TASKS: readonly (readonly [string, string, readonly unknown[], unknown])[] = [
  [
    'inner functions',
    'export const task = (x) => { const inner = (y) => y + 1; function other() { return inner(x) } return [other(), inner.name] }',
    [1],
    [2, 'inner'],
  ],
  ['async', 'export const task = async (x, y = 2) => { const a = await x; return a + (await y) }', [1], 3],
  ['an async function with arguments', 'export async function task(x) { await null; return x + 1 }', [1], 2],
  [
    'a failing await',
    'export const task = async () => { try { await Promise.reject(new Error("no")) } catch (e) { return e.message } finally { await null } }',
    [],
    'no',
  ],
  [
    'nested try',
    'export const task = async () => { const r = []; for (const n of [1, 2, 3]) { try { try { if (n === 2) throw n; if (n === 3) break; r.push(await n) } finally { r.push("f" + n); await null } } catch (e) { r.push("c" + e) } } return r }',
    [],
    [1, 'f1', 'f2', 'c2', 'f3'],
  ],
  ['return in finally', 'export const task = async (x) => { try { return await x } finally { await null } }', [1], 1],
  [
    'import',
    'export const task = async (x) => { const { basename } = await import("node:path"); return basename(x) }',
    ['/a/b'],
    'b',
  ],
  [
    'import of a default',
    'export const task = async () => { const path = await import("node:path"); return path.default.sep + path.sep }',
    [],
    '//',
  ],
  [
    'import of a CommonJS package',
    'export const task = async () => { const m = await import("plain"); return [m.one, m.default.one] }',
    [],
    [1, 1],
  ],
  [
    'import of a CommonJS package that is a function',
    'export const task = async () => (await import("callable")).default(1)',
    [],
    2,
  ],
  [
    'object rest and spread',
    'export const task = ({ a, ...rest }) => ({ a: 2, ...rest, z: a })',
    [{ a: 1, b: 3, c: 4 }],
    { a: 2, b: 3, c: 4, z: 1 },
  ],
  [
    'array spread',
    'export const task = (...xs) => [0, ...xs, ...new Set(xs), Math.max(...xs)]',
    [1, 1, 2],
    [0, 1, 1, 2, 1, 2, 2],
  ],
  [
    'array patterns over anything',
    'export const task = (m) => { const [[k, v], ...more] = m; const [first] = (function* () { yield 1; throw new Error("too far") })(); return [k, v, more, first] }',
    [
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
    ],
    ['a', 1, [['b', 2]], 1],
  ],
  [
    'for of',
    'export const task = (xs) => { const r = []; for (const [k, v] of xs) { if (k === "b") continue; r.push(() => k + v) } return r.map((f) => f()) }',
    [
      new Map([
        ['a', 1],
        ['b', 2],
        ['c', 3],
      ]),
    ],
    ['a1', 'c3'],
  ],
  [
    'generators',
    'export const task = (n) => { function* g() { for (let i = 0; i < n; i++) { const got = yield i; if (got) return got } } function* h() { yield* g(); yield* [8, 9]; try { yield 10 } finally { yield 11 } } return [...h()] }',
    [2],
    [0, 1, 8, 9, 10, 11],
  ],
  [
    'generators that are left early',
    'export const task = () => { const r = []; function* g() { try { yield 1; yield 2 } finally { r.push("left") } } for (const x of g()) { r.push(x); break } return r }',
    [],
    [1, 'left'],
  ],
  [
    'values sent into generators',
    'export const task = () => { function* g() { try { const a = yield 1; const b = yield a + 1; return a + b } catch (e) { yield "c" + e } } const i = g(); const j = g(); j.next(); return [i.next().value, i.next(5).value, i.next(6), i.next(), j.throw("x").value] }',
    [],
    [1, 6, { value: 11, done: true }, { value: undefined, done: true }, 'cx'],
  ],
  [
    'async generators',
    'export const task = async () => { async function* g() { const a = await 1; yield a; try { yield await Promise.resolve(2) } finally { await null } } const r = []; for await (const x of g()) r.push(x); return r }',
    [],
    [1, 2],
  ],
  [
    'async generators that delegate',
    'export const task = async () => { async function* g() { yield 1; return 3 } async function* h() { const x = yield* g(); yield* [2]; yield x } const r = []; for await (const x of h()) r.push(x); return r }',
    [],
    [1, 2, 3],
  ],
  [
    'async generators that are left early',
    'export const task = async () => { const r = []; async function* g() { try { yield 1; yield 2 } finally { r.push("left") } } for await (const x of g()) { r.push(x); break } return r }',
    [],
    [1, 'left'],
  ],
  [
    'for await over values',
    'export const task = async () => { const r = []; for await (const x of [Promise.resolve(1), 2]) r.push(x); return r }',
    [],
    [1, 2],
  ],
  [
    'classes',
    'export const task = () => { class A { constructor(v) { this.v = v } get double() { return this.v * 2 } static of(v) { return new this(v) } } class B extends A { double2() { return super.double + 1 } } const b = B.of(2); return [b.double, b.double2 ? b.v : 0, b instanceof A] }',
    [],
    [4, 2, true],
  ],
  [
    'private fields',
    'export const task = (x) => { class A { #v = x; static n = 1; w = 2; add(y) { this.#v += y; return this.#v } static has(o) { return #v in o } } const a = new A(); return [a.add(2), A.has(a), A.has({}), a.w, A.n] }',
    [1],
    [3, true, false, 2, 1],
  ],
  [
    'optional chains and nullish',
    'export const task = (o) => [o?.a?.b ?? 1, o?.f?.(2)]',
    [{ f: (x: number) => x }],
    [1, 2],
  ],
  ['powers', 'export const task = (x) => { let y = x ** 2; y **= 2; return y }', [3], 81],
  ['templates', 'export const task = (x) => `${x}-${[x].map((y) => `${y}!`)}`', [1], '1-1!'],
  ['this of its own', 'export const task = function () { return [1].map(() => this === undefined) }', [], [true]],
  [
    'enough of using',
    'export const task = () => { const r = []; { using a = { [Symbol.dispose]: () => r.push("a") }; using b = { [Symbol.dispose]: () => r.push("b") }; r.push("in") } return r }',
    [],
    ['in', 'b', 'a'],
  ],
  [
    'await using that fails',
    'export const task = async () => { const r = []; try { await using a = { [Symbol.asyncDispose]: async () => { await null; throw new Error("late") } }; throw new Error("early") } catch (e) { r.push(e.error.message, e.suppressed.message) } return r }',
    [],
    ['late', 'early'],
  ],
]

const PACKAGES = {
  'node_modules/plain/package.json': '{ "name": "plain", "main": "index.js" }',
  'node_modules/plain/index.js': 'exports.one = 1',
  'node_modules/callable/package.json': '{ "name": "callable", "main": "index.js" }',
  'node_modules/callable/index.js': 'module.exports = (x) => x + 1',
}

interface Compiler {
  readonly name: string
  readonly compile: (text: string) => string
  /** Tasks that it cannot compile, or for which it leaves a part outside of the function; that is refused. */
  readonly leavesOut?: readonly string[]
}

const typescript =
  (target: ts.ScriptTarget, more: ts.CompilerOptions = {}) =>
  (text: string) => {
    const compilerOptions = {
      target,
      module: ts.ModuleKind.CommonJS,
      esModuleInterop: true,
      downlevelIteration: true,
      ...more,
    }
    return ts.transpileModule(text, { compilerOptions }).outputText
  }
const esbuild = (target: string) => (text: string) =>
  transformSync(text, { target, format: 'cjs', keepNames: true }).code

const COMPILERS: readonly Compiler[] = [
  { name: 'TypeScript to ES5', compile: typescript(ts.ScriptTarget.ES5) },
  { name: 'TypeScript to ES2015', compile: typescript(ts.ScriptTarget.ES2015) },
  { name: 'TypeScript to ES2017', compile: typescript(ts.ScriptTarget.ES2017) },
  { name: 'TypeScript to ES2022', compile: typescript(ts.ScriptTarget.ES2022) },
  { name: 'TypeScript with tslib', compile: typescript(ts.ScriptTarget.ES2015, { importHelpers: true }) },
  { name: 'esbuild to ES2016', compile: esbuild('es2016') },
  { name: 'esbuild to Node 20', compile: esbuild('node20') },
  { name: 'esbuild as it comes', compile: esbuild('esnext'), leavesOut: ['enough of using', 'await using that fails'] },
]

for (const { name, compile, leavesOut = [] } of COMPILERS) {
  test(`functions compiled by ${name} run elsewhere as they were written`, async (t) => {
    await using workspace = await Workspace.create(PACKAGES)
    for (const [what, text, args, expected] of TASKS) {
      if (leavesOut.includes(what)) continue
      await t.test(what, async () => {
        const fn = await workspace.load(captureFunction(taskOf(compile(text))))
        assert.deepEqual(await fn(...args), expected)
      })
    }
  })
}

/** What other tools print for one function, as seen in their output. */
const PRINTED: readonly (readonly [string, string, readonly unknown[], unknown])[] = [
  [
    'Vitest: import',
    "async (x) => { const { basename } = await __vite_ssr_dynamic_import__('node:path'); return basename(x) }",
    ['/a/b'],
    'b',
  ],
  [
    'tsx: import',
    'async (x) => { const inner = /* @__PURE__ */ __name((y) => y, "inner"); const m = await import(\'node:path\').then((mod) => mod); return inner(m.basename(x)) }',
    ['/a/b'],
    'b',
  ],
  [
    'SWC: import to CommonJS',
    'async (x)=>{ const { basename } = await Promise.resolve().then(()=>/*#__PURE__*/ _interop_require_wildcard(require("node:path"))); return basename(x) }',
    ['/a/b'],
    'b',
  ],
  ['SWC: async for old targets', '(x)=>_async_to_generator(function*() { const y = yield x; return y + 1 })()', [1], 2],
  [
    'SWC: helpers from its package',
    '(x)=>_async_to_generator._(function*() { return _object_spread_props._(_object_spread._({}, yield x), { b: 2 }) })()',
    [{ a: 1 }],
    { a: 1, b: 2 },
  ],
  [
    'Babel: async for old targets',
    '(x) => _asyncToGenerator(function* () { const [a, b] = _slicedToArray(yield x, 2); return [..._toConsumableArray(b), a] })()',
    [[1, [2]]],
    [2, 1],
  ],
  [
    'Babel: helpers from its package',
    '(x) => (0, _asyncToGenerator2.default)(function* () { return (0, _objectWithoutProperties2.default)(yield x, ["a"]) })()',
    [{ a: 1, b: 2 }],
    { b: 2 },
  ],
  [
    'Istanbul',
    '(x) => { cov_1a2b3c().f[0]++; cov_1a2b3c().s[3]++; if (x) { cov_1a2b3c().b[0][0]++; cov_1a2b3c().s[4]++; return (cov_1a2b3c().b[1][0]++, x) } else { cov_1a2b3c().b[0][1]++ } }',
    [1],
    1,
  ],
]

test('functions as other tools print them run elsewhere as they were written', async (t) => {
  await using workspace = await Workspace.create()
  for (const [what, source, args, expected] of PRINTED) {
    await t.test(what, async () => {
      const fn = await workspace.load(captureFunction(runInThisContext(`(${source})`) as AnyFunction))
      assert.deepEqual(await fn(...args), expected)
    })
  }
})

test('a compiled async arrow that uses this from its surroundings is refused all the same', () => {
  for (const { name, compile } of COMPILERS) {
    const task = taskOf(
      compile('export const task = make.call({ factor: 2 }); function make() { return async (x) => x * this.factor }'),
    )
    assert.throws(
      () => captureFunction(task),
      { code: 'ERR_HEDDLE_FUNCTION_NOT_PORTABLE', message: /uses "this"/ },
      name,
    )
  }
})

test('a compiled async arrow inside a method travels when it does not use this', async () => {
  await using workspace = await Workspace.create()
  // To ES5 TypeScript hands on the `this` around an arrow as a variable, used or not: that is refused.
  for (const { compile } of COMPILERS.slice(1)) {
    const task = taskOf(
      compile('export const task = make.call({ factor: 2 }); function make() { return async (x) => x * 2 }'),
    )
    const fn = await workspace.load(captureFunction(task))
    assert.equal(await fn(3), 6)
  }
})

test('an imported binding is named as the author did, whatever compiler renamed it', () => {
  const text = "import { basename } from 'node:path'; export const task = (x) => basename(x)"
  for (const { name, compile } of COMPILERS) {
    assert.throws(() => captureFunction(taskOf(compile(text))), { message: /uses "basename"/ }, name)
  }
})

test('an async function that SWC or Babel took apart is refused with the reason', () => {
  const task = runInThisContext('(function work(x) { return _work.apply(this, arguments) })') as AnyFunction
  assert.throws(
    () => captureFunction(task),
    (error) => error instanceof FunctionNotPortableError && error.message.includes('older than ES2017'),
  )
})

/** Runs the compiled text as a CommonJS module and takes its `task`. */
function taskOf(compiled: string): AnyFunction {
  const module = { exports: {} as { task?: AnyFunction } }
  const run = runInThisContext(`(function (exports, require, module) {${compiled}\n})`) as (...args: unknown[]) => void
  const require = createRequire(import.meta.url)
  run(module.exports, (name: string) => (name === 'tslib' ? {} : (require(name) as unknown)), module)
  assert.ok(module.exports.task, compiled)
  return module.exports.task
}
