/** What Prometheus reads: names as documented, and text that its own tool takes. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import { NO_LOG } from '../../common/node/log.js'
import { MAX_METRIC_FUNCTIONS } from '../../protocol/limits.js'
import type { ClusterStatus } from '../../protocol/messages/status.js'
import { MetricNames, OTHERS } from '../../scheduler/metric-names.js'
import type { SchedulerOptions } from '../../scheduler/options.js'
import { createRoleToken, newToken } from '../../scheduler/role-token.js'
import { resolveWorkerOptions } from '../../worker/options.js'
import { startWorker } from '../../worker/worker.js'
import { readPage } from '../docs/markdown.js'
import { eventually } from '../support/eventually.js'
import { TemporaryFolder } from '../support/temporary-folder.js'
import { ask } from './http-request.js'
import { startTestScheduler } from './test-scheduler.js'

/** For a test's `skip`: why it can't be run here. Where everything must run, that is an error. */
function noPromtool(): string | false {
  if (spawnSync('promtool', ['--version']).status === 0) return false
  if (process.env['CI'] === 'true' && process.env['HEDDLE_REAL_SERVERS'] === '1')
    throw new Error('promtool is missing.')
  return 'needs promtool, of the package "prometheus"'
}

async function scrape(port: number): Promise<string> {
  const { statusCode, headers, body } = await ask({ port, path: '/metrics' })
  assert.equal(statusCode, 200)
  assert.match(headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/)
  return body
}

/** The value of one series, as `heddle_tasks{state="ready"}`. */
function valueOf(text: string, series: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `))
  assert.ok(line !== undefined, `there is no ${series}`)
  return Number(line.slice(series.length + 1))
}

test('docs/metrics.md has a row with type and meaning of every metric, and no other', async () => {
  await using scheduler = await startTestScheduler()
  const text = await scrape(scheduler.port)
  const helps = new Map([...text.matchAll(/^# HELP (\S+) (.+)$/gm)].map(([, name, help]) => [name, help]))
  const told = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(
    ([, name = '', type]) => `${name} ${type} ${helps.get(name)}`,
  )
  const rows = [...readPage('docs/metrics.md').text.matchAll(/^\| `(\w+)`\s*\| (\w+)\s*\| (.+?)\s*\|$/gm)]
  assert.deepEqual(rows.map(([, name, type, help]) => `${name} ${type} ${help}`).sort(), told.sort())
})

test('figures follow what the cluster does, and promtool has nothing to say about them', async (t) => {
  await using scheduler = await startTestScheduler()
  const { port, address } = scheduler
  const options = resolveWorkerOptions({ schedulerUrl: address, name: 'anna "a"'.replaceAll(/\W/g, '-'), threads: 2 })
  const worker = await startWorker(options, { log: NO_LOG, taskLog: NO_LOG })
  await using _ = { [Symbol.asyncDispose]: () => worker.close() }
  await using client = await connect(address)
  const squares = client.with({ name: 'square "it"\n' }).map((x: number) => x * x, [1, 2, 3])
  await client.gather(squares)
  const bad = client.with({ name: 'bad', retries: 1 }).submit(() => {
    throw new Error('no')
  })
  await bad.error()
  const waits = client.with({ resources: { gpu: 1 } }).submit(() => 1)
  await eventually('it waits', async () => (await client.info()).tasks.ready === 1)
  const text = await scrape(port)
  const escaped = String.raw`square \"it\"\n`
  const expected: Readonly<Record<string, number>> = {
    'heddle_tasks{state="in-memory"}': 3,
    'heddle_tasks{state="ready"}': 1,
    heddle_tasks_submitted_total: 5,
    heddle_tasks_finished_total: 3,
    heddle_tasks_failed_total: 1,
    heddle_tasks_retried_total: 1,
    heddle_tasks_cancelled_total: 0,
    [`heddle_function_runs_total{function="${escaped}",outcome="finished"}`]: 3,
    'heddle_function_runs_total{function="bad",outcome="failed"}': 1,
    [`heddle_function_tasks{function="${escaped}",state="in-memory"}`]: 3,
    [`heddle_function_runs_total{function="${OTHERS}",outcome="finished"}`]: 0,
    heddle_blocked_kinds: 1,
    heddle_workers: 1,
    heddle_clients: 1,
    heddle_connections: 2,
    'heddle_worker_threads{worker="anna--a-"}': 2,
    'heddle_worker_paused{worker="anna--a-"}': 0,
  }
  for (const [series, value] of Object.entries(expected)) assert.equal(valueOf(text, series), value, series)
  assert.ok(valueOf(text, 'heddle_result_bytes_total') > 0)
  assert.match(text, /^# TYPE nodejs_gc_duration_seconds histogram$/m)
  await waits.cancel()
  const later = await scrape(port)
  assert.equal(valueOf(later, 'heddle_tasks_cancelled_total'), 1)
  assert.ok(valueOf(later, 'nodejs_eventloop_lag_p99_seconds') > 0)
  worker.leave()
  await worker.closed
  await eventually('its figures are gone', async () => !(await scrape(port)).includes('anna'))

  await t.test('promtool', { skip: noPromtool() }, () => {
    for (const each of [text, later]) {
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: each, encoding: 'utf8' })
      assert.deepEqual([status, stdout, stderr], [0, '', ''])
    }
  })
})

