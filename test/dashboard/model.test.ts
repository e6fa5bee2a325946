/** What the status page says, apart from how it looks. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { Lines, linesWith } from '../../dashboard/model/lines.js'
import { History, memoryOf } from '../../dashboard/model/history.js'
import { problemsOf } from '../../dashboard/model/problems.js'
import { progressOf } from '../../dashboard/model/progress.js'
import { timesOf } from '../../dashboard/model/run-times.js'
import { withoutOurFrames } from '../../dashboard/model/stack.js'
import { stepsOf } from '../../dashboard/model/state-history.js'
import { partsOfStates, PROGRESS_KINDS, STATES } from '../../dashboard/model/states.js'
import { clock, compact } from '../../dashboard/model/words.js'
import type { StateCounts } from '../../protocol/messages/status.js'
import type { ClusterView, FunctionView, LineView, Watched, WorkerView } from '../../protocol/messages/watch.js'

const NO_TASKS: StateCounts = {
  waiting: 0,
  ready: 0,
  processing: 0,
  'in-memory': 0,
  failed: 0,
  released: 0,
  delayed: 0,
}
const WORKER: WorkerView = {
  address: 'ws://127.0.0.1:1',
  host: 'here',
  pid: 1,
  threads: 2,
  resources: [],
  memoryBytes: 100,
  memoryLimitBytes: 1_000,
  cpuSeconds: 0,
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
  heardAtMs: 9_000,
  packageVersion: '1',
  nodeVersion: 'v20',
  running: [],
}

function watched(cluster: Partial<ClusterView>, scheduler: Partial<Watched['scheduler']> = {}): Watched {
  return {
    nowMs: 10_000,
    cluster: {
      clients: 1,
      tasks: NO_TASKS,
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
      workers: {},
      functions: {},
      moreFunctions: 0,
      blocked: [],
      ...cluster,
    },
    scheduler: {
      packageVersion: '1',
      nodeVersion: 'v20',
      pid: 1,
      host: 'here',
      startedAt: 0,
      memoryBytes: 1,
      heapBytes: 1,
      cpu: 0,
      loopBusy: 0,
      loopDelayMs: 0,
      longestDelayMs: 0,
      garbageMs: 0,
      connections: 0,
      viewers: 1,
      ...scheduler,
    },
  }
}

const textsOf = (state: Watched): string[] => problemsOf(state).map(({ text }) => text)

test('nothing is wrong in a cluster that has nothing to do', () => {
  assert.deepEqual(problemsOf(watched({})), [])
  assert.deepEqual(problemsOf(watched({ workers: { a: WORKER } })), [])
  const totals = { ...watched({}).cluster.totals, repaired: 2 }
  assert.match(textsOf(watched({ totals })).join(), /^Scheduler and workers disagreed 2 times, which was put right/)
})

test('what is wrong is told in sentences, the worst first, and of many workers the first are named', () => {
  const workers = Object.fromEntries(
    ['a', 'b', 'c', 'd', 'e'].map((name) => [name, { ...WORKER, pausedBy: 'values' as const }]),
  )
  const functions = { f: { tasks: { ...NO_TASKS, failed: 3 }, finished: 0, failed: 3, meanMs: 0, inputs: {} } }
  const blocked = [{ needs: 'gpu=1', reason: 'needs gpu=1, which no worker has' }]
  assert.deepEqual(textsOf(watched({ workers, functions, blocked, tasks: { ...NO_TASKS, failed: 3 } })), [
    'Tasks that need gpu=1 wait: the work needs gpu=1, which no worker has',
    'a, b, c and 2 more ran short of memory, 500 B in use, doing one task at a time.',
    '3 tasks failed, most of them of f.',
  ])
})

test('each trouble has its sentence', () => {
  const one = (worker: Partial<WorkerView>): string[] => textsOf(watched({ workers: { a: { ...WORKER, ...worker } } }))
  assert.deepEqual(textsOf(watched({ tasks: { ...NO_TASKS, ready: 1 } })), ['1 task waits, and there is no worker.'])
  assert.deepEqual(one({ isDiskFull: true }), ['a can’t put values on disk for want of room there.'])
  assert.deepEqual(one({ heardAtMs: 2_000 }), ['a said nothing for 8s.'])
  assert.deepEqual(one({ packageVersion: '2' }), ['a runs another version than the scheduler’s 1.'])
  assert.match(textsOf(watched({}, { loopBusy: 0.99 }))[0]!, /^The scheduler is busy for 99 % of the time/)
  assert.match(textsOf(watched({}, { loopDelayMs: 400 }))[0]!, /^The scheduler answers late, by 400ms/)
  assert.match(textsOf(watched({ tasks: { ...NO_TASKS, delayed: 2 } }))[0]!, /^2 tasks failed and will be tried again/)
})

test('the time left follows from how fast tasks end or, before any has, from how long they take', () => {
  const view: FunctionView = {
    tasks: { ...NO_TASKS, ready: 80, processing: 10, waiting: 10, 'in-memory': 50, failed: 2 },
    finished: 50,
    failed: 2,
    meanMs: 40,
    inputs: {},
  }
  assert.deepEqual(progressOf(view, 20, 4), {
    done: 50,
    failed: 2,
    processing: 10,
    waiting: 90,
    total: 152,
    leftMs: 5_000,
  })
  assert.equal(progressOf(view, 0, 4).leftMs, 1_000)
  assert.equal(progressOf(view, 0, 0).leftMs, undefined)
  assert.equal(progressOf({ ...view, tasks: NO_TASKS }, 20, 4).leftMs, undefined)
})

test('every state has one colour and one name on all views, and the parts of a bar are all its tasks', () => {
  const tasks = { waiting: 1, ready: 2, processing: 3, 'in-memory': 4, failed: 5, released: 6, delayed: 7 }
  const parts = partsOfStates({ tasks, finished: 10 })
  assert.deepEqual(
    parts.map(({ kind, amount, words }) => [kind, amount, words]),
    [
      ['done', 10, '10 done'],
      ['failed', 5, '5 failed'],
      ['delayed', 7, '7 to be retried'],
      ['processing', 3, '3 processing'],
      ['ready', 2, '2 ready'],
      ['waiting', 1, '1 waiting for inputs'],
    ],
  )
  assert.deepEqual(new Set(parts.map(({ kind }) => kind)), new Set(PROGRESS_KINDS.map(({ kind }) => kind)))
  assert.deepEqual(STATES.map(({ state }) => state).sort(), Object.keys(NO_TASKS).sort())
  assert.equal(new Set(STATES.map(({ kind }) => kind)).size, STATES.length)
})

test('the time of a run is told in parts, and as a whole where these were not measured', () => {
  const run = {
    worker: 'a',
    thread: 0,
    receivedAtMs: 1_000,
    startedAtMs: 1_060,
    queueMs: 20,
    fetchMs: 40,
    durationMs: 2_000,
    decodeMs: 300,
    runMs: 1_500,
    encodeMs: 200,
    hasEnded: true,
    hasFailed: false,
  }
  assert.deepEqual(timesOf(run), { queue: '20ms', fetch: '40ms', decode: '300ms', run: '1.5s', encode: '200ms' })
  const unmeasured = { ...run, receivedAtMs: 0, decodeMs: undefined, runMs: undefined, encodeMs: undefined }
  assert.deepEqual(timesOf(unmeasured), { queue: '–', fetch: '–', decode: '–', run: '2s', encode: '–' })
})

test('what became of a task is told step by step, as far as it is remembered', () => {
  const times = { queueMs: 0, fetchMs: 0, decodeMs: undefined, runMs: undefined, encodeMs: undefined }
  const runs = [
    {
      ...times,
      worker: 'a',
      thread: 0,
      receivedAtMs: 20,
      startedAtMs: 30,
      durationMs: 5,
      hasEnded: true,
      hasFailed: true,
    },
    {
      ...times,
      worker: 'b',
      thread: 1,
      receivedAtMs: 0,
      startedAtMs: 50,
      durationMs: 9,
      hasEnded: false,
      hasFailed: false,
    },
  ]
  assert.deepEqual(
    stepsOf({ submittedAtMs: 10, runs }).map(({ atMs, words }) => `${atMs} ${words}`),
    ['10 submitted', '20 received by a', '30 begun on a, thread 1', '35 failed', '50 begun on b, thread 2'],
  )
  assert.deepEqual(stepsOf({ submittedAtMs: 10, runs: [] }), [{ atMs: 10, words: 'submitted' }])
})

test('the page remembers a sample a second, for ten minutes, and takes rates over the last ten', () => {
  const history = new History()
  for (let atMs = 0; atMs < 700_000; atMs += 250) {
    const finished = atMs / 100
    const f: FunctionView = { tasks: NO_TASKS, finished, failed: 0, meanMs: 1, inputs: {} }
    history.add(
      watched({ functions: { f }, workers: { a: { ...WORKER, cpuSeconds: atMs / 2_000, receivedBytes: atMs } } })
        .cluster,
      atMs,
    )
  }
  assert.equal(history.samples.length, 600)
  assert.equal(history.rateOf('f'), 10)
  assert.equal(history.coresOf('a'), 0.5)
  assert.equal(history.receivedOf('a'), 1_000)
  assert.equal(history.rateOf('nobody'), 0)
})

test('a function that came a moment ago has a rate of its own time', () => {
  const history = new History()
  const f = (finished: number): Record<string, FunctionView> => ({
    f: { tasks: NO_TASKS, finished, failed: 0, meanMs: 1, inputs: {} },
  })
  history.add(watched({}).cluster, 0)
  history.add(watched({ functions: f(0) }).cluster, 5_000)
  history.add(watched({ functions: f(20) }).cluster, 7_000)
  assert.equal(history.rateOf('f'), 10)
})

test('memory is told by kind, and what is on disk is not in memory', () => {
  const memory = memoryOf([
    { memoryBytes: 100, storedBytes: 60, spilledBytes: 20 },
    { memoryBytes: 10, storedBytes: 50, spilledBytes: 0 },
  ])
  assert.deepEqual(memory, { values: 90, beside: 60, spilled: 20 })
})

test('figures on axes are short', () => {
  assert.deepEqual([0, 12, 999, 1_500, 20_000, 2_500_000].map(compact), ['0', '12', '999', '1.5k', '20k', '2.5M'])
})

test('the time of day is told to the millisecond, the same everywhere', () => {
  assert.equal(clock(Date.UTC(2026, 0, 2, 13, 5, 9, 250)), '13:05:09.250')
})

test('a stack is shown without the frames that are the same for every task', () => {
  const stack = [
    'Error: no',
    '    at read (file:///tmp/code/1.mjs:4:27)',
    '    at async runBatch (file:///app/node_modules/heddle/dist/worker/thread/run-batch.js:55:26)',
    '    at async onMessage (/app/node_modules/piscina/dist/worker.js:180:22)',
  ]
  assert.equal(withoutOurFrames(stack.join('\n')), stack.slice(0, 2).join('\n'))
})

test('lines of logs are kept by time, the newest first, and found by worker and text', () => {
  const line = (worker: string, atMs: number, text: string): LineView => ({ worker, atMs, level: 'info', text })
  const lines = new Lines(3)
  lines.add({ type: 'logs', isWhole: true, lines: [line('a', 1, 'one'), line('a', 3, 'three')], leftOut: 0 })
  lines.add({ type: 'logs', isWhole: false, lines: [line('b', 2, 'two'), line('b', 4, 'Four')], leftOut: 7 })
  assert.deepEqual(
    lines.all.map(({ text }) => text),
    ['Four', 'three', 'two'],
  )
  assert.equal(lines.leftOut, 7)
  assert.deepEqual(linesWith(lines.all, 'b', 'o'), [line('b', 4, 'Four'), line('b', 2, 'two')])
  assert.deepEqual(linesWith(lines.all, '', ' four '), [line('b', 4, 'Four')])
  lines.add({ type: 'logs', isWhole: true, lines: [], leftOut: 0 })
  assert.deepEqual([lines.all.length, lines.leftOut], [0, 0])
})
