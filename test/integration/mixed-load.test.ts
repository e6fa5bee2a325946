/**
 * A cluster works while its processes are killed and stopped and its connections cut by chance: every answer is right, and when
 * it rests no process holds more than it did before. `HEDDLE_ENDURANCE` says for how many seconds. The client is in the
 * process of the test, so its figures have what the test itself keeps, and the cables by which it and the workers are connected.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { connect, type Client } from '../../client/index.js'
import { collectGarbage } from '../../common/node/garbage.js'
import { Rng } from '../../common/rng.js'
import { MIN_JOURNAL_BYTES } from '../../protocol/limits.js'
import { Cable } from '../support/cable.js'
import { DurableCluster } from '../support/durable-cluster.js'
import { eventually } from '../support/eventually.js'
import { INSPECTED, inspectorsIn, keptBytes } from '../support/inspected-process.js'
import { mixedLoad, type Disturbance } from '../support/mixed-load.js'
import { allGone, descendantsOf } from '../support/processes.js'

const ENDURANCE_MS = Number(process.env['HEDDLE_ENDURANCE'] ?? 0) * 1_000
const SEED = Number(process.env['HEDDLE_SEED'] ?? Date.now())

const FAULTS = ['none', 'worker killed', 'worker stopped', 'worker cut', 'client cut', 'scheduler killed'] as const
/** The second is the one that is killed: what the first holds, it holds for as long as the test takes. */
const WORKERS = ['w0', 'w1'] as const
/** Two rounds of each fault. */
const WARM_UP_ROUNDS = 2 * FAULTS.length
/** Fewer say nothing of what grows. */
const ROUNDS_THAT_SHOW = 5 * FAULTS.length
/**
 * What the second half of the rounds may have more than the first. A worker remembers its last 10,000 runs and when the tasks
 * of the last 20,000 came, some MiB that fill up with the first 50 rounds. Resident memory can't be collected from outside, and
 * the heaps of threads are collected as they please; connections between workers are closed when they were idle for long enough; and
 * of the two threads of a worker each may just be replaced, for a task that had to be stopped.
 */
const SLACK = {
  keptBytes: { factor: 1.05, more: 2 * 2 ** 20 },
  residentBytes: { factor: 1.5, more: 64 * 2 ** 20 },
  handles: { factor: 1, more: 4 },
  threads: { factor: 1, more: 2 },
}
/** A worker that is stopped is silent for so long at most, and goes on. */
const MAX_SILENCE_MS = ENDURANCE_MS === 0 ? 1_000 : 3_000

/** What a process has when the cluster rests. */
interface Figures {
  readonly name: string
  readonly pid: number
  /** Of JavaScript heap and buffers. */
  readonly keptBytes: number
  readonly residentBytes: number
  readonly handles: number
  readonly threads: number
}

test(
  'kills, stops and cuts by chance, amid a load of everything',
  { timeout: 120_000 + 2 * ENDURANCE_MS },
  async (t) => {
    t.diagnostic(`HEDDLE_SEED=${SEED}`)
    const rng = new Rng(SEED)
    const before = descendantsOf(process.pid)
    let processes: number[] = []
    const rounds: Figures[][] = []
    {
      await using cluster = await DurableCluster.start({ workers: 2, threads: 2, env: INSPECTED, isCabled: true })
      await using cable = await Cable.to(cluster.address)
      await using client = await connect(cable.address, { token: cluster.token })
      const disturbances = new Disturbances(cluster, cable, client, rng)
      const endMs = performance.now() + ENDURANCE_MS
      // At least once every fault, in another order each time.
      while (rounds.length < FAULTS.length || performance.now() < endMs) {
        for (const fault of rng.shuffled(FAULTS)) {
          await mixedLoad(client, rng, rng.shuffled(WORKERS), disturbances.make(fault))
          await untilNothingIsHeld(client)
          rounds.push(await figuresOf(cluster, client))
        }
      }
      assert.ok(bytesIn(cluster.stateDir) < 2 * MIN_JOURNAL_BYTES)
      processes = descendantsOf(process.pid).filter((pid) => !before.includes(pid))
      assert.equal(processes.length, 5, 'scheduler, nannies and workers')
    }
    await allGone(processes)
    t.diagnostic(`${rounds.length} rounds`)
    for (const [i, { name }] of rounds[0]!.entries()) {
      const figures = rounds.map((round) => round[i]!)
      t.diagnostic(`${name}: ${trendOf(figures)}`)
      if (rounds.length >= ROUNDS_THAT_SHOW) checkFlat(figures)
    }
  },
)

/**
 * The first rounds load code and compile it. What comes then is looked at in two halves. A process that was started again is
 * compared with those before it: what its journal or its peers make it keep would grow all the same.
 */
function checkFlat(figures: readonly Figures[]): void {
  const [early, late] = halvesOf(figures)
  const { name } = figures[0]!
  for (const what of ['keptBytes', 'residentBytes', 'handles', 'threads'] as const) {
    const [was, is] = [early, late].map((half) => Math.max(...half.map((each) => each[what])))
    assert.ok(is! <= was! * SLACK[what].factor + SLACK[what].more, `${name}: ${what} grew from ${was} to ${is}`)
  }
}

function halvesOf(figures: readonly Figures[]): [Figures[], Figures[]] {
  const counted = figures.slice(WARM_UP_ROUNDS)
  return [counted.slice(0, counted.length / 2), counted.slice(counted.length / 2)]
}

