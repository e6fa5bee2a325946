/** Programs that must not compile: every line below a `@ts-expect-error` is wrong. Compiled by test/client/types.test.ts. */
import { asCompleted, connect, delayed, progress, ref, wait } from 'heddle'
import type { Client, Delayed, Future } from 'heddle'
import { Pool } from 'heddle/pool'
import { withCluster } from 'heddle/testing'

declare const client: Client
declare const three: Future<number>
declare const text: Future<string>
interface Tasks {
  resize(path: string, width: number): Promise<number>
  readonly VERSION: string
}

// @ts-expect-error A text where a number is wanted.
client.submit((x: number) => x, 'a')
// @ts-expect-error A future of a text where a number is wanted.
client.submit((x: number) => x, text)
// @ts-expect-error An argument is missing.
client.submit((x: number) => x)
// @ts-expect-error There is one argument too many.
client.submit((x: number) => x, 1, 2)
// @ts-expect-error A future of the wrong type, deep inside.
client.submit((rows: { a: number }[]) => rows, [{ a: text }])
// @ts-expect-error A property that the task knows nothing of.
client.submit((p: { a: number }) => p, { a: 1, b: 2 })
// @ts-expect-error A Map of the wrong values.
client.submit((m: Map<string, number>) => m, new Map([['a', text]]))
// @ts-expect-error A list of futures where one value is wanted.
client.submit((x: number) => x, [three])
// @ts-expect-error No function.
client.submit('resize', 3)
// @ts-expect-error The result is no number.
const wrongResult: Future<number> = client.submit((x: number) => String(x), 3)
// @ts-expect-error A future is not its value.
const wrongValue: number = client.submit((x: number) => x, 3)
// @ts-expect-error A Promise is no future.
const wrongPromise: Future<number> = Promise.resolve(3)
// @ts-expect-error Items of the wrong type.
client.map((x: number) => x, ['a'])
// @ts-expect-error Futures of the wrong type as items.
client.map((x: number) => x, [text])
// @ts-expect-error The function wants another argument, and there are no `args`.
client.map((x: number, unit: string) => x + unit, [1])
// @ts-expect-error `args` of the wrong type.
client.map((x: number, unit: string) => x + unit, [1], { args: [3] })
// @ts-expect-error An option of maps over async iterables only.
client.map((x: number) => x, [1], { inFlight: 3 })
// @ts-expect-error A number is no list.
client.map((x: number) => x, 3)
// @ts-expect-error A list of arguments is too short.
client.starmap((x: number, y: string) => x + y, [[1]])
// @ts-expect-error A misspelt option.
client.with({ priorty: 3 })
// @ts-expect-error A task with outputs returns an array.
client.with({ outputs: 2 }).submit((x: number) => x, 3)
// @ts-expect-error Its outputs are futures of numbers.
const wrongOutput: Future<string>[] = client.with({ outputs: 2 }).submit((x: number) => [x, x], 3)
// @ts-expect-error An argument of the wrong type.
client.with({ outputs: 2 }).map((x: number) => [x, x], ['a'])
// @ts-expect-error One key can't stand for many values.
client.with({ outputs: 2, key: 'k' })
// @ts-expect-error A count is a number.
client.with({ outputs: '2' })
// @ts-expect-error Functions of modules come from a client without outputs.
client.with({ outputs: 2 }).module('file:///tasks.ts')
// @ts-expect-error No such way with errors.
client.gather([three], { errors: 'ignore' })
// @ts-expect-error Values are no futures.
client.gather([3])
// @ts-expect-error The function takes a text, and the future has a number.
three.pipe((x: string) => x)
// @ts-expect-error The options of result() don't have it.
three.result({ timeout: 3 })
// @ts-expect-error An argument of the wrong type for a function of a module.
client.module<Tasks>(new URL('file:///t.ts')).resize(three, 3)
// @ts-expect-error What is no function is not there.
client.module<Tasks>(new URL('file:///t.ts')).VERSION
// @ts-expect-error A client is not made, it is connected.
new Client()
// @ts-expect-error An unknown option.
connect('ws://127.0.0.1:8786', { tokn: 'x' })
// @ts-expect-error A number is no address.
connect(8786)
// @ts-expect-error Workers are named in a list.
client.scatter(3, { workers: 'a' })
// @ts-expect-error A dataset of numbers is none of texts.
const wrongDataset: Future<string> = client.dataset<number>('n')
// @ts-expect-error The test gets a client.
withCluster((cluster: string) => cluster)
declare const later: Delayed<number>
// @ts-expect-error A delayed text where a number is wanted.
delayed((x: string) => x)(later)
// @ts-expect-error A delayed value of the wrong type, deep inside.
delayed((rows: { a: string }[]) => rows)([{ a: later }])
// @ts-expect-error A delayed call is not its value.
const wrongDelayed: number = delayed((x: number) => x)(3)
// @ts-expect-error Nothing runs that is not computed.
later.then((x: number) => x)
// @ts-expect-error A task takes futures; compute it first.
client.submit((x: number) => x, later)
// @ts-expect-error One key can't stand for many calls.
delayed((x: number) => x, { key: 'k' })
// @ts-expect-error Only what is delayed can be computed.
client.compute(three)
// @ts-expect-error Not all of them are delayed.
client.compute([later, 3])
// @ts-expect-error The result is no text.
const wrongComputed: Future<string> = client.compute(later)
// @ts-expect-error A client with outputs has no graphs.
client.with({ outputs: 2 }).compute(later)
// @ts-expect-error The key is not in the graph.
client.submitGraph({ a: [() => 1] }, ['b'])
// @ts-expect-error A call begins with its function.
client.submitGraph({ a: [1, ref('b')] }, ['a'])
// @ts-expect-error Values are no futures.
asCompleted([3])
// @ts-expect-error One future is no list.
asCompleted(three)
// @ts-expect-error No such option.
asCompleted([three], { timeoutMs: 3 })
// @ts-expect-error A stream is no list.
asCompleted([three])[0]
// @ts-expect-error A future of the wrong type.
asCompleted([three]).add(text)
// @ts-expect-error No such way with errors.
asCompleted.results([three], { errors: 'ignore' })
async function loops(): Promise<void> {
  for await (const future of asCompleted([three])) {
    // @ts-expect-error The future is not its value.
    const wrong: number = future
    void wrong
  }
  for await (const future of asCompleted([three])) {
    // @ts-expect-error Nor is it in the next loop.
    const wrong: number = future
    void wrong
  }
  // @ts-expect-error What next() gives is no value.
  const wrongNext: IteratorResult<number, undefined> = await asCompleted([three]).next()
  // @ts-expect-error Futures are told apart from values.
  const wrongDone: number[] = (await wait([three])).done
  void [wrongNext, wrongDone]
}
// @ts-expect-error A promise is no future.
wait([Promise.resolve(3)])
// @ts-expect-error A misspelt option.
wait([three], { timeoutMS: 3 })
// @ts-expect-error A count is a number.
wait([three], { count: 'all' })
// @ts-expect-error What is retried is awaited, and not what retry gives.
three.retry().then((x: number) => x)
// @ts-expect-error A key is a text.
client.future(7)
// @ts-expect-error The future is of what the caller says.
const wrongAttached: Future<string> = client.future<number>('key')
// @ts-expect-error Nothing comes of work that is forgotten.
client.fireAndForget(three).then(() => 3)
// @ts-expect-error True or false.
client.with({ pure: 'yes' })
// @ts-expect-error A task with outputs has no key, and so none by purity.
client.with({ outputs: 2, pure: true })
// @ts-expect-error True or false.
delayed((x: number) => x, { pure: 1 })
// @ts-expect-error Values have no progress.
progress([3])
// @ts-expect-error No such style.
progress([three], { style: 'pie' })
// @ts-expect-error A listener gets a text.
three.onStatus((status: number) => status)
// @ts-expect-error What is in a value is not known.
const wrongFutures: Future<number>[] = client.futuresOf([three])
void [
  loops,
  wrongFutures,
  wrongAttached,
  wrongDelayed,
  wrongComputed,
  wrongResult,
  wrongValue,
  wrongPromise,
  wrongOutput,
  wrongDataset,
]
// @ts-expect-error An option that only threads of one process can have.
new Pool({ maxThreads: 4 })
// @ts-expect-error Not a kind of delay.
client.with({ retries: { count: 3, backoff: 'linear' } })
// @ts-expect-error How often?
client.with({ retries: { delayMs: 5 } })
// @ts-expect-error It says neither yes nor no.
client.with({ retries: { count: 1, on: () => 'yes' } })
// @ts-expect-error Milliseconds are a number.
client.with({ timeoutMs: '5s' })
// @ts-expect-error It is of a call of many tasks.
client.with({ maxFailures: 1 })

