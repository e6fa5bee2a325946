/**
 * What must not be mistaken for a death, and what a death costs. `HEDDLE_ENDURANCE` says how many seconds endless loops go on,
 * and how often something is killed, stopped or cut amid an exchange of all with all.
 */
import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, LocalCluster, type Client } from '../../client/index.js'
import { Rng } from '../../common/rng.js'
import { HEARTBEAT_TIMEOUT_MS } from '../../protocol/limits.js'
import { Command, startSchedulerCommand } from '../cli/command.js'
import { Cable } from '../support/cable.js'
import { eventually } from '../support/eventually.js'
import { isAlive, killIfAlive } from '../support/processes.js'

const ENDURANCE = Number(process.env['HEDDLE_ENDURANCE'] ?? 0)
const LAYER = 200
const SIDE = ENDURANCE === 0 ? 16 : 64
const BLOW_COUNT = ENDURANCE === 0 ? 3 : 50
/** The moments and the workers are drawn by it. */
const BLOW_SEED = Number(process.env['HEDDLE_SEED'] ?? 1)

async function twoLayers(client: Client, amid: () => Promise<void> = () => Promise.resolve()): Promise<number> {
  const startedAtMs = performance.now()
  const nap = async (x: number): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, 20))
    return x + 1
  }
  const first = client.map(
    nap,
    Array.from({ length: LAYER }, (_, i) => i),
  )
  const second = client.map(nap, first)
  await amid()
  const values = await client.gather(second)
  assert.deepEqual(
    values,
    values.map((_, i) => i + 2),
  )
  assert.equal(values.length, LAYER)
  return performance.now() - startedAtMs
}

test('a worker that is killed amid two layers of tasks changes no answer', { timeout: 120_000 }, async (t) => {
  await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 4, logLevel: 'error' })
  await using client = await connect(cluster)
  await twoLayers(client)
  const before = (await client.info()).totals.finished
  const undisturbedMs = await twoLayers(client)
  const killedMs = await twoLayers(client, async () => {
    await eventually('half of the first layer is done', async () => {
      return (await client.info()).totals.finished >= before + 2 * LAYER + LAYER / 2
    })
    killIfAlive((await client.info()).workers[0]!.pid)
  })
  t.diagnostic(`${undisturbedMs.toFixed(0)} ms, and with a kill ${killedMs.toFixed(0)} ms`)
})

/** Without one, a scheduler refuses whoever calls it by another port than its own, as a cable does. */
const TOKEN = 'endurance-of-cabled-workers'
/** What may befall a worker amid its work. */
const BLOWS = ['kill', 'stop', 'cut'] as const

/** A worker that joined through a cable. */
interface CabledWorker extends AsyncDisposable {
  readonly name: string
  readonly cable: Cable
}

async function startWorker(address: string, name: string): Promise<CabledWorker> {
  const cable = await Cable.to(address)
  const worker = new Command(['worker', 'join', cable.address, '--threads', '1', '--name', name], {
    env: { HEDDLE_TOKEN: TOKEN },
  })
  return {
    name,
    cable,
    [Symbol.asyncDispose]: async () => {
      await worker[Symbol.asyncDispose]()
      await cable[Symbol.asyncDispose]()
    },
  }
}

/** Returns how many tasks the scheduler counted as finished. Each takes some time, so that there is an amid. */
async function exchange(client: Client, amid: () => Promise<void>): Promise<number> {
  const before = (await client.info()).totals.finished
  const bold = client.with({ allowedFailures: 100 })
  const parts = bold.with({ outputs: SIDE }).map(
    async (from: number, side: number) => {
      await new Promise((resolve) => setTimeout(resolve, 10))
      return Array.from({ length: side }, (_, to) => from * side + to)
    },
    Array.from({ length: SIDE }, (_, i) => i),
    { args: [SIDE] },
  ) as unknown as Awaited<number>[][]
  const sums = Array.from({ length: SIDE }, (_, to) =>
    bold.submit(
      async (column: number[]) => {
        await new Promise((resolve) => setTimeout(resolve, 10))
        return column.reduce((a, b) => a + b, 0)
      },
      parts.map((row) => row[to]!),
    ),
  )
  await amid()
  const expected = Array.from({ length: SIDE }, (_, to) => (SIDE * SIDE * (SIDE - 1)) / 2 + SIDE * to)
  assert.deepEqual(await client.gather(sums), expected)
  return (await client.info()).totals.finished - before
}

