import assert from 'node:assert/strict'
import test from 'node:test'
import { runInThisContext } from 'node:vm'
import { captureFunction } from '../../client/capture/function.js'
import { FunctionNotPortableError } from '../../protocol/errors.js'
import { Workspace } from './workspace.js'

type AnyFunction = (...args: never[]) => unknown

/** Functions are made from text, so that nothing but their text decides what they are. */
const functionFrom = (source: string): AnyFunction => runInThisContext(`(${source})`) as AnyFunction

/** What makes it special, its source, its arguments, and what it returns. */
const PORTABLE: readonly (readonly [string, string, readonly unknown[], unknown])[] = [
  ['an arrow', 'x => x + 1', [1], 2],
  ['an async arrow', 'async (x) => (await x) * 2', [4], 8],
  ['a function', 'function (x) { return x * 2 }', [4], 8],
  [
    'a function that calls itself by its name',
    'function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }',
    [10],
    55,
  ],
  ['an async function', 'async function f(x) { return x }', [1], 1],
  ['a shorthand method', '{ twice(x) { return x * 2 } }.twice', [4], 8],
  ['an async shorthand method', '{ async twice(x) { return x * 2 } }.twice', [4], 8],
  ['a method with a text for a name', "{ 'a b'(x) { return x } }['a b']", [1], 1],
  ['a method with a computed name', "{ ['a' + 1](x) { return x } }['a1']", [1], 1],
  ['an async method with a computed name', "{ async ['a' + 1](x) { return x } }['a1']", [1], 1],
  ['a getter', "Object.getOwnPropertyDescriptor({ get v() { return 7 } }, 'v').get", [], 7],
  ['a static method of a class', '(class { static twice(x) { return x * 2 } }).twice', [4], 8],
  ['a method of a class', '(class { twice(x) { return x * 2 } }).prototype.twice', [4], 8],
  ['a method named like a keyword', '{ delete(x) { return x } }.delete', [1], 1],
  ['a method named function', '{ function(x) { return x } }.function', [1], 1],
  ['a method named get', '{ get(x) { return x } }.get', [1], 1],
  [
    'globals of the language',
    '(x) => [Math.max(...x), JSON.stringify(x), isNaN(NaN), typeof undefined]',
    [[1, 2]],
    [2, '[1,2]', true, 'undefined'],
  ],
  [
    'globals of Node',
    '() => [typeof process.pid, Buffer.from("a").length, new URL("http://a/b").pathname]',
    [],
    ['number', 1, '/b'],
  ],
  ['globalThis', '() => globalThis === global', [], true],
  ['a name only under typeof', '() => typeof window', [], 'undefined'],
  ['names of members', '(o) => o.alpha.beta', [{ alpha: { beta: 1 } }], 1],
  ['keys of objects', '() => ({ alpha: 1, "b-c": 2, 3: 4 })', [], { alpha: 1, 'b-c': 2, 3: 4 }],
  ['shorthand properties of parameters', '(alpha, beta) => ({ alpha, beta })', [1, 2], { alpha: 1, beta: 2 }],
  [
    'destructured parameters',
    '({ a, b: { c = 2, ...d }, ...e }, [f, , ...g]) => [a, c, d, e, f, g]',
    [{ a: 1, b: { x: 3 }, y: 4 }, [5, 6, 7]],
    [1, 2, { x: 3 }, { y: 4 }, 5, [7]],
  ],
  ['defaults from earlier parameters', '(a, b = a + 1, { c = b + 1 } = {}) => [a, b, c]', [1], [1, 2, 3]],
  ['computed keys in patterns', '(key, { [key]: value }) => value', ['a', { a: 1 }], 1],
  ['let and const in blocks', '(x) => { let a = x; { const b = a; a = b + 1 } return a }', [1], 2],
  ['var in a block, used outside', '(x) => { if (x) { var a = x } return a }', [1], 1],
  ['var used before it', '() => { a = 1; var a; return a }', [], 1],
  ['a function used before it', '() => { return inner(); function inner() { return 1 } }', [], 1],
  [
    'a class used inside',
    '(x) => { class A { constructor(v) { this.v = v } get() { return this.v } } return new A(x).get() }',
    [1],
    1,
  ],
  [
    'a class that extends another',
    '() => { class A { f() { return 1 } } class B extends A { f() { return super.f() + 1 } } return new B().f() }',
    [],
    2,
  ],
  [
    'class fields and static blocks',
    '() => { class A { a = 1; b = this.a + 1; static c; static { this.c = 3 } } return [new A().b, A.c] }',
    [],
    [2, 3],
  ],
  [
    'private members',
    '(x) => { class A { #v; constructor(v) { this.#v = v } static has(o) { return #v in o } get v() { return this.#v } } const a = new A(x); return [a.v, A.has(a)] }',
    [1],
    [1, true],
  ],
  [
    'computed members of classes',
    '(k) => { class A { [k]() { return 1 } static [k] = 2 } return [new A()[k](), A[k]] }',
    ['a'],
    [1, 2],
  ],
  ['named class expressions', '() => { const A = class B { static f() { return B.name } }; return A.f() }', [], 'B'],
  [
    'super in an object',
    '() => { const o = { __proto__: { f() { return 1 } }, f() { return super.f() + 1 } }; return o.f() }',
    [],
    2,
  ],
  ['catch with a pattern', '() => { try { throw { a: 1 } } catch ({ a }) { return a } }', [], 1],
  ['catch without a name', '() => { try { throw 1 } catch { return 2 } }', [], 2],
  ['labels', '() => { outer: for (;;) { for (;;) { break outer } } return 1 }', [], 1],
  [
    'continue to a label',
    '() => { let n = 0; next: for (const a of [1, 2]) { for (;;) { n += a; continue next } } return n }',
    [],
    3,
  ],
  [
    'for of with a pattern',
    '(x) => { let s = 0; for (const [a, { b }] of x) s += a + b; return s }',
    [[[1, { b: 2 }]]],
    3,
  ],
  ['for in', '(x) => { const ks = []; for (const k in x) ks.push(k); return ks }', [{ a: 1 }], ['a']],
  ['for with let', '() => { let s = 0; for (let i = 0; i < 3; i++) s += i; return s }', [], 3],
  ['for with var, used after', '() => { for (var i = 0; i < 3; i++); return i }', [], 3],
  ['for await', 'async (x) => { let s = 0; for await (const v of x) s += v; return s }', [[1, 2]], 3],
  ['switch with let', '(x) => { switch (x) { case 1: let y = 2; return y; default: return 0 } }', [1], 2],
  ['arguments', 'function () { return arguments.length }', [1, 2], 2],
  ['arguments in an arrow of a function', 'function () { return (() => arguments[0])() }', [1], 1],
  ['new.target', 'function () { return new.target }', [], undefined],
  ['this of its own', 'function () { return this }', [], undefined],
  ['assignments to patterns', '(x) => { let a, b; [a, { b }] = x; return [a, b] }', [[1, { b: 2 }]], [1, 2]],
  ['templates and tags', '(x) => String.raw`a${x}\\n`', [1], 'a1\\n'],
  ['optional chains', '(x) => x?.a?.[0]?.(2)', [{ a: undefined }], undefined],
  ['regular expressions', '(x) => /(?<year>\\d+)/u.exec(x).groups.year', ['a 2024'], '2024'],
  ['logical assignment', '(x) => { let a; a ??= x; a ||= 2; a &&= 3; return a }', [1], 3],
  ['big integers and separators', '() => [1_000, 2n ** 64n]', [], [1000, 2n ** 64n]],
  ['an inner generator', '() => { function* g() { yield* [1, 2] } return [...g()] }', [], [1, 2]],
  [
    'an inner async generator',
    'async () => { async function* g() { yield 1 } const r = []; for await (const v of g()) r.push(v); return r }',
    [],
    [1],
  ],
  ['import of a module of Node', "async (x) => (await import('node:path')).basename(x)", ['/a/b'], 'b'],
  ['import by a computed name', "async (x) => (await import('node:' + x)).sep", ['path'], '/'],
  ['require, from CommonJS', "(x) => require('node:path').basename(x)", ['/a/b'], 'b'],
  ['a comment at the end', '(x) => { return x // the value\n}', [1], 1],
  ['a local that hides a global', '() => { const process = 1; return process }', [], 1],
  ['a parameter named like a helper', '(__name, require) => __name + require', [1, 2], 3],
  ['unicode names', '(größe) => größe + "\\u{1F600}"', [1], '1😀'],
  ['the comma and a void', '(x) => (void 0, x)', [1], 1],
  ['the names undefined, NaN and Infinity', '() => [undefined, NaN, Infinity]', [], [undefined, NaN, Infinity]],
  ['a deep expression', `(x) => ${Array(2_000).fill('x').join('+')}`, [1], 2_000],
]

