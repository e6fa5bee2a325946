/** A bit of everything that a cluster can be asked for, at once. Every result is checked, and all of it is let go of. */
import assert from 'node:assert/strict'
import { delayed, type Client, type Delayed, type Future } from '../../client/index.js'
import type { Rng } from '../../common/rng.js'

export interface Disturbance {
  /** Does harm; the load goes on meanwhile. */
  readonly disturb: () => Promise<void>
  /** Asked when a stream ended early: may it, as is documented of lost connections and workers? */
  readonly mayBreakStreams: () => boolean | Promise<boolean>
}

const ITEMS = 200
const BLOCKS = 8
const BLOCK_BYTES = 2 ** 20
const LEAVES = 16
const YIELDED = 100

/** Workers of these names must be there: values move from the one to the other. */
export async function mixedLoad(
  client: Client,
  rng: Rng,
  [from = '', to = '']: readonly string[],
  { disturb, mayBreakStreams }: Disturbance,
): Promise<void> {
  const shared = client.scatter(
    Float64Array.from({ length: 1_000 }, (_, i) => i / 2),
    { broadcast: true },
  )
  await shared
  const numbers = Array.from({ length: ITEMS }, (_, i) => i)

  const mapped = client.map(nap, numbers)
  const uses = client.map(at, numbers.slice(0, 20), { args: [shared] })
  const blocks = client.with({ workers: [from] }).map(block, numbers.slice(0, BLOCKS), { args: [BLOCK_BYTES] })
  const unwanted = client.map(block, numbers.slice(0, BLOCKS), { args: [BLOCK_BYTES] })
  const last = blocks.map((each) => client.with({ workers: [to] }).submit(lastOf, each))
  const sum = client.compute(treeOf(LEAVES), { fuse: false })
  const nested = client.submit(total, 0, 16)
  const retried = client.with({ retries: 1 }).submit(failOnce)
  const failing = client.submit(fail)
  const endless = client.submit(untilStopped)
  const futures: Future<unknown>[] = [shared, ...mapped, ...uses, ...last, nested, retried, failing, endless]

  // One moment for all: what is released or cancelled then may reach nobody.
  const amid = Promise.resolve(rng.pick(mapped)!)
  const checks = [
    client.gather(mapped).then((values) =>
      assert.deepEqual(
        values,
        numbers.map((x) => x + 1),
      ),
    ),
    client.gather(uses).then((values) =>
      assert.deepEqual(
        values,
        numbers.slice(0, 20).map((x) => x / 2),
      ),
    ),
    client.gather(last).then((values) => assert.deepEqual(values, numbers.slice(0, BLOCKS))),
    sum.then((value) => assert.equal(value, (LEAVES * (LEAVES - 1)) / 2)),
    nested.then((value) => assert.equal(value, (16 * 15) / 2)),
    retried.then((attempt) => assert.ok(attempt > 1)),
    assert.rejects(Promise.resolve(failing), { name: 'RangeError', message: 'on purpose' }),
    assert.rejects(Promise.resolve(endless), { name: 'AbortError' }),
    readStream(client, mayBreakStreams),
    amid.then(disturb),
    amid.then(() => endless.cancel()),
    amid.then(() => client.release([...blocks, ...unwanted])),
  ]
  await Promise.all(checks)
  client.release(futures)
}

async function nap(x: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 5))
  return x + 1
}

function at(i: number, values: Float64Array): number {
  return values[i]!
}

function block(i: number, bytes: number): Uint8Array {
  return new Uint8Array(bytes).fill(i)
}

function lastOf(bytes: Uint8Array): number {
  return bytes.at(-1)!
}

function fail(): never {
  throw new RangeError('on purpose')
}

async function failOnce(): Promise<number> {
  const { task } = await import('heddle/task')
  if (task.attempt === 1) throw new RangeError('the first time')
  return task.attempt
}

async function untilStopped(): Promise<void> {
  const { task } = await import('heddle/task')
  await new Promise((resolve) => task.signal.addEventListener('abort', resolve))
}

/** A sum by recursion: each call waits for two of its own. */
async function total(low: number, high: number): Promise<number> {
  const { task } = await import('heddle/task')
  if (high - low === 1) return low
  const middle = (low + high) >> 1
  const client = task.client()
  const [left, right] = await client.gather([client.submit(total, low, middle), client.submit(total, middle, high)])
  return left! + right!
}

/** Sums of pairs of sums. */
function treeOf(leaves: number): Delayed<number> {
  const leaf = delayed((x: number) => x)
  const add = delayed((a: number, b: number) => a + b)
  let level = Array.from({ length: leaves }, (_, i) => leaf(i))
  while (level.length > 1) {
    level = Array.from({ length: level.length / 2 }, (_, i) => add(level[2 * i]!, level[2 * i + 1]!))
  }
  return level[0]!
}

/** Its values come in order and none is left out, up to where it breaks off. */
async function readStream(client: Client, mayBreak: Disturbance['mayBreakStreams']): Promise<void> {
  let expected = 0
  try {
    for await (const value of client.stream(count, YIELDED)) assert.equal(value, expected++)
    assert.equal(expected, YIELDED)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ERR_HEDDLE_STREAM_BROKEN' && code !== 'ERR_HEDDLE_WORKER_LOST') throw error
    if (!(await mayBreak())) throw error
  }
}

async function* count(end: number): AsyncGenerator<number> {
  for (let i = 0; i < end; i++) {
    await new Promise((resolve) => setTimeout(resolve, 2))
    yield i
  }
}
