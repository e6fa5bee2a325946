/** Programs that must compile, and what their types must be. Compiled by test/client/types.test.ts as a user's program. */
import { asCompleted, connect, delayed, LocalCluster, progress, ref, registerType, TimeoutError, wait } from 'heddle'
import type {
  Client,
  ClusterStatus,
  CompletedStream,
  Delayed,
  DelayedFunction,
  Explanation,
  Future,
  FutureStatus,
  FutureStream,
  HeldUnit,
  Input,
  MapOptions,
  OutputOptions,
  RawGraph,
  RemoteModule,
  RetryOptions,
  SplittingClient,
  TaskOptions,
  TaskProgress,
  TolerantClient,
} from 'heddle'
import { Pool } from 'heddle/pool'
import { withCluster } from 'heddle/testing'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
/** Compiles only when the type of the value is exactly `Expected`. */
declare function exactly<Expected>(): <Actual>(value: Actual, isSame: Equal<Actual, Expected>) => void

declare const client: Client
declare const three: Future<number>
declare const text: Future<string>

// What a task returns is what its future gives; a promise is unwrapped.
exactly<Future<string>>()(
  client.submit((x: number) => String(x), 3),
  true,
)
exactly<Future<number>>()(
  client.submit(async (x: number) => x + 1, 3),
  true,
)
exactly<Future<void>>()(
  client.submit(() => undefined as void),
  true,
)
exactly<Future<[number, string]>>()(
  client.submit((a: number, b: string): [number, string] => [a, b], 1, 'b'),
  true,
)

// A parameter without a type gets that of its argument, and a generic function that of its use.
exactly<Future<number>>()(
  client.submit((x) => x * 2, 3),
  true,
)
exactly<Future<number[]>>()(
  client.submit(<T>(x: T) => [x], 3),
  true,
)

// Futures may stand wherever values may, at any depth.
exactly<Future<number>>()(
  client.submit((x: number) => x, three),
  true,
)
exactly<Future<number>>()(
  client.submit((rows: { a: number; b: string[] }[]) => rows.length, [{ a: three, b: ['x', text] }]),
  true,
)
client.submit(
  (xs: readonly number[]) => xs.length,
  client.map((x: number) => x, [1, 2]),
)
client.submit((m: Map<string, number>) => m.size, new Map([['a', three]]))
client.submit((s: Set<number>) => s.size, new Set([three, three]))
client.submit((x: string | number) => x, text)
client.submit(
  (x: boolean) => x,
  client.submit((n: number) => n > 2, 3),
)
client.submit((xs: string | number[]) => xs.length, [1, three])
interface Tree {
  readonly value: number
  readonly children: Tree[]
}
client.submit((tree: Tree) => tree.value, { value: 1, children: [{ value: three, children: [] }] })

// Optional and rest parameters, any and unknown.
client.submit((x: number, y?: string) => `${x}${y}`, 3)
client.submit((x: number, y?: string) => `${x}${y}`, 3, text)
client.submit((...xs: number[]) => xs.length, 1, three, 3)
client.submit((x: unknown) => typeof x, { deep: [text] })

// Values that are not looked into: memory, dates, instances of the user's classes.
exactly<Future<number>>()(
  client.submit((bytes: Uint8Array) => bytes.length, new Uint8Array(3)),
  true,
)
client.submit((d: Date, r: RegExp, e: Error) => [d, r, e], new Date(), /x/, new Error('x'))
class Point {
  readonly #x = 1
  readonly y = 2
  norm(): number {
    return this.#x + this.y
  }
}
registerType(Point, { encode: ({ y }) => y, decode: () => new Point() })
client.submit((p: Point) => p.norm(), new Point())
client.submit(
  (p: Point) => p.norm(),
  client.submit(() => new Point()),
)

// map and starmap.
exactly<Future<number>[]>()(
  client.map((x: number) => x * 2, [1, three]),
  true,
)
exactly<Future<number>[]>()(
  client.map((x) => x * 2, [1, 2]),
  true,
)
exactly<Future<string>[]>()(
  client.map((x: number, unit: string) => x + unit, [1, three], { args: [text] }),
  true,
)
exactly<Future<number>[]>()(
  client.map((x: string, radix?: number) => parseInt(x, radix), ['1']),
  true,
)
client.map((x: number) => x, new Set([1]), {
  name: 'each',
  priority: 3,
  key: (item, index) => `${String(item)}-${index}`,
})
exactly<Future<string>[]>()(
  client.starmap(
    (x: number, y: string) => x + y,
    [
      [1, 'a'],
      [three, text],
    ],
  ),
  true,
)
client.starmap((x: number, y: string) => x + y, [[1, 'a'] as const])