test(`${BLOW_COUNT} kills, stops and cuts amid an exchange of all with all`, { timeout: 900_000 }, async (t) => {
  await using scheduler = await startSchedulerCommand(['--state-dir', 'none'], { env: { HEDDLE_TOKEN: TOKEN } })
  await using a = await startWorker(scheduler.address, 'a')
  await using b = await startWorker(scheduler.address, 'b')
  await using c = await startWorker(scheduler.address, 'c')
  await using client = await connect(scheduler.address, { token: TOKEN })
  await client.waitForWorkers(3)
  const workers = [a, b, c]
  const rng = new Rng(BLOW_SEED)
  const counts = { kill: 0, stop: 0, cut: 0 }
  const undisturbed = await exchange(client, () => Promise.resolve())
  /** Of the blows, those that fell on a living worker before the exchange was over. */
  let amidCount = 0
  for (let i = 0; i < BLOW_COUNT; i++) {
    const blow = BLOWS[i % BLOWS.length]!
    const { name, cable } = rng.pick(workers)!
    // A worker that was given a blow before comes back by itself; who is not back yet can't be given another.
    let pid = 0
    await eventually(`${name} is there`, async () => {
      pid = (await pidOf(client, name)) ?? 0
      return pid !== 0 && isAlive(pid)
    })
    const before = (await client.info()).totals.finished
    const moment = rng.integer(0, Math.floor(undisturbed / 2))
    try {
      await exchange(client, async () => {
        await eventually('the moment has come', async () => (await client.info()).totals.finished >= before + moment)
        const isStruck = isAlive(pid)
        if (blow === 'cut') cable.cut()
        else killIfAlive(pid, blow === 'kill' ? 'SIGKILL' : 'SIGSTOP')
        counts[blow] += 1
        const { finished } = (await client.info()).totals
        if (isStruck && finished < before + undisturbed) amidCount += 1
      })
    } finally {
      if (blow === 'stop') killIfAlive(pid, 'SIGCONT')
    }
  }
  t.diagnostic(`seed ${BLOW_SEED}: ${JSON.stringify(counts)}, ${amidCount} of them amid ${undisturbed} tasks`)
  assert.ok(amidCount > BLOW_COUNT / 2, `only ${amidCount} of ${BLOW_COUNT} fell amid the exchange`)
})

async function pidOf(client: Client, worker: string): Promise<number | undefined> {
  return (await client.info()).workers.find(({ name }) => name === worker)?.pid
}

test(
  'eight endless loops on eight threads are no death, and leave eight threads',
  { timeout: 300_000 + 2_000 * ENDURANCE },
  async () => {
    await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 8, logLevel: 'error' })
    await using client = await connect(cluster)
    const { pid } = (await client.info()).workers[0]!
    const loops = client.map(() => {
      for (;;);
    }, new Array<undefined>(8).fill(undefined))
    const errors = loops.map((loop) => loop.error())
    const silences: number[] = []
    let cpuSeconds = 0
    // So much time of a processor passes only while the loops go on; heartbeats bring the figure.
    const enough = Math.max(ENDURANCE, 3)
    const startedAtMs = performance.now()
    const look = async (): Promise<boolean> => {
      const [worker] = (await client.info()).workers
      assert.equal(worker?.pid, pid, 'the worker was taken for dead')
      silences.push(worker.silentForMs)
      cpuSeconds = worker.cpuSeconds
      return cpuSeconds >= enough && performance.now() - startedAtMs >= 1_000 * ENDURANCE
    }
    await eventually('the loops go on', look, { timeoutMs: 240_000 + 1_000 * ENDURANCE })
    assert.ok(Math.max(...silences) < HEARTBEAT_TIMEOUT_MS)
    for (const { stoppedBy } of await client.cancel(loops)) assert.ok(stoppedBy === 'thread' || stoppedBy === 'queue')
    await Promise.all(errors)
    const naps = client.map(
      async (x: number) => {
        await new Promise((resolve) => setTimeout(resolve, 10))
        return x
      },
      [1, 2, 3, 4, 5, 6, 7, 8],
    )
    assert.deepEqual(await client.gather(naps), [1, 2, 3, 4, 5, 6, 7, 8])
    assert.deepEqual(
      (await client.info()).workers.map(({ pid: same, processing }) => [same, processing]),
      [[pid, 0]],
    )
  },
)
