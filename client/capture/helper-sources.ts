/**
 * What compilers and test runners put around a function and its source does not show: `__name` of esbuild and tsx,
 * `__awaiter` of TypeScript, `_async_to_generator` of SWC, and so on. A function that calls one travels with ours, which
 * does the same with the means of today's Node. Each is text, because that is what travels; the tests run real
 * compilers against them.
 */

export interface Helper {
  readonly source: string
  /** Helpers that `source` calls. */
  readonly uses?: readonly string[]
}

/** Runs a generator as the body of an async function. */
const RUN_GENERATOR = `(body, self, args) => new Promise((resolve, reject) => {
  const generator = body.apply(self, args ?? []);
  const step = (method, value) => {
    try {
      const { done, value: result } = generator[method](value);
      if (done) resolve(result);
      else Promise.resolve(result).then((value) => step('next', value), (error) => step('throw', error));
    } catch (error) { reject(error); }
  };
  step('next');
})`

/** What `import * as` makes of a CommonJS module. */
const NAMESPACE = `(module) => Object.create(null, {
  ...Object.getOwnPropertyDescriptors(Object(module)), default: { value: module, enumerable: true }
})`
const IMPORT_ALL = `(module) => module?.__esModule ? module : __namespace(module)`
const IMPORT_DEFAULT = `(module) => module?.__esModule ? module : { default: module }`

/** All but some properties. */
const REST = `(object, without) => {
  const rest = { ...object };
  for (const key of without) delete rest[key];
  return rest;
}`
/** The first items of anything that can be iterated, and no more. */
const TAKE = `(source, count = Infinity) => {
  const items = [];
  if (count > 0) for (const item of source) if (items.push(item) >= count) break;
  return items;
}`

/** TypeScript's state machine: `body` runs to its next jump and says, as [what, value], where to go on. */
const GENERATOR = `(self, body) => {
  const NEXT = 0, THROW = 1, RETURN = 2, JUMP = 3, YIELD = 4, DELEGATE = 5, CAUGHT = 6, FINALLY_ENDED = 7;
  let sent = [NEXT], inner, ended = false;
  const state = { label: 0, trys: [], ops: [], sent: () => { if (sent[0] === THROW) throw sent[1]; return sent[1]; } };
  const run = () => { try { return body.call(self, state); } catch (error) { return [CAUGHT, error]; } };
  const goTo = (label, value) => { state.label = label; sent = [NEXT, value]; return run(); };
  const resume = (what, value) => {
    let op = [what, value];
    if (ended) op = what === THROW ? [CAUGHT, value] : [RETURN, what === RETURN ? value : undefined];
    for (;;) {
      if (inner !== undefined) {
        const method = inner[op[0] === NEXT ? 'next' : op[0] === THROW ? 'throw' : 'return'];
        try {
          const result = method ? method.call(inner, op[1]) : { done: true, value: op[1] };
          if (!result.done) return result;
          op = [op[0] === RETURN ? RETURN : NEXT, result.value];
        } catch (error) { op = [THROW, error]; }
        inner = undefined;
      }
      const region = state.trys.at(-1);
      if (op[0] === NEXT || op[0] === THROW) { sent = op; op = run(); }
      else if (op[0] === YIELD) { state.label++; return { value: op[1], done: false }; }
      else if (op[0] === DELEGATE) { state.label++; inner = op[1][Symbol.iterator]?.() ?? op[1]; op = [NEXT]; }
      else if (op[0] === FINALLY_ENDED) { state.trys.pop(); op = state.ops.pop(); }
      else if (op[0] === JUMP && (region === undefined || (op[1] > region[0] && op[1] < region[3]))) op = goTo(op[1]);
      else if (region === undefined) {
        ended = true;
        if (op[0] === CAUGHT) throw op[1];
        return { value: op[1], done: true };
      }
      else if (op[0] === CAUGHT && state.label < region[1]) op = goTo(region[1], op[1]);
      else if (state.label < region[2]) { state.ops.push(op); op = goTo(region[2]); }
      else { if (region[2]) state.ops.pop(); state.trys.pop(); }
    }
  };
  return {
    next: (value) => resume(NEXT, value), throw: (error) => resume(THROW, error), return: (value) => resume(RETURN, value),
    [Symbol.iterator]() { return this; }
  };
}`