/** The most of each tenth of the rounds. */
function trendOf(figures: readonly Figures[]): string {
  const length = Math.ceil(figures.length / 10)
  const tenths = Array.from({ length: Math.ceil(figures.length / length) }, (_, i) =>
    figures.slice(i * length, (i + 1) * length),
  )
  const most = (what: keyof typeof SLACK): number[] =>
    tenths.map((tenth) => Math.max(...tenth.map((each) => each[what])))
  const mebibytes = (what: 'keptBytes' | 'residentBytes'): string =>
    most(what)
      .map((bytes) => (bytes / 2 ** 20).toFixed(1))
      .join(' ')
  const counts = (what: 'handles' | 'threads'): string => most(what).join(' ')
  return `MiB kept ${mebibytes('keptBytes')}, resident ${mebibytes('residentBytes')}; handles ${counts('handles')}; threads ${counts('threads')}`
}

class Disturbances {
  readonly #cluster: DurableCluster
  /** The client's. */
  readonly #cable: Cable
  readonly #client: Client
  readonly #rng: Rng

  constructor(cluster: DurableCluster, cable: Cable, client: Client, rng: Rng) {
    this.#cluster = cluster
    this.#cable = cable
    this.#client = client
    this.#rng = rng
  }

  make(fault: (typeof FAULTS)[number]): Disturbance {
    const struck = this.#rng.integer(0, WORKERS.length - 1)
    const silenceMs = this.#rng.integer(100, MAX_SILENCE_MS)
    const breaksStreams = { mayBreakStreams: () => true }
    switch (fault) {
      case 'none':
        return { disturb: () => Promise.resolve(), mayBreakStreams: () => false }
      case 'worker killed':
        return { disturb: async () => void process.kill(await this.#pidOf(WORKERS[1]), 'SIGKILL'), ...breaksStreams }
      case 'worker stopped':
        return {
          disturb: async () => stop(await this.#pidOf(WORKERS[struck]!), this.#client, silenceMs),
          mayBreakStreams: this.#mayBreakIfOneLeft(),
        }
      case 'worker cut':
        return { disturb: () => Promise.resolve(this.#cluster.cables[struck]!.cut()), ...breaksStreams }
      case 'client cut':
        return { disturb: () => Promise.resolve(this.#cable.cut()), ...breaksStreams }
      case 'scheduler killed':
        return { disturb: () => this.#cluster.kill().then(() => this.#cluster.restart()), ...breaksStreams }
    }
  }

  /** Where little time is left for a test a worker that is stopped may be taken for dead: the log says so. */
  #mayBreakIfOneLeft(): () => Promise<boolean> {
    const countLeft = (): number => this.#cluster.schedulerLog.split('"worker left"').length
    const before = countLeft()
    return async () => {
      await eventually('a worker has left, for which a stream broke', () => countLeft() > before)
      return true
    }
  }

  async #pidOf(wanted: string): Promise<number> {
    const { workers } = await this.#client.info()
    return workers.find(({ name }) => name === wanted)!.pid
  }
}

async function stop(pid: number, client: Client, silenceMs: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  try {
    await eventually('its silence is noticed', async () => {
      const worker = (await client.info()).workers.find((each) => each.pid === pid)
      return worker === undefined || worker.silentForMs >= silenceMs
    })
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

async function untilNothingIsHeld(client: Client): Promise<void> {
  let last = ''
  try {
    await eventually('nothing is held, and all are back', async () => {
      collectGarbage()
      const { tasks, workers } = await client.info()
      last = JSON.stringify({ tasks, workers })
      const areIdle = workers.every(({ storedCount, processing }) => storedCount + processing === 0)
      return Object.values(tasks).every((count) => count === 0) && workers.length === 2 && areIdle
    })
  } catch (cause) {
    throw new Error(`Something is still held: ${last}`, { cause })
  }
}

async function figuresOf(cluster: DurableCluster, client: Client): Promise<Figures[]> {
  const figures = [
    await figuresOfProcess('scheduler', cluster.scheduler.pid, inspectorsIn(cluster.schedulerLog).at(-1)!),
  ]
  const { workers } = await client.info()
  for (const [i, nanny] of cluster.workers.entries()) {
    const inspectors = inspectorsIn(nanny.stderr)
    figures.push(await figuresOfProcess(`nanny ${i}`, nanny.pid, inspectors[0]!))
    const { pid } = workers.find(({ name }) => name === WORKERS[i])!
    figures.push(await figuresOfProcess(`worker ${i}`, pid, inspectors.at(-1)!))
  }
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  figures.push({ name: 'client', pid: process.pid, keptBytes: heapUsed + external, ...seenFromOutside(process.pid) })
  return figures
}

async function figuresOfProcess(name: string, pid: number, inspector: string): Promise<Figures> {
  return { name, pid, keptBytes: await keptBytes(inspector), ...seenFromOutside(pid) }
}

function seenFromOutside(pid: number): Pick<Figures, 'residentBytes' | 'handles' | 'threads'> {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return {
    residentBytes: Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) * 1024,
    handles: readdirSync(`/proc/${pid}/fd`).length,
    threads: readdirSync(`/proc/${pid}/task`).length,
  }
}

function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(path.join(folder, name)).size)
    .reduce((all, size) => all + size, 0)
}