// Options and views.
const options: TaskOptions = { name: 'n', key: 'k', priority: 1, timeoutMs: 5, allowedFailures: 1, retries: 2 }
exactly<Client>()(client.with(options), true)
const mapOptions: MapOptions = { name: 'n', args: [], maxFailures: 1, queueTimeoutMs: 5 }
const retries: RetryOptions = {
  count: 3,
  delayMs: 5,
  backoff: 'exponential',
  maxDelayMs: 50,
  jitter: 0.5,
  on: (error) => error.code === 'E',
}
exactly<Client>()(client.with({ retries }), true)
client.with({ retries: { count: 1, jitter: true, on: (error: Error) => error.name === 'RangeError' } })
client.map((x: number) => x, [1], { ...mapOptions, args: [] })

// Several outputs: a future for each value of the array, and a tuple of them for a tuple.
const splitter = client.with({ outputs: 2, name: 'split' })
exactly<SplittingClient>()(splitter, true)
exactly<SplittingClient>()(splitter.with({ priority: 1 }), true)
exactly<Future<number>[]>()(
  splitter.submit((x: number) => Array<number>(2).fill(x), three),
  true,
)
exactly<Future<number>[]>()(
  splitter.submit(async (x: number) => Array<number>(2).fill(x), three),
  true,
)
exactly<[Future<number>, Future<string>]>()(
  splitter.submit((x: number): [number, string] => [x, 'b'], 1),
  true,
)
exactly<[Future<number>, Future<string>]>()(
  splitter.submit((x: number) => [x, 'b'], 1),
  true,
)
exactly<Future<string>[][]>()(
  splitter.map((x: string) => x.split(','), ['a,b', text]),
  true,
)
exactly<Future<string>[][]>()(
  splitter.map((x: string, by: string) => x.split(by), ['a,b', text], { args: [','] }),
  true,
)
exactly<Future<string>[][]>()(
  splitter.starmap((x: string, by: string) => x.split(by), [['a,b', text]]),
  true,
)
const many: OutputOptions = { outputs: 1_023, priority: 1 }
exactly<SplittingClient>()(client.with(many), true)

// Futures are promises to await, and more.
async function futures(): Promise<void> {
  exactly<string>()(await text, true)
  exactly<[number, string]>()(await Promise.all([three, text]), true)
  exactly<[PromiseSettledResult<number>]>()(await Promise.allSettled([three]), true)
  exactly<number>()(await three.result({ timeoutMs: 5, signal: AbortSignal.timeout(5) }), true)
  exactly<unknown>()(await three.error(), true)
  exactly<FutureStatus>()(three.status, true)
  exactly<Future<string>>()(
    three.pipe((x: number, unit: string) => x + unit, text),
    true,
  )
  exactly<Promise<number | undefined>>()(
    three.catch(() => undefined),
    true,
  )
  exactly<number>()(await three.finally(() => undefined), true)
  using held = client.submit(() => 3)
  held.release()
}

// gather keeps tuples and arrays apart, and knows what its options do.
exactly<Promise<[number, string]>>()(client.gather([three, text]), true)
exactly<Promise<number[]>>()(client.gather(client.map((x: number) => x, [1])), true)
exactly<Promise<[PromiseSettledResult<number>]>>()(client.gather([three], { errors: 'settle' }), true)
exactly<Promise<(string | number)[]>>()(client.gather([three, text], { errors: 'skip' }), true)