test('a function that needs nothing from its surroundings runs elsewhere as it does here', async (t) => {
  await using workspace = await Workspace.create()
  for (const [what, source, args, expected] of PORTABLE) {
    await t.test(what, async () => {
      const fn = await workspace.load(captureFunction(functionFrom(source)))
      assert.deepEqual(await fn(...args), expected)
    })
  }
})

test('a generator function travels, too', async () => {
  await using workspace = await Workspace.create()
  const sources = [
    'function* (n) { for (let i = 0; i < n; i++) yield i }',
    '{ *count(n) { yield* Array(n).keys() } }.count',
    "{ *['c'](n) { yield* Array(n).keys() } }.c",
  ]
  for (const source of sources) {
    const fn = await workspace.load(captureFunction(functionFrom(source)))
    assert.deepEqual([...(fn(3) as Iterable<number>)], [0, 1, 2])
  }
})

/** What makes it stay, its source, and the names that the error must give, in this order. */
const NOT_PORTABLE: readonly (readonly [string, string, readonly string[]])[] = [
  ['a name', '() => alpha', ['alpha']],
  ['a call', '() => alpha(1)', ['alpha']],
  ['several names, in their order, each once', '() => [gamma, alpha, beta, alpha]', ['gamma', 'alpha', 'beta']],
  ['an object whose member is read', '() => config.url', ['config']],
  ['an assignment', '(x) => { total = x }', ['total']],
  ['an increment', '() => counter++', ['counter']],
  ['a shorthand property', '() => ({ alpha })', ['alpha']],
  ['a computed key', '() => ({ [alpha]: 1 })', ['alpha']],
  ['a computed member', '(o) => o[alpha]', ['alpha']],
  ['a default', '(x = alpha) => x', ['alpha']],
  ['a default in a pattern', '({ a = alpha }) => a', ['alpha']],
  ['a computed key in a pattern', '({ [alpha]: a }) => a', ['alpha']],
  ['a default that does not see the body', '(x = alpha) => { var alpha = 1; return x + alpha }', ['alpha']],
  ['a let used outside its block', '(x) => { { let a = x } return a }', ['a']],
  ['a function used outside its block', '(x) => { if (x) { function f() {} } return f }', ['f']],
  ['the name of a catch used outside', '() => { try {} catch (error) {} return error }', ['error']],
  ['a loop variable used outside', '() => { for (const i of []); return i }', ['i']],
  ['the variable of a switch in its head', '() => { switch (y) { case 1: let y } }', ['y']],
  ['a named function used outside', '() => { (function inner() {}); return inner }', ['inner']],
  ['a named class used outside', '() => { (class Inner {}); return Inner }', ['Inner']],
  ['a parameter of another function', '() => { (function (a) {}); return a }', ['a']],
  ['a tag', '() => alpha`x`', ['alpha']],
  ['a name both under typeof and used', "() => typeof window === 'object' && window.name", ['window']],
  ['a member under typeof', '() => typeof config.url', ['config']],
  ['a parent class', '() => { class A extends Base {} return A }', ['Base']],
  ['a class field', '() => { class A { a = alpha } return A }', ['alpha']],
  ['a computed member of a class', '() => { class A { [alpha]() {} } return A }', ['alpha']],
  ['a static block', '() => { class A { static { alpha() } } return A }', ['alpha']],
  ['a var of a static block used outside', '() => { class A { static { var a = 1 } } return a }', ['a']],
  ['an assignment to a pattern', '(x) => { [alpha, { b: beta }] = x }', ['alpha', 'beta']],
  ['a spread', '() => [...alpha]', ['alpha']],
  ['new', '() => new Parser()', ['Parser']],
  ['instanceof', '(x) => x instanceof Parser', ['Parser']],
  ['an optional call', '() => alpha?.(1)', ['alpha']],
  ['a nested function', '() => [1].map((x) => x * factor)', ['factor']],
  ['a template', '() => `${alpha}`', ['alpha']],
  ['this in an arrow', '() => this.factor', ['this']],
  ['this in an arrow in an arrow', '(x) => x.map((y) => y * this.factor)', ['this']],
  ['arguments in an arrow', '() => arguments[0]', ['arguments']],
  ['super in a method', '{ toString() { return super.toString() } }.toString', ['super']],
  ['a private name of the class around', '(class { #v = 1; static get(o) { return o.#v } }).get', ['#v']],
  ['names of a CommonJS module', '() => [__filename, module, exports]', ['__filename', 'module', 'exports']],
  ['names of test runners', '() => expect(describe)', ['expect', 'describe']],
  [
    'an import of Vite',
    '() => (0, __vite_ssr_import_0__.helper)(1) + __vite_ssr_import_1__.LIMIT',
    ['helper', 'LIMIT'],
  ],
  ['an import of Vitest', '() => (0, __vi_import_0__.helper)(1)', ['helper']],
  ['an import of TypeScript to CommonJS', '() => (0, helper_js_1.helper)(1)', ['helper']],
  ['a constant imported by TypeScript to CommonJS', '() => helper_js_1.LIMIT', ['helper_js_1.LIMIT']],
  ['an import of SWC', '() => (0, _helper.helper)(1)', ['helper']],
  ['an import of esbuild to CommonJS', '() => (0, import_helper.helper)(1)', ['helper']],
  ['an import of webpack', '() => (0, _helper_js__WEBPACK_IMPORTED_MODULE_0__.helper)(1)', ['helper']],
  ['this, as old targets name it', 'function () { return _this.factor }', ['this']],
  ['import.meta, as Vite names it', '() => __vite_ssr_import_meta__.url', ['import.meta']],
]