/** An async generator made of a generator that yields `__await` where it waits. */
const ASYNC_GENERATOR = `async function* (self, args, body) {
  const generator = body.apply(self, args ?? []);
  let method = 'next', value, ended = false;
  try {
    for (;;) {
      const result = generator[method](value);
      if (result.done) { ended = true; return result.value; }
      try {
        value = result.value instanceof __await ? await result.value.v : yield result.value;
        method = 'next';
      } catch (error) { value = error; method = 'throw'; }
    }
  } finally { if (!ended) generator.return(); }
}`

/** What `yield*` does inside such a generator, over anything. */
const DELEGATE_ASYNC = `function* (source) {
  if (source[Symbol.asyncIterator] === undefined) return yield* source;
  const iterator = source[Symbol.asyncIterator]();
  let sent, ended = false;
  try {
    for (;;) {
      const result = yield new __await(iterator.next(sent));
      if (result.done) { ended = true; return result.value; }
      sent = yield result.value;
    }
  } finally { if (!ended) iterator.return?.(); }
}`

const ITERATE_ASYNC = `(source) => source[Symbol.asyncIterator]?.() ?? (async function* () { yield* source; })()`
const REQUIRE = `process.getBuiltinModule('node:module').createRequire(import.meta.url)`
const EXTENDS = `(derived, base) => {
  Object.setPrototypeOf(derived, base ?? Function.prototype);
  derived.prototype = Object.create(base?.prototype ?? null, { constructor: { value: derived, writable: true, configurable: true } });
}`
const DEFINE = `(object, key, value) => Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })`
const ASSIGN = `(target, ...sources) => Object.assign(target, ...sources)`
const ARRAY = `(source) => Array.from(source)`
const DISPOSE = `(held, value, isAsync) => {
  if (value === null || value === undefined) { if (isAsync) held.push([undefined, true]); return value; }
  const dispose = (isAsync && value[Symbol.asyncDispose]) || value[Symbol.dispose];
  if (typeof dispose !== 'function') throw new TypeError('Object not disposable');
  held.push([() => dispose.call(value), isAsync]);
  return value;
}`
const DISPOSE_ALL = `(held, failed, error) => {
  const fail = (next) => {
    error = failed ? Object.assign(new Error(next?.message, { cause: next }), { name: 'SuppressedError', error: next, suppressed: error }) : next;
    failed = true;
  };
  const next = () => {
    for (let entry = held.pop(); entry !== undefined; entry = held.pop()) {
      try {
        const result = entry[0]?.();
        if (entry[1]) return Promise.resolve(result).then(next, (error) => { fail(error); return next(); });
      } catch (error) { fail(error); }
    }
    if (failed) throw error;
  };
  return next();
}`