// Futures as they end: the loop's variable is the future, in every loop, and next() gives it too.
async function completion(): Promise<void> {
  const completed = asCompleted([three, three])
  exactly<CompletedStream<number>>()(completed, true)
  for await (const future of completed) exactly<Future<number>>()(future, true)
  for await (const future of completed) {
    exactly<Future<number>>()(future, true)
    completed.add(client.map((x: number) => x, [1]))
    exactly<number>()(await future, true)
  }
  exactly<Promise<IteratorResult<Future<number>, undefined>>>()(completed.next(), true)
  const stream: FutureStream<number> = asCompleted(new Set([three]), { signal: AbortSignal.timeout(5) })
  for await (const future of stream) exactly<Future<number>>()(future, true)
  for await (const future of asCompleted([three, text])) {
    exactly<Future<number | string>>()(future, true)
    exactly<number | string>()(await future, true)
  }
  for await (const value of asCompleted.results([three])) exactly<number>()(value, true)
  for await (const result of asCompleted.results([three], { errors: 'settle' })) {
    exactly<PromiseSettledResult<number>>()(result, true)
  }
  exactly<{ done: Future<number>[]; pending: Future<number>[] }>()({ ...(await wait([three])) }, true)
  const { done, pending } = await wait(new Set([three, text]), { count: 1, timeoutMs: 5 })
  exactly<(Future<number> | Future<string>)[]>()(done, true)
  client.release(pending)
  exactly<Future<unknown>[]>()(client.futuresOf({ deep: [three] }), true)
  exactly<void>()(three.retry(), true)
  exactly<Future<string[]>>()(client.future<string[]>('key'), true)
  exactly<Future<unknown>>()(client.future('key'), true)
  exactly<void>()(client.fireAndForget([three, { deep: text }]), true)
  exactly<Future<number>>()(
    client.with({ pure: true }).submit((x: number) => x, three),
    true,
  )
  exactly<Future<number>[]>()(
    client.map((x: number) => x, [1], { pure: true }),
    true,
  )
  exactly<Delayed<number>>()(delayed((x: number) => x, { pure: true })(three), true)
  exactly<void>()(await progress([three, text], { style: 'lines', output: { write: () => true } }), true)
  const stop = three.onStatus((status) => exactly<FutureStatus>()(status, true))
  exactly<void>()(stop(), true)
}

// Modules: their functions only, promises unwrapped.
interface Tasks {
  resize(path: string, size: { width: number }): Promise<number>
  readonly VERSION: string
}
const tasks = client.module<Tasks>(new URL('file:///tasks.ts'))
exactly<RemoteModule<Tasks>>()(tasks, true)
exactly<'resize'>()('resize' as keyof typeof tasks, true)
exactly<Future<number>>()(tasks.resize(text, { width: three }), true)
exactly<Future<number>>()(client.submit(tasks.resize, text, { width: three }), true)
exactly<Future<number>[]>()(client.map(tasks.resize, ['a', text], { args: [{ width: three }] }), true)
exactly<Future<number>>()(text.pipe(tasks.resize, { width: 3 }), true)
interface Splitting {
  halve(path: string): Promise<[number, string]>
}
const halves = client.module<Splitting>(new URL('file:///tasks.ts'))
exactly<[Future<number>, Future<string>]>()(splitter.submit(halves.halve, text), true)
exactly<[Future<number>, Future<string>][]>()(splitter.map(halves.halve, ['a', text]), true)

// Values of the program's own.
exactly<Future<Float64Array<ArrayBuffer>>>()(client.scatter(new Float64Array(3), { broadcast: true }), true)
exactly<Future<number>>()(client.scatter(3, { workers: ['a'] }), true)

// Connecting, without any compiler option for `await using`.
async function connecting(): Promise<ClusterStatus> {
  await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1, memoryLimit: '2GiB' })
  await using one = await connect(cluster, { name: 'etl', timeoutMs: 5_000, signal: AbortSignal.timeout(5_000) })
  await using two = await connect('ws://10.0.0.5:8786', { token: 'secret' })
  await using three = await connect()
  await using four = await connect({ name: 'no target' })
  await Promise.all([one, two, three, four].map((each) => each.waitForWorkers(2, { timeoutMs: 5 })))
  exactly<string>()(await withCluster((each) => each.submit(() => 'x'), { kind: 'inline' }), true)
  return await one.info()
}

// Helpers of the user's own, written with our types.
function average(of: Client, xs: Input<number[]>): Future<number> {
  return of.submit((all: number[]) => all.reduce((a, b) => a + b, 0) / all.length, xs)
}
average(client, [1, three])
new TimeoutError('late').code satisfies string
void [futures, completion, connecting]

