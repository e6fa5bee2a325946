/** Published work, values that move, workers that leave and a cluster that starts afresh: with real processes. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import { Command, run, startSchedulerCommand } from '../cli/command.js'
import { eventually } from '../support/eventually.js'
import { sharedCluster } from '../support/shared-cluster.js'

const two = sharedCluster({ workers: 2, threadsPerWorker: 1 })
const LENGTH = 200_000

test('what is published outlives its client', async () => {
  const cluster = await two()
  {
    await using client = await connect(cluster)
    const table = client.submit((n: number) => new Float64Array(n).fill(2), LENGTH)
    await client.publish('table', table)
    await client.publish('settings', { table: client.submit((t: Float64Array) => t.length, table), units: ['m', 's'] })
    await assert.rejects(client.publish('table', 1), { code: 'ERR_HEDDLE_KEY_CONFLICT' })
  }
  await using client = await connect(cluster)
  assert.deepEqual(await client.datasets(), ['table', 'settings'])
  const table = client.dataset<Float64Array>('table')
  assert.equal(await client.submit((t: Float64Array) => t.reduce((a, b) => a + b), table), 2 * LENGTH)
  assert.equal((await table).length, LENGTH)
  assert.deepEqual(await client.dataset('settings'), { table: LENGTH, units: ['m', 's'] })
  assert.equal(await client.unpublish('table'), true)
  assert.equal(await client.unpublish('table'), false)
  await assert.rejects(client.dataset('table').result(), { code: 'ERR_HEDDLE_NO_DATASET' })
})

test('values spread to a worker that came later, and go on from one that leaves, without being made again', async () => {
  await using scheduler = await startSchedulerCommand()
  const join = ['worker', 'join', scheduler.address, '--threads', '1', '--log-format', 'json']
  await using first = new Command([...join, '--name', 'first'])
  await using client = await connect(scheduler.address)
  await client.waitForWorkers(1)
  const parts = client.map((n: number) => new Float64Array(200_000).fill(n), [1, 2, 3, 4])
  await client.gather(client.map((part: Float64Array) => part[0]!, parts))
  await using second = new Command([...join, '--name', 'second'])
  await client.waitForWorkers(2)

  const { values, sizeBytes } = await client.rebalance()
  assert.equal(values, 2)
  assert.ok(sizeBytes >= 2 * 200_000 * 8)
  const names = Object.values(await client.whoHas(parts)).flat()
  assert.deepEqual(names.toSorted(), ['first', 'first', 'second', 'second'])

  const before = (await client.info()).totals.finished
  await client.retireWorkers('first')
  assert.deepEqual(
    (await client.info()).workers.map(({ name }) => name),
    ['second'],
  )
  assert.deepEqual(await client.gather(client.map((part: Float64Array) => part[9]!, parts)), [1, 2, 3, 4])
  assert.equal((await client.info()).totals.finished, before + 4)
  assert.equal(await first.ended, 0)
  assert.equal(second.process.exitCode, null)
})

test('a function runs once on every worker, however busy, or on those named', async () => {
  const cluster = await two()
  await using client = await connect(cluster)
  const busy = client.map(
    (_: number) => {
      while (true);
    },
    [1, 2],
  )
  await eventually('both are busy', async () => (await client.info()).tasks.processing === 2)
  const pids = await client.runOnWorkers(() => process.pid)
  const { workers } = await client.info()
  assert.deepEqual(pids, Object.fromEntries(workers.map(({ name, pid }) => [name, pid])))
  const { name, address } = workers[1]!
  assert.deepEqual(await client.runOnWorkers(() => 'here', { workers: [address] }), { [name]: 'here' })
  const broken = client.runOnWorkers(() => {
    throw new RangeError('no such thing')
  })
  await assert.rejects(broken, { name: 'RangeError', message: 'no such thing' })
  await assert.rejects(
    client.runOnWorkers(() => 1, { workers: ['absent'] }),
    { message: /no worker "absent"/ },
  )
  client.release(busy)
})

test('heddle drain has a worker leave with its values, and past a deadline without', async () => {
  await using scheduler = await startSchedulerCommand()
  const join = ['worker', 'join', scheduler.address, '--threads', '1', '--log-format', 'json']
  await using first = new Command([...join, '--name', 'first'])
  await using client = await connect(scheduler.address)
  await client.waitForWorkers(1)
  const part = client.submit((n: number) => new Float64Array(n).fill(3), LENGTH)
  const length = part.pipe((values: Float64Array) => values.length)
  assert.equal(await length, LENGTH)
  await using second = new Command([...join, '--name', 'second'])
  await client.waitForWorkers(2)

  const wrong = await run(['drain', scheduler.address, 'absent'])
  assert.deepEqual([wrong.code, (await client.info()).workers.length], [2, 2])
  assert.match(wrong.stderr, /no worker "absent", so all stay/)
  const drained = await run(['drain', scheduler.address, 'first', '--json'])
  assert.equal(drained.code, 0)
  const { values, sizeBytes, cutShort } = JSON.parse(drained.stdout) as Record<string, unknown>
  assert.deepEqual([values, cutShort], [2, []])
  assert.ok((sizeBytes as number) >= LENGTH * 8)
  assert.equal(await first.ended, 0)
  assert.deepEqual(await client.whoHas([part]), { [part.key]: ['second'] })
  assert.equal((await client.info()).totals.finished, 2)

  await using last = new Command(['drain', scheduler.address, 'second', '--json'])
  await eventually('it says what it waits for', () => last.stderr.includes('\n'))
  assert.match(last.stderr, /^Worker "second" has values that would be lost with it .* when one has joined/)
  assert.equal((await client.info()).workers[0]?.staysBecause, last.stderr.trimEnd())
  await using third = new Command([...join, '--name', 'third'])
  assert.equal(await last.ended, 0)
  assert.deepEqual(JSON.parse(last.stdout), { values: 2, sizeBytes, cutShort: [] })
  await second.ended
  assert.equal((await client.info()).totals.finished, 2)

  const endless = client.submit(() => {
    while (true);
  })
  await eventually('it runs', async () => (await client.info()).tasks.processing === 1)
  const late = await run(['drain', scheduler.address, 'third', '--deadline', '50ms'])
  assert.equal(late.code, 1)
  assert.match(late.stdout, /^third left: 0 values .* moved to other workers; third had more to do at the deadline$/m)
  await third.ended
  client.release([endless, length])
})

test('a restart ends what runs, cancels what is held, and gives new processes', async () => {
  const cluster = await two()
  await using client = await connect(cluster)
  await using other = await connect(cluster)
  const done = other.submit(() => 1)
  await done
  const before = (await client.info()).workers.map(({ pid }) => pid)
  const endless = other.submit(() => {
    while (true);
  })
  const failure = endless.error()
  await eventually('it runs', async () => (await client.info()).tasks.processing > 0)
  await client.restart()

  const after = (await client.info()).workers
  assert.equal(after.length, 2)
  assert.ok(after.every(({ pid }) => !before.includes(pid)))
  assert.equal(((await failure) as Error).name, 'AbortError')
  assert.equal(done.status, 'cancelled')
  await assert.rejects(other.submit((x: number) => x, done).result(), { name: 'AbortError' })
  assert.equal(await other.submit((x: number) => x + 1, 2), 3)
})

test('an inline cluster has nobody to start its worker again', async () => {
  await using client = await connect('inline:')
  await assert.rejects(client.restart(), { code: 'ERR_HEDDLE_INVALID_OPTION', message: /"inline" again/ })
  assert.equal(await client.submit(() => 1), 1)
})