test('a scheduler that keeps its state tells how its journal is', async () => {
  await using folder = await TemporaryFolder.create('heddle-metrics')
  assert.doesNotMatch(await journalOf({}), /^heddle_journal/m)
  const text = await journalOf({ stateDir: folder.path })
  assert.ok(valueOf(text, 'heddle_journal_bytes') > 0)
  assert.equal(valueOf(text, 'heddle_journal_unwritten_bytes'), 0)
  assert.ok(valueOf(text, 'heddle_journal_sync_seconds') >= 0)
})

async function journalOf(options: Partial<SchedulerOptions>): Promise<string> {
  await using scheduler = await startTestScheduler(options)
  return await scrape(scheduler.port)
}

test('a viewer may scrape, and a worker may not', async () => {
  const token = newToken()
  await using scheduler = await startTestScheduler({ token })
  const { port } = scheduler
  const as = async (role: 'viewer' | 'worker'): Promise<number> => {
    const headers = { Authorization: `Bearer ${createRoleToken(token, { role, expiresAtS: 0 })}` }
    return (await ask({ port, path: '/metrics', headers })).statusCode
  }
  assert.deepEqual(
    [await as('viewer'), await as('worker'), (await ask({ port, path: '/metrics' })).statusCode],
    [200, 403, 401],
  )
})

const NONE = { waiting: 0, ready: 0, processing: 0, 'in-memory': 0, failed: 0, released: 0, delayed: 0 }

function statusWith(
  functions: readonly (readonly [name: string, finished: number])[],
  finished: number,
): ClusterStatus {
  return {
    packageVersion: '0',
    nodeVersion: '0',
    upForMs: 0,
    clients: 0,
    workers: [],
    tasks: { ...NONE, ready: functions.length },
    functions: functions.map(([name, runs]) => ({
      name,
      tasks: { ...NONE, ready: 1 },
      finished: runs,
      failed: 0,
      meanMs: 1,
    })),
    blocked: [],
    totals: { submitted: 0, finished, failed: 0, retried: 0, cancelled: 0, resultBytes: 0, movedBytes: 0, repaired: 0 },
    tasksPerSecond: 0,
  }
}

test('so many functions have a name of their own, and together with the others they are all there is', () => {
  const names = new MetricNames()
  const many = Array.from({ length: MAX_METRIC_FUNCTIONS + 20 }, (_, i) => [`f${i}`, 2] as const)
  const named = names.of(statusWith(many, 2 * many.length))
  assert.equal(named.length, MAX_METRIC_FUNCTIONS + 1)
  const others = named.at(-1)!
  assert.deepEqual([others.name, others.finished, others.tasks.ready], [OTHERS, 40, 20])
  const long = new MetricNames().of(statusWith([['x'.repeat(5_000), 1]], 1))
  assert.equal(long[0]!.name.length, 100)
})

test('counts by function never shrink, though the scheduler forgets a function that is idle', () => {
  const names = new MetricNames()
  const runs = (functions: readonly (readonly [string, number])[], total: number): Record<string, number> =>
    Object.fromEntries(names.of(statusWith(functions, total)).map(({ name, finished }) => [name, finished]))
  assert.deepEqual(runs([['f', 5]], 5), { f: 5, [OTHERS]: 0 })
  assert.deepEqual(runs([], 5), { f: 5, [OTHERS]: 0 })
  assert.deepEqual(runs([['f', 1]], 6), { f: 6, [OTHERS]: 0 })
  assert.deepEqual(
    runs(
      [
        ['f', 3],
        ['g', 1],
      ],
      9,
    ),
    { f: 8, g: 1, [OTHERS]: 0 },
  )
})