// Graphs: a delayed function takes values, delayed ones and futures, at any depth.
declare const later: Delayed<number>
const twice = delayed((x: number) => x * 2)
exactly<Delayed<number>>()(twice(3), true)
exactly<Delayed<number>>()(twice(later), true)
exactly<Delayed<number>>()(twice(three), true)
exactly<Delayed<string>>()(
  delayed(async (x: number) => String(x), { name: 'n', priority: 1, timeoutMs: 5 })(twice(later)),
  true,
)
const counting: DelayedFunction<[xs: number[]], number> = delayed((xs: number[]) => xs.length)
exactly<Delayed<number>>()(counting([later]), true)
delayed((xs: readonly number[]) => xs.length)([1, 2].map((x) => twice(x)))
delayed((rows: { a: number; b: string[] }[]) => rows.length)([{ a: later, b: ['x', text] }])
delayed((m: Map<string, number>) => m.size)(new Map([['a', later]]))
delayed((x: number, y?: string) => `${x}${y}`)(later)
delayed((...xs: number[]) => xs.length)(1, later, three)
exactly<Delayed<number>>()(delayed(tasks.resize)(text, { width: later }), true)
exactly<Future<number>>()(client.compute(later), true)
exactly<[Future<number>, Future<string>]>()(client.compute([later, delayed(() => 'x')()]), true)
exactly<Future<number>[]>()(client.compute([1, 2].map((x) => twice(x))), true)
exactly<Delayed<number>>()(client.persist(later, { fuse: false }), true)
exactly<[Delayed<number>, Delayed<number>]>()(client.persist([later, later]), true)
const rawGraph = {
  load: [(path: string) => path.length, 'a.csv'],
  sum: [async (xs: number[]) => `${xs.length}`, ['load'].map(ref)],
} as const
exactly<[Future<string>, Future<number>]>()(client.submitGraph(rawGraph, ['sum', 'load']), true)
const dynamic: Record<string, RawGraph[string]> = { a: [() => 1] }
client.submitGraph(dynamic, Object.keys(dynamic)) satisfies Future<unknown>[]
later.visualize('graph.svg') satisfies void

// Limits, and what is told of tasks.
client.with({ limits: { db: 1 }, workers: ['zone=a'], allowOtherWorkers: true, resources: { threads: 0 } })
exactly<Future<number>[]>()(
  client.map((x: number) => x, [1], { limits: { db: 1 }, workers: ['a'] }),
  true,
)
client.semaphore('db', 2).acquire({ timeoutMs: 1 }) satisfies Promise<HeldUnit>
client.rateLimit('api', { perSecond: 2.5 }).burst satisfies number
three.explain() satisfies Promise<Explanation>
client.explain('f-1') satisfies Promise<Explanation>
client.on('blocked', ({ reason, functions }) => [reason, ...functions] satisfies string[]) satisfies Client

// A pool says nothing of its types, as Piscina's, or all of them.
const loosePool = new Pool({ filename: '/a.js' })
loosePool.run({ a: 1 }).then((sum: number) => sum) satisfies Promise<number>
const strictPool = new Pool<{ a: number }, number>({ filename: '/a.js', client })
exactly<Promise<number>>()(strictPool.run({ a: 1 }, { name: 'add', signal: AbortSignal.timeout(1) }), true)

// Calls about data.
exactly<Promise<void>>()(client.publish('three', { three, rows: [text] }), true)
exactly<Future<number[]>>()(client.dataset<number[]>('rows'), true)
exactly<Promise<string[]>>()(client.datasets(), true)
exactly<Promise<boolean>>()(client.unpublish('rows'), true)
exactly<Promise<Record<string, string[]>>>()(client.whoHas([three, text]), true)
client.rebalance().then(({ values, sizeBytes }) => values + sizeBytes) satisfies Promise<number>
client
  .retireWorkers(['a'], { deadlineMs: 1_000 })
  .then(({ values, cutShort }) => [values, cutShort[0]!] as const) satisfies Promise<readonly [number, string]>
client.restart({ timeoutMs: 1 }) satisfies Promise<void>

// Functions of preloaded modules, by name.
exactly<Future<number>>()(client.submit<number>('tasks.sum', [1, three]), true)
exactly<Future<unknown>>()(client.submit('tasks.sum', [1]), true)
exactly<Future<string>[]>()(client.map<string>('tasks.name', [1, three], { args: [2] }), true)

// A map over an async iterable gives futures one after another.
async function* lines(): AsyncGenerator<string> {
  yield await Promise.resolve('a')
}
const lengths = client.map((line: string) => line.length, lines(), { inFlight: 10 })
exactly<FutureStream<number>>()(lengths, true)
for await (const length of lengths) {
  const each: Future<number> = length
  const value: number = await each
  void value
}
exactly<FutureStream<number>>()(
  client.map((line: string, more: number) => line.length + more, lines(), { args: [1] }),
  true,
)
exactly<FutureStream<string>>()(
  client.map((n: number) => String(n), lengths),
  true,
)
exactly<FutureStream<string>>()(client.map<string>('tasks.name', lines()), true)
exactly<Future<number>[]>()(
  client.map((line: string) => line.length, ['a']),
  true,
)

