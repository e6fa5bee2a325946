/** The scheduler is killed, with everything else left as it is: nobody but its log may notice. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { promisify } from 'node:util'
import { Rng } from '../../common/rng.js'
import { connect, type Client, type Future } from '../../client/index.js'
import { DurableCluster } from '../support/durable-cluster.js'
import { eventually } from '../support/eventually.js'
import { SmallDisk } from '../support/small-disk.js'
import { TemporaryFolder } from '../support/temporary-folder.js'

/** `npm run test:all` kills a hundred times; otherwise a few times show that it works. */
const KILLS = Number(process.env['HEDDLE_KILLS'] ?? 4)
const KILLS_A_GRAPH = 4
const LEAVES = 5_000

/** A tree of sums, 10,000 tasks, each of which notes that it ran in a file of its own name. */
function sumOfTree(client: Client, log: string): Future<number> {
  const note = client.with({ name: 'leaf' })
  let level: Future<number>[] = note.map(leaf, range(LEAVES), { args: [log] })
  for (let depth = 0; level.length > 1; depth++) {
    const pairs = range(Math.ceil(level.length / 2)).map((i) => level.slice(2 * i, 2 * i + 2))
    level = pairs.map((pair, i) => client.with({ name: 'sum' }).submit(sum, pair, log, `${depth}-${i}`))
  }
  return level[0]!
}

async function leaf(x: number, log: string): Promise<number> {
  const { appendFileSync } = await import('node:fs')
  appendFileSync(log, `leaf-${x}\n`)
  return x
}

async function sum(values: number[], log: string, name: string): Promise<number> {
  const { appendFileSync } = await import('node:fs')
  appendFileSync(log, `sum-${name}\n`)
  return values.reduce((all, value) => all + value, 0)
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}

test(`a scheduler that is killed amid a graph is not missed: ${KILLS} times`, async (t) => {
  const rng = new Rng(Number(process.env['HEDDLE_SEED'] ?? Date.now()))
  await using folder = await TemporaryFolder.create('runs')
  await using cluster = await DurableCluster.start({ workers: 2 })
  for (let kills = 0, graph = 0; kills < KILLS; graph++) {
    const log = path.join(folder.path, `${graph}.log`)
    writeFileSync(log, '')
    await using client = await connect(cluster.address)
    const total = sumOfTree(client, log)
    const result = Promise.resolve(total)
    const points = range(Math.min(KILLS_A_GRAPH, KILLS - kills))
      .map(() => rng.integer(1, 95_000))
      .sort((a, b) => a - b)
    let running = 0
    for (const bytes of points) {
      await eventually('the graph goes on', () => statSync(log).size >= bytes, { timeoutMs: 60_000 })
      running += (await client.info()).tasks.processing
      await cluster.kill()
      await cluster.restart()
      kills++
    }
    assert.equal(await result, (LEAVES * (LEAVES - 1)) / 2)
    const runs = readFileSync(log, 'utf8').trim().split('\n')
    const twice = runs.length - new Set(runs).size
    t.diagnostic(
      `${points.length} kills at ${points.join(', ')}: ${runs.length} runs, ${twice} twice, ${running} running`,
    )
    assert.ok(twice <= running, `${twice} tasks ran twice, and ${running} were running`)
  }
})

/** A sum by recursion: each call is a task, which notes that it ran and waits for its children. */
async function total(from: number, to: number, log: string): Promise<number> {
  const { appendFileSync } = await import('node:fs')
  const { setTimeout } = await import('node:timers/promises')
  const { task } = await import('heddle/task')
  appendFileSync(log, `${from}-${to}\n`)
  await setTimeout(5)
  if (to - from === 1) return from
  const middle = (from + to) >> 1
  const client = task.client()
  const halves = [client.submit(total, from, middle, log), client.submit(total, middle, to, log)]
  const [left, right] = await client.gather(halves)
  return left! + right!
}

test('parents that wait for their children begin again when the scheduler is killed', async (t) => {
  await using folder = await TemporaryFolder.create('nested')
  await using cluster = await DurableCluster.start({ workers: 2 })
  const log = path.join(folder.path, 'runs.log')
  writeFileSync(log, '')
  await using client = await connect(cluster.address)
  const shared = client.with({ resources: { threads: 0 } })
  const totals = [client.submit(total, 0, 64, log), shared.submit(total, 64, 96, log)]
  let areOver = false
  const results = client.gather(totals).finally(() => (areOver = true))
  for (let kills = 1; kills <= Math.min(KILLS, 2); kills++) {
    const { size } = statSync(log)
    await eventually('they go on', () => areOver || statSync(log).size >= size + 200)
    await cluster.kill()
    await cluster.restart()
  }
  assert.deepEqual(await results, [(64 * 63) / 2, (96 * 95) / 2 - (64 * 63) / 2])
  t.diagnostic(`${readFileSync(log, 'utf8').trim().split('\n').length} runs of ${127 + 63}`)
  await eventually('nothing else is left', async () => {
    const { tasks } = await client.info()
    return tasks.processing + tasks.ready + tasks.waiting === 0 && tasks['in-memory'] === totals.length
  })
})

