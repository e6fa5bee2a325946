/** What people see who look into a cluster: logs, a timeline, a dump; from real workers. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import type { LogLine, Trace } from '../../client/index.js'
import type { TaskHistory } from '../../protocol/messages/api.js'
import type { Explanation } from '../../protocol/messages/explanation.js'
import { Command, run } from '../cli/command.js'
import { eventually } from '../support/eventually.js'
import { sharedCluster } from '../support/shared-cluster.js'
import { TemporaryFolder } from '../support/temporary-folder.js'

const two = sharedCluster({ workers: 2, threadsPerWorker: 1, logLevel: 'error' })

test('logs, timeline and dump tell what tasks did', async () => {
  await using folder = await TemporaryFolder.create('heddle-reports')
  const cluster = await two()
  await using client = await connect(cluster)
  const speak = (word: string): string => {
    console.log(`I say ${word}`)
    console.error('and I mean it')
    return word
  }
  const spoken = client.map(speak, ['warp', 'weft', 'heddle', 'shed'])
  await client.gather(spoken)
  await client.gather(
    client.map(
      (x: number) => x + 1,
      Array.from({ length: 2_000 }, (_, i) => i),
    ),
  )

  // What tasks print comes by another way than their results.
  let lines: readonly LogLine[] = []
  await eventually('all of them are heard', async () => {
    lines = await client.logs()
    return lines.filter(({ text }) => text === 'and I mean it').length === spoken.length
  })
  const said = lines.filter(({ text }) => text === 'I say weft')
  assert.deepEqual(
    said.map(({ level, task }) => [level, task]),
    [['info', spoken[1]!.key]],
  )
  assert.equal(lines.filter(({ level, text }) => level === 'error' && text === 'and I mean it').length, 4)
  const one = await client.logs('local-1')
  assert.ok(one.every(({ worker }) => worker === 'local-1'))
  await assert.rejects(client.logs('absent'), { code: 'ERR_HEDDLE_INVALID_OPTION', message: /no worker "absent"/ })
  const printed = await run(['logs', cluster.address])
  assert.equal(printed.code, 0)
  assert.match(printed.stdout, /^\d\d:\d\d:\d\d\.\d{3} info local-\d speak-\w+: I say shed$/m)
  const wrong = await run(['logs', cluster.address, 'absent'])
  assert.equal(wrong.code, 2)

  const file = path.join(folder.path, 'trace.json')
  const { traceEvents } = await client.timeline(file)
  assert.deepEqual((JSON.parse(await readFile(file, 'utf8')) as Trace).traceEvents, traceEvents)
  const processes = traceEvents.filter(({ name, ph }) => ph === 'M' && name === 'process_name')
  assert.deepEqual(processes.map(({ args }) => args['name']).sort(), ['local-1', 'local-2'])
  const runs = traceEvents.filter(({ ph }) => ph === 'X')
  const countOf = (wanted: string): number =>
    runs.filter(({ name }) => name === wanted).reduce((sum, { args }) => sum + Number(args['count']), 0)
  assert.equal(countOf('speak'), 4)
  assert.equal(countOf('anonymous'), 2_000)
  for (const { ts = -1, dur = -1 } of runs) assert.ok(ts >= 0 && dur >= 0)

  const slow = client.submit(function weave(bytes: Uint8Array) {
    const end = performance.now() + 30
    while (performance.now() < end);
    return bytes
  }, new Uint8Array(1_000_000))
  await slow.result()
  const woven = (await client.timeline()).traceEvents.find(({ name }) => name === 'weave')
  const { decodeMs = -1, runMs = -1, encodeMs = -1 } = woven!.args as Record<string, number>
  assert.ok(decodeMs >= 0 && runMs >= 29 && encodeMs >= 0, JSON.stringify(woven))
  const explained = await run(['explain', cluster.address, slow.key, '--runs', '--json'])
  const { state, runs: told } = JSON.parse(explained.stdout) as Explanation & Pick<TaskHistory, 'runs'>
  assert.deepEqual([state, told.length], ['in-memory', 1])
  const [{ durationMs, ...times }] = told as [TaskHistory['runs'][number]]
  assert.deepEqual([times.decodeMs, times.runMs, times.encodeMs], [decodeMs, runMs, encodeMs])
  assert.ok(Math.abs(decodeMs + runMs + encodeMs - durationMs) < 0.01 && times.queueMs >= 0 && times.fetchMs === 0)
  const shown = await run(['explain', cluster.address, slow.key, '--runs'])
  assert.match(shown.stdout, /^RUN ON +QUEUE +FETCH +DECODE +RUN +ENCODE +OUTCOME$/m)
  assert.match(shown.stdout, /^local-\d, thread 1 .* ended$/m)

  const parent = client.submit(async function father() {
    const { task } = await import('heddle/task')
    return await task.client().submit(() => 1)
  })
  assert.equal(await parent, 1)
  const family = await run(['explain', cluster.address, parent.key, '--runs', '--json'])
  const [whole, ...others] = (JSON.parse(family.stdout) as Pick<TaskHistory, 'runs'>).runs
  assert.deepEqual([whole!.hasEnded, whole!.hasFailed, others.length], [true, false, 0])
  assert.ok(whole!.runMs! > 0 && whole!.decodeMs! >= 0 && whole!.encodeMs! >= 0 && whole!.durationMs >= whole!.runMs!)

  const dump = path.join(folder.path, 'dump.json')
  await client.dump(dump)
  const { scheduler } = JSON.parse(await readFile(dump, 'utf8')) as {
    scheduler: { workers: unknown[]; counts: object }
  }
  assert.equal(scheduler.workers.length, 2)
  await assert.rejects(client.dump(''), { code: 'ERR_HEDDLE_INVALID_OPTION' })
})

test('logs are followed: the last lines first, and then what comes, of one worker if it is named', async () => {
  const cluster = await two()
  await using client = await connect(cluster)
  const speak = (word: string): void => console.log(`I say ${word}`)
  await client.submit(speak, 'before').result()
  await using all = new Command(['logs', cluster.address, '--follow', '--json'])
  await eventually('the last lines', () => all.stdout.includes('I say before'))
  await using one = new Command(['logs', cluster.address, 'local-2', '-f'])
  const spoken = client.with({ workers: ['local-2'] }).submit(speak, 'after')
  await spoken.result()
  await client
    .with({ workers: ['local-1'] })
    .submit(speak, 'elsewhere')
    .result()
  await eventually('new lines', () => /I say elsewhere.*\n/.test(all.stdout) && one.stdout.includes('I say after'))
  const lines = all.stdout.split('\n').slice(0, -1)
  const said = lines.map((line) => JSON.parse(line) as { text: string; task: string; worker: string })
  const after = said.filter(({ text }) => text === 'I say after')
  assert.deepEqual(
    after.map(({ task, worker }) => [task, worker]),
    [[spoken.key, 'local-2']],
  )
  assert.doesNotMatch(one.stdout, /elsewhere/)
  for (const { process: child, ended } of [all, one]) {
    child.kill('SIGTERM')
    assert.equal(await ended, 0)
  }
  const wrong = await run(['logs', cluster.address, 'absent', '--follow'])
  assert.deepEqual(
    [wrong.code, wrong.stderr],
    [2, 'heddle: There is no worker "absent"; "heddle status" lists them.\n'],
  )
})