// What a task reports.
exactly<AsyncIterable<TaskProgress>>()(three.progress, true)

// A stream gives what its generator yields.
for await (const each of client.stream(async function* (n: number) {
  for (let i = 0; i < n; i++) yield String(await Promise.resolve(i))
}, 3)) {
  const typed: string = each
  void typed
}
exactly<AsyncIterableIterator<number>>()(
  client.stream(function* (n: number) {
    yield Promise.resolve(n)
  }, three),
  true,
)

// Tasks that go on when others fail: they give undefined, or take errors.
const skipper = client.with({ onDependencyError: 'skip', retries: 2 })
exactly<TolerantClient<'skip'>>()(skipper, true)
exactly<TolerantClient<'skip'>>()(skipper.with({ priority: 1 }), true)
exactly<Client>()(skipper.with({ onDependencyError: 'fail' }), true)
exactly<Client>()(client.with({ onDependencyError: 'fail' }), true)
exactly<Future<string | undefined>>()(
  skipper.submit((x: number) => String(x), three),
  true,
)
exactly<Future<number | undefined>>()(
  skipper.submit((x) => x * 2, three),
  true,
)
exactly<Future<number | undefined>[]>()(
  skipper.map(async (x: number, by: number) => x * by, [1, three], { args: [three] }),
  true,
)
exactly<Future<number | undefined>[]>()(
  skipper.map((x) => x * 2, [1, 2]),
  true,
)
exactly<Future<string | undefined>[]>()(
  skipper.starmap((x: number, y: string) => x + y, [[three, text]]),
  true,
)
exactly<FutureStream<number | undefined>>()(
  skipper.map(
    (x: number) => x,
    (async function* () {
      yield three.key.length
    })(),
    { inFlight: 3 },
  ),
  true,
)
const teller = client.with({ onDependencyError: 'pass-error' })
exactly<Future<string>>()(
  teller.submit((x: number | Error) => String(x), three),
  true,
)
exactly<Future<number>>()(
  teller.submit((all: readonly (number | Error)[], unit: string) => all.length + unit.length, [1, three], 'km'),
  true,
)
exactly<Future<number>>()(
  teller.submit((all: { a: number | Error; b: unknown }) => Object.keys(all).length, { a: three, b: text }),
  true,
)
exactly<Future<string>[]>()(
  teller.map((x: number | Error, rest: Map<string, number | Error>) => `${String(x)} ${rest.size}`, [three, 4], {
    args: [new Map([['a', three]])],
  }),
  true,
)
exactly<AsyncIterableIterator<number>>()(
  teller.stream(function* (x: number | Error) {
    if (!(x instanceof Error)) yield x
  }, three),
  true,
)
exactly<[Future<number | undefined>, Future<string | undefined>]>()(
  client.with({ outputs: 2, onDependencyError: 'skip' }).submit((x: number): [number, string] => [x, String(x)], three),
  true,
)
exactly<[Future<number>, Future<number>]>()(
  client
    .with({ outputs: 2 })
    .with({ onDependencyError: 'pass-error' })
    .submit((x: number | Error) => [Number(x), 1], three),
  true,
)
// For one map only.
exactly<Future<number | undefined>[]>()(
  client.map((x: number) => x * 2, [1, three], { onDependencyError: 'skip', retries: 1 }),
  true,
)
exactly<Future<string>[]>()(
  client.map((x: number | Error, unit: string) => String(x) + unit, [1, three], {
    onDependencyError: 'pass-error',
    args: ['km'],
  }),
  true,
)
exactly<Future<number | undefined>[]>()(
  client.starmap((x: number, y: number) => x * y, [[1, three]], { onDependencyError: 'skip' }),
  true,
)
// In graphs, function by function.
const lazily = delayed((x: number) => x)
exactly<Delayed<number | undefined>>()(delayed((x: number) => x, { onDependencyError: 'skip' })(lazily(1)), true)
exactly<Delayed<string>>()(
  delayed((all: (number | Error)[]) => String(all), { onDependencyError: 'pass-error' })([lazily(1), 2, three]),
  true,
)
