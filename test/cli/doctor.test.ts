import assert from 'node:assert/strict'
import test from 'node:test'
import { describeVerdicts } from '../../cli/doctor-command.js'
import type { ClusterFacts, Facts, HereFacts } from '../../cli/doctor/facts.js'
import { judge } from '../../cli/doctor/verdicts.js'
import type { WorkerStatus } from '../../protocol/messages/status.js'
import { LocalCluster } from '../../deploy/local-cluster.js'
import { run, startSchedulerCommand } from './command.js'

const HERE: HereFacts = {
  nodeVersion: 'v22.1.0',
  packageVersion: '1.2.3',
  openFiles: 65_536,
  memoryBytes: 16 * 2 ** 30,
  temporaryDirectory: '/tmp',
  temporaryFreeBytes: 100 * 2 ** 30,
  loopDelayMs: 6,
}
const WORKER: WorkerStatus = {
  name: 'w1',
  address: 'ws://10.0.0.6:1',
  host: 'loom',
  pid: 1,
  threads: 4,
  memoryBytes: 2 ** 30,
  memoryLimitBytes: 4 * 2 ** 30,
  cpuSeconds: 1,
  resources: [],
  processing: 0,
  sentAhead: 0,
  storedCount: 0,
  storedBytes: 0,
  spilledBytes: 0,
  receivedBytes: 0,
  pausedBy: '',
  isDiskFull: false,
  isLeaving: false,
  staysBecause: '',
  silentForMs: 900,
  packageVersion: '1.2.3',
  nodeVersion: 'v22.4.0',
}
const CLUSTER: ClusterFacts = {
  address: 'ws://10.0.0.5:8786',
  roundTripMs: 2,
  clockAheadMs: 120,
  clockErrorMs: 502,
  status: {
    packageVersion: '1.2.3',
    nodeVersion: 'v22.9.0',
    upForMs: 60_000,
    clients: 1,
    workers: [WORKER],
    tasks: { waiting: 0, ready: 0, processing: 0, 'in-memory': 0, failed: 0, released: 0, delayed: 0 },
    functions: [],
    blocked: [],
    totals: {
      submitted: 0,
      finished: 0,
      failed: 0,
      retried: 0,
      cancelled: 0,
      resultBytes: 0,
      movedBytes: 0,
      repaired: 0,
    },
    tasksPerSecond: 0,
  },
  bandwidth: { upBytesPerS: 2 ** 30, downBytesPerS: 2 ** 30 },
}

const here = (change: Partial<HereFacts>): Facts => ({ here: { ...HERE, ...change }, cluster: undefined })
const cluster = (change: Partial<ClusterFacts>): Facts => ({ here: HERE, cluster: { ...CLUSTER, ...change } })
const worker = (change: Partial<WorkerStatus>): Facts =>
  cluster({ status: { ...CLUSTER.status, workers: [{ ...WORKER, ...change }] } })

test('where all is well every verdict is ok', () => {
  const verdicts = judge({ here: HERE, cluster: CLUSTER })
  assert.deepEqual(
    verdicts.filter(({ verdict }) => verdict !== 'ok'),
    [],
  )
  assert.equal(verdicts.length, 11)
  assert.match(describeVerdicts(verdicts), /^ok +workers +1 is there, with 4 threads; all are well$/m)
})

test('broken set-ups get the right verdict, and nothing else does', () => {
  const broken: readonly [Facts, string, RegExp][] = [
    [here({ nodeVersion: 'v20.18.1' }), 'fail Node', /too old; install 20.19 or later/],
    [here({ openFiles: 256 }), 'warn open files', /ulimit -n/],
    [here({ memoryBytes: 2 ** 28 }), 'warn memory', /256 MiB is little/],
    [here({ temporaryFreeBytes: 2 ** 20 }), 'warn disk', /make room/],
    [here({ loopDelayMs: 400 }), 'warn loop delay', /more to do than it can/],
    [{ here: HERE, cluster: 'Nothing answers there.' }, 'fail scheduler', /^Nothing answers there\.$/],
    [cluster({ roundTripMs: 180 }), 'warn round trip', /nearer/],
    [cluster({ clockAheadMs: -90_000 }), 'warn clock', /1m 30s behind/],
    [
      cluster({ bandwidth: { upBytesPerS: 2 ** 20, downBytesPerS: 2 ** 30 } }),
      'warn bandwidth',
      /1(\.0)? MiB\/s to a worker/,
    ],
    [cluster({ bandwidth: 'it could not be measured' }), 'warn bandwidth', /could not/],
    [
      cluster({ status: { ...CLUSTER.status, workers: [] } }),
      'fail workers',
      /heddle worker join ws:\/\/10\.0\.0\.5:8786/,
    ],
    [
      cluster({ status: { ...CLUSTER.status, packageVersion: '1.1.0' } }),
      'warn scheduler’s versions',
      /install the same/,
    ],
    [
      cluster({ status: { ...CLUSTER.status, blocked: [{ needs: 'gpu=1', reason: 'needs gpu=1' }] } }),
      'warn waiting work',
      /needs gpu=1/,
    ],
    [worker({ nodeVersion: 'v20.20.0' }), 'warn worker w1', /others have v22\.9\.0/],
    [worker({ silentForMs: 40_000 }), 'warn worker w1', /not heard of for 40s/],
    [worker({ pausedBy: 'process' }), 'warn worker w1', /one task at a time/],
    [worker({ isDiskFull: true }), 'fail worker w1', /--data-dir/],
  ]
  for (const [facts, expected, finding] of broken) {
    const bad = judge(facts).filter(({ verdict }) => verdict !== 'ok')
    // A scheduler of another version than here is of another version than its workers, too.
    const own = expected.startsWith('warn scheduler') ? bad.slice(0, 1) : bad
    assert.deepEqual(
      own.map(({ verdict, check }) => `${verdict} ${check}`),
      [expected],
    )
    assert.match(own[0]!.finding, finding)
  }
})

test('a real cluster is examined, values sent both ways included', async () => {
  await using local = await LocalCluster.start({ workers: 1, threadsPerWorker: 1 })
  const { code, stdout, stderr } = await run(['doctor', local.address, '--json'])
  assert.deepEqual([code, stderr], [0, ''])
  const verdicts = JSON.parse(stdout) as {
    readonly verdict: string
    readonly check: string
    readonly finding: string
  }[]
  const found = (check: string): string | undefined => verdicts.find((each) => each.check === check)?.finding
  assert.match(found('bandwidth') ?? '', /^[\d.]+ [KMG]iB\/s to a worker, [\d.]+ [KMG]iB\/s back/)
  assert.match(found('clock') ?? '', /^the same as here/)
  assert.match(found('workers') ?? '', /^1 is there/)
})

test('without workers, and without a scheduler, it fails and says what to do', async () => {
  await using scheduler = await startSchedulerCommand()
  const lonely = await run(['doctor', scheduler.address])
  assert.equal(lonely.code, 1)
  assert.match(lonely.stdout, /^fail +workers +there are none; start one with: heddle worker join ws/m)
  const { address } = scheduler
  await scheduler[Symbol.asyncDispose]()
  const missing = await run(['doctor', address])
  assert.equal(missing.code, 1)
  assert.match(missing.stdout, /^fail +scheduler +Nothing answers at /m)
})