test('a function that uses a name from its surroundings is refused, with the names and the remedies', async (t) => {
  for (const [what, source, names] of NOT_PORTABLE) {
    await t.test(what, () => {
      const { message } = refusalOf(functionFrom(source))
      assert.deepEqual(
        message
          .split(' from its surroundings')[0]
          ?.match(/"[^"]+"/g)
          ?.slice(1, names.length + 2),
        names.map((name) => `"${name}"`),
        message,
      )
      if (names[0] === 'import.meta') return
      for (const remedy of ['pass ', 'await import()', 'client.module(']) assert.ok(message.includes(remedy), message)
    })
  }
})

test('the refusal is one sentence that names the function', () => {
  const { message } = refusalOf(functionFrom('function resize(file) { return sharp(file, options) }'))
  assert.equal(
    message,
    'The function "resize" uses "sharp" and "options" from its surroundings, which do not travel to a worker with it: ' +
      'pass them as arguments, import them inside with await import(), or put the function into a module and use ' +
      "client.module(new URL('./tasks.ts', import.meta.url)).",
  )
})

test('an arrow that calls itself is told how to', () => {
  const { message } = refusalOf(runInThisContext('{ const fib = (n) => n < 2 ? n : fib(n - 1); fib }') as AnyFunction)
  assert.match(message, /can be written as function fib\(…\)/)
})