// What a skipped task gives may be undefined.
// @ts-expect-error It may have been skipped.
const wrongSkipped: Future<number> = client.with({ onDependencyError: 'skip' }).submit((x: number) => x, three)
// @ts-expect-error It may have been skipped, and the next function does not know that.
client.submit(
  (x: number) => x,
  client.with({ onDependencyError: 'skip' }).submit((x: number) => x, three),
)
// @ts-expect-error The function does not take errors.
client.with({ onDependencyError: 'pass-error' }).submit((x: number) => x, three)
// @ts-expect-error Nor in a list.
client.with({ onDependencyError: 'pass-error' }).submit((all: number[]) => all.length, [three, 4])
const list = client.submit(() => [1])
// @ts-expect-error A list that failed is no list.
client.with({ onDependencyError: 'pass-error' }).submit((all: (number | Error)[]) => all.length, list)
// @ts-expect-error A future of a text where a number is wanted.
client.with({ onDependencyError: 'pass-error' }).submit((x: number | Error) => x, text)
// @ts-expect-error There is no such rule.
client.with({ onDependencyError: 'ignore' })
// @ts-expect-error Graphs have it function by function.
client.with({ onDependencyError: 'skip' }).compute(later)
// @ts-expect-error The function of a map does not take errors.
client.map((x: number) => x, [three], { onDependencyError: 'pass-error' })
// @ts-expect-error Its further arguments are missing.
client.map((x: number | Error, by: number) => [x, by], [three], { onDependencyError: 'pass-error' })
// @ts-expect-error A delayed function that does not take errors.
delayed((x: number) => x, { onDependencyError: 'pass-error' })(later)
