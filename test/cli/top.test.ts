import assert from 'node:assert/strict'
import test from 'node:test'
import { drawTop, sparkline } from '../../cli/top-screen.js'
import { watchScheduler } from '../../cli/watch-scheduler.js'
import { statusOfWatched, WatchedState } from '../../cli/watched-status.js'
import { connect } from '../../client/connect.js'
import type { ClusterStatus, WorkerStatus } from '../../protocol/messages/status.js'
import { joinManyWorkers } from '../browser/many-workers.js'
import { startTestScheduler } from '../scheduler-shell/test-scheduler.js'
import { eventually } from '../support/eventually.js'
import { Command, run, startSchedulerCommand } from './command.js'

const NONE = { waiting: 0, ready: 0, processing: 0, 'in-memory': 0, failed: 0, released: 0, delayed: 0 }

function workerOf(index: number): WorkerStatus {
  return {
    name: `w${index}`,
    address: '',
    host: 'loom',
    pid: 1,
    threads: 4,
    memoryBytes: 2 ** 30,
    memoryLimitBytes: 2 ** 32,
    cpuSeconds: 0,
    resources: [],
    processing: index % 5,
    sentAhead: 0,
    storedCount: 0,
    storedBytes: 0,
    spilledBytes: 0,
    receivedBytes: 0,
    pausedBy: '',
    isDiskFull: false,
    isLeaving: false,
    staysBecause: '',
    silentForMs: 0,
    packageVersion: '1.2.3',
    nodeVersion: 'v20.0.0',
  }
}

function statusOf(workers: number, functions: number): ClusterStatus {
  const tasks = { ...NONE, processing: 7, ready: 30, 'in-memory': 4 }
  return {
    packageVersion: '1.2.3',
    nodeVersion: 'v20.0.0',
    upForMs: 61_000,
    clients: 1,
    workers: Array.from({ length: workers }, (_, i) => workerOf(i)),
    tasks,
    functions: Array.from({ length: functions }, (_, i) => ({
      name: `step-${i}`,
      tasks: { ...tasks, ready: i },
      finished: i,
      failed: 0,
      meanMs: i,
    })),
    blocked: [],
    totals: {
      submitted: 100,
      finished: 60,
      failed: 3,
      retried: 1,
      cancelled: 0,
      resultBytes: 0,
      movedBytes: 0,
      repaired: 0,
    },
    tasksPerSecond: 1234.4,
  }
}

test('a screen says what there is to do, by whom, and what is wrong', () => {
  const status = statusOf(2, 2)
  const wrong: ClusterStatus = {
    ...status,
    blocked: [{ needs: 'gpu=1', reason: 'needs gpu=1, which no worker has' }],
    workers: [{ ...workerOf(1), pausedBy: 'values', silentForMs: 20_000 }],
  }
  const lines = drawTop('ws://127.0.0.1:8786', wrong, [1, 2], { columns: 200, rows: 40 })
  assert.match(lines[0]!, /^ws:\/\/127\.0\.0\.1:8786 {2}up for 1m 1s {2}1 workers, 4 threads, 1 clients$/)
  assert.match(lines[1]!, /^ {3}1234 tasks\/s {2}▅█$/)
  assert.ok(lines.includes('! there is work that needs gpu=1, which no worker has'))
  assert.ok(lines.some((line) => line.startsWith('! w1 was not heard of for 20s')))
  assert.ok(lines.some((line) => line.startsWith('! w1 has no memory left')))
  assert.ok(
    lines.some((line) => /^w1 +███░░░░░░░ +1 +███░░░░░░░ /.test(line)),
    lines.join('\n'),
  )
  // The function with most to do comes first.
  assert.ok(lines.findIndex((line) => line.startsWith('step-1')) < lines.findIndex((line) => line.startsWith('step-0')))
})

test('it fits the terminal, whatever there is', () => {
  for (const [workers, functions] of [
    [0, 0],
    [2, 1],
    [200, 500],
  ] as const) {
    for (const size of [
      { columns: 20, rows: 5 },
      { columns: 80, rows: 24 },
      { columns: 300, rows: 100 },
    ]) {
      const lines = drawTop('ws://127.0.0.1:8786', statusOf(workers, functions), [0], size)
      assert.ok(lines.length <= size.rows, `${lines.length} lines for ${size.rows}`)
      assert.ok(lines.every((line) => Array.from(line).length <= size.columns))
    }
  }
  const lines = drawTop('ws://127.0.0.1:8786', statusOf(0, 0), [], { columns: 100, rows: 24 })
  assert.ok(lines.includes('No workers; start one with: heddle worker join ws://127.0.0.1:8786'))
})

test('throughput is drawn against the highest', () => {
  assert.equal(sparkline([0, 50, 100]), '▁▅█')
  assert.equal(sparkline([0, 0]), '▁▁')
})

test('the status is put together of what the page is told', async () => {
  await using scheduler = await startTestScheduler()
  await using client = await connect(scheduler.address)
  await using _workers = await joinManyWorkers(scheduler.address, 2)
  const asked = await client.info()
  const state = new WatchedState()
  const left = new AbortController()
  let told: ClusterStatus | undefined
  await watchScheduler({
    address: scheduler.address,
    token: undefined,
    tls: undefined,
    timeoutMs: 60_000,
    look: '',
    signal: left.signal,
    onMessage: (message) => {
      const watched = state.take(message)
      if (watched === undefined || Object.values(watched.cluster.workers).some(({ memoryBytes }) => memoryBytes === 0))
        return
      told = statusOfWatched(watched, Date.now())
      left.abort()
    },
  })
  assert.deepEqual(Object.keys(told!).sort(), Object.keys(asked).sort())
  const sorted = told!.workers.toSorted((a, b) => a.name.localeCompare(b.name))
  assert.deepEqual(
    sorted.map(({ name, threads, memoryBytes }) => [name, threads, memoryBytes]),
    [
      ['node-0', 16, 2 ** 20],
      ['node-1', 16, 2 ** 21],
    ],
  )
  assert.deepEqual(Object.keys(sorted[0]!).sort(), Object.keys(asked.workers[0]!).sort())
})

test('where the output is no terminal it is a line of JSON every second, until it is asked to end', async () => {
  await using scheduler = await startSchedulerCommand()
  await using top = new Command(['top', scheduler.address])
  await eventually('two lines', () => top.stdout.split('\n').length > 2)
  const status = JSON.parse(top.stdout.split('\n')[0]!) as ClusterStatus
  assert.deepEqual(status.workers, [])
  top.process.kill('SIGTERM')
  assert.equal(await top.ended, 0)
})

test('a scheduler that goes away, or wants a token, is told in a sentence', async () => {
  const token = 'a-token-of-more-than-twenty-characters'
  await using scheduler = await startSchedulerCommand([], { env: { HEDDLE_TOKEN: token } })
  const stranger = await run(['top', scheduler.address])
  assert.equal(stranger.code, 1)
  assert.match(stranger.stderr, /^heddle: ws:.* refused the token; give the one its scheduler was started with\.\n$/)
  await using top = new Command(['top', scheduler.address], { env: { HEDDLE_TOKEN: token } })
  await eventually('a line', () => top.stdout.includes('\n'))
  scheduler.command.process.kill('SIGKILL')
  assert.equal(await top.ended, 1)
  assert.match(top.stderr, /^heddle: The connection to ws:.* ended; see whether the scheduler is up\.\n$/)
})