test('what has no source of its own is refused with what to do instead', () => {
  const cases: readonly (readonly [AnyFunction, RegExp])[] = [
    [parseInt, /"parseInt" is native.*\(\.\.\.args\) => parseInt\(\.\.\.args\)/],
    [(() => 1).bind(undefined), /is bound/],
    [new Proxy(() => 1, {}), /is native/],
    [functionFrom('class Counter {}'), /"Counter" is a class/],
    [functionFrom('(class { static #p() {} static get() { return this.#p } }).get()'), /strict code/],
    [functionFrom('function () { with ({}) {} }'), /strict code.*'with'/],
  ]
  for (const [fn, expected] of cases) assert.match(refusalOf(fn).message, expected)
})

test('import.meta is refused, for it is not that of the file', () => {
  // Printed by a module's function; a script cannot hold one.
  assert.match(refusalOf(() => import.meta.url).message, /"import\.meta".*pass import\.meta\.url as an argument/)
})

test('an import of a file beside the function is refused when it is submitted', () => {
  for (const source of [
    "() => import('./helper.js')",
    "() => require('../helper')",
    "() => __vite_ssr_dynamic_import__('/src/helper.ts')",
  ]) {
    assert.match(refusalOf(functionFrom(source)).message, /imports ".*helper.*client\.module\(/)
  }
})

test('capturing is remembered by function and by source', () => {
  const make = (): AnyFunction => functionFrom('(x) => x * 3')
  const fn = make()
  const first = captureFunction(fn)
  assert.equal(captureFunction(fn), first)
  const again = captureFunction(make())
  assert.equal(again.source, first.source)
  assert.equal(again.code, first.code)
})

test('the name is for people, and is no part of the code', () => {
  const named = captureFunction(runInThisContext('{ const triple = (x) => x * 3; triple }') as AnyFunction)
  const anonymous = captureFunction(functionFrom('(x) => x * 3'))
  assert.equal(named.name, 'triple')
  assert.equal(anonymous.name, 'anonymous')
  assert.equal(named.code, anonymous.code)
  assert.match(named.code, /^[0-9a-f]{64}$/)
})

function refusalOf(fn: AnyFunction): FunctionNotPortableError {
  try {
    captureFunction(fn)
  } catch (error) {
    assert.ok(error instanceof FunctionNotPortableError, String(error))
    assert.equal(error.code, 'ERR_HEDDLE_FUNCTION_NOT_PORTABLE')
    return error
  }
  return assert.fail(`not refused: ${String(fn)}`)
}