test('a scheduler that is told to end is one that goes on when it is started again', async () => {
  await using cluster = await DurableCluster.start({ workers: 1 })
  await using client = await connect(cluster.address)
  const first = client.submit((x: number) => x + 1, 1)
  assert.equal(await first, 2)
  await cluster.kill('SIGTERM')
  const second = client.submit((x: number) => x + 1, first)
  const third = client.with({ key: 'third' }).submit((x: number) => x + 1, second)
  await cluster.restart()
  assert.equal(await third, 4)
  await using other = await connect(cluster.address)
  assert.equal(await other.future<number>('third'), 4)
})

test('detached work survives its client, the scheduler, and every worker', async () => {
  await using folder = await TemporaryFolder.create('detached')
  const file = path.join(folder.path, 'done')
  const script = `
    const { connect } = await import(${JSON.stringify(new URL('../../client/index.js', import.meta.url).href)})
    const client = await connect(process.argv[1])
    const slow = client.submit(async (file) => {
      const { setTimeout } = await import('node:timers/promises')
      const { appendFileSync } = await import('node:fs')
      await setTimeout(1_000)
      appendFileSync(file, 'done')
    }, process.argv[2])
    client.fireAndForget(slow)
    await client.close()`
  await using cluster = await DurableCluster.start({ workers: 1 })
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, cluster.address, file])
  await cluster.kill()
  await cluster.workers[0]![Symbol.asyncDispose]()
  await cluster.restart()
  await cluster.addWorker()
  await eventually('the work is done', () => existsSync(file) && readFileSync(file, 'utf8') === 'done', {
    timeoutMs: 60_000,
  })
})

test('work of a client that died with the scheduler is not started, and dropped after its grace', async () => {
  await using folder = await TemporaryFolder.create('missing')
  const file = path.join(folder.path, 'ran')
  writeFileSync(file, '')
  const script = `
    const { connect } = await import(${JSON.stringify(new URL('../../client/index.js', import.meta.url).href)})
    const client = await connect(process.argv[1])
    const note = async (name, file) => (await import('node:fs')).appendFileSync(file, name + '\\n')
    const busy = client.submit(async (file) => {
      const { existsSync } = await import('node:fs')
      const { setTimeout } = await import('node:timers/promises')
      while (!existsSync(file)) await setTimeout(10)
    }, process.argv[2] + '.go')
    const plain = client.map(note, ['a', 'b', 'c'], { args: [process.argv[2]] })
    client.fireAndForget(client.submit(note, 'detached', process.argv[2]))
    await client.info()
    process.stdout.write('ready')
    await client.gather([busy, ...plain])`
  await using cluster = await DurableCluster.start({ workers: 1, scheduler: ['--client-grace', '2s'] })
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, cluster.address, file])
  await once(child.stdout, 'data')
  await cluster.kill()
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
  await cluster.restart()
  writeFileSync(`${file}.go`, '')
  await using client = await connect(cluster.address)
  const sum = client.submit((x: number) => x + 1, 1)
  assert.equal(await sum, 2)
  sum.release()
  await eventually('what was detached is done, and the rest is gone', async () => {
    const { tasks } = await client.info()
    const left = tasks.ready + tasks.waiting + tasks.processing + tasks['in-memory']
    return readFileSync(file, 'utf8') !== '' && left === 0
  })
  assert.equal(readFileSync(file, 'utf8'), 'detached\n')
})

test(
  'a full state directory makes new work wait, loses nothing, and is told',
  { skip: process.getuid?.() !== 0 },
  async () => {
    await using disk = await SmallDisk.mount('4m')
    await using cluster = await DurableCluster.start({ workers: 1, stateDir: path.join(disk.path, 'state') })
    await using client = await connect(cluster.address)
    assert.equal(await client.submit((x: number) => x, 1), 1)
    const ballast = path.join(disk.path, 'ballast')
    writeFileSync(ballast, Buffer.alloc(3 * 2 ** 20))
    const values = range(40).map((i) => Buffer.alloc(100_000, i))
    const lengths = values.map((value) => client.submit((bytes: Uint8Array) => bytes.length, value))
    await eventually('the log says so', () =>
      cluster.schedulerLog.includes('is full: new work waits until there is room'),
    )
    const late = client.submit((x: number) => x, 2)
    const waiting = await late.explain()
    assert.match(waiting.reason, /the state directory of the scheduler is full/)
    rmSync(ballast)
    assert.equal(await late, 2)
    assert.deepEqual(
      await client.gather(lengths),
      range(40).map(() => 100_000),
    )
    await cluster.kill()
    await cluster.restart()
    assert.deepEqual(
      await client.gather(lengths),
      range(40).map(() => 100_000),
    )
  },
)