/** By name: those of TypeScript, esbuild (so also tsx and Vite) and Vitest. Where two use one name, one text serves both. */
export const HELPERS: Readonly<Record<string, Helper>> = {
  __addDisposableResource: {
    source: `(env, value, isAsync) => __dispose(env.stack, value, isAsync)`,
    uses: ['__dispose'],
  },
  __assign: { source: ASSIGN },
  __async: { source: `(self, args, body) => __run(body, self, args)`, uses: ['__run'] },
  __asyncDelegator: {
    source: `(iterator) => __yieldStar({ [Symbol.asyncIterator]: () => iterator })`,
    uses: ['__yieldStar'],
  },
  __asyncGenerator: { source: ASYNC_GENERATOR, uses: ['__await'] },
  __asyncValues: { source: ITERATE_ASYNC },
  __await: { source: `function __await(value) { return new.target ? void (this.v = value) : new __await(value); }` },
  __awaiter: { source: `(self, args, _, body) => __run(body, self, args)`, uses: ['__run'] },
  __callDispose: { source: `(held, error, failed) => __disposeAll(held, failed, error)`, uses: ['__disposeAll'] },
  __classPrivateFieldGet: {
    source: `(object, state, kind, getter) => kind === 'm' ? getter : kind === 'a' ? getter.call(object) : getter ? getter.value : state.get(object)`,
  },
  __classPrivateFieldSet: {
    source: `(object, state, value, kind, setter) => (kind === 'a' ? setter.call(object, value) : setter ? setter.value = value : state.set(object, value), value)`,
  },
  __classPrivateFieldIn: {
    source: `(state, object) => typeof state === 'function' ? object === state : state.has(object)`,
  },
  __disposeResources: { source: `(env) => __disposeAll(env.stack, env.hasError, env.error)`, uses: ['__disposeAll'] },
  __extends: { source: EXTENDS },
  __forAwait: { source: ITERATE_ASYNC },
  __generator: { source: GENERATOR },
  __importDefault: { source: IMPORT_DEFAULT },
  __importStar: { source: IMPORT_ALL, uses: ['__namespace'] },
  __makeTemplateObject: { source: `(cooked, raw) => Object.defineProperty(cooked, 'raw', { value: raw })` },
  __name: { source: `(target, value) => Object.defineProperty(target, 'name', { value, configurable: true })` },
  __objRest: { source: REST },
  __pow: { source: `Math.pow` },
  __privateAdd: {
    source: `(object, state, value) => state instanceof WeakSet ? state.add(object) : state.set(object, value)`,
  },
  __privateGet: { source: `(object, state, getter) => getter ? getter.call(object) : state.get(object)` },
  __privateIn: { source: `(state, object) => state.has(object)` },
  __privateMethod: { source: `(object, state, method) => method` },
  __privateSet: {
    source: `(object, state, value, setter) => (setter ? setter.call(object, value) : state.set(object, value), value)`,
  },
  __propKey: { source: `(key) => typeof key === 'symbol' ? key : String(key)` },
  __publicField: { source: DEFINE },
  __read: { source: TAKE },
  __require: { source: REQUIRE },
  __rest: { source: REST },
  __setFunctionName: {
    source: `(target, value, prefix) => Object.defineProperty(target, 'name', { value: prefix ? prefix + ' ' + value : value, configurable: true })`,
  },
  __spreadArray: { source: `(to, from) => to.concat(Array.from(from))` },
  __spreadProps: {
    source: `(target, source) => Object.defineProperties(target, Object.getOwnPropertyDescriptors(source))`,
  },
  __spreadValues: { source: ASSIGN },
  __template: { source: `(cooked, raw) => Object.defineProperty(cooked, 'raw', { value: raw ?? [...cooked] })` },
  __toESM: {
    source: `(module, isNode) => !isNode && module?.__esModule ? module : __namespace(module)`,
    uses: ['__namespace'],
  },
  __using: { source: `(held, value, isAsync) => __dispose(held, value, isAsync)`, uses: ['__dispose'] },
  __values: { source: `(source) => source[Symbol.iterator]()` },
  __vite_ssr_dynamic_import__: {
    // Vite names a package by its place below the project's folder, which is the worker's working directory.
    source: `(specifier, options) => import(specifier.startsWith('/node_modules/') ? process.getBuiltinModule('node:url').pathToFileURL(process.cwd() + specifier) : specifier, options)`,
  },
  __yieldStar: { source: DELEGATE_ASYNC, uses: ['__await'] },
  require: { source: REQUIRE },
  // Ours, used by those above. No compiler has these names.
  __dispose: { source: DISPOSE },
  __disposeAll: { source: DISPOSE_ALL },
  __namespace: { source: NAMESPACE },
  __run: { source: RUN_GENERATOR },
}

/** Those of SWC (`_async_to_generator`) and Babel (`_asyncToGenerator`, `_asyncToGenerator2.default`), as Babel writes them. */
export const BABEL_HELPERS: Readonly<Record<string, Helper>> = {
  asyncToGenerator: { source: `(body) => function (...args) { return __run(body, this, args); }`, uses: ['__run'] },
  classCallCheck: {
    source: `(object, type) => { if (!(object instanceof type)) throw new TypeError('Cannot call a class as a function'); }`,
  },
  defineProperty: { source: DEFINE },
  extends: { source: ASSIGN },
  interopRequireDefault: { source: IMPORT_DEFAULT },
  interopRequireWildcard: { source: IMPORT_ALL, uses: ['__namespace'] },
  objectDestructuringEmpty: {
    source: `(object) => { if (object === null || object === undefined) throw new TypeError('Cannot destructure ' + object); }`,
  },
  objectSpread: { source: ASSIGN },
  objectSpreadProps: { source: ASSIGN },
  objectWithoutProperties: { source: REST },
  objectWithoutPropertiesLoose: { source: REST },
  slicedToArray: { source: TAKE },
  toArray: { source: ARRAY },
  toConsumableArray: { source: ARRAY },
  tsGenerator: { source: GENERATOR },
}

/** Istanbul's counters. What a task runs elsewhere is not counted here, so its counts go nowhere. */
export const COVERAGE: Helper = {
  source: `(() => {
    const branches = new Proxy({}, { get: () => ({}) });
    const counts = { s: {}, f: {}, b: branches, bT: branches };
    return () => counts;
  })()`,
}
