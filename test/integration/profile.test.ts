/** Profiles of real threads: busy ones too, and such as native code holds. */
import assert from 'node:assert/strict'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'node:test'
import { connect, LocalCluster, type ProfileNode } from '../../client/index.js'
import { eventually } from '../support/eventually.js'
import { untilRunning } from '../support/running.js'
import { TemporaryFolder } from '../support/temporary-folder.js'

interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly children: readonly number[] }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
  readonly startTime: number
  readonly endTime: number
}

/**
 * Never lets its thread's event loop run. V8 has no name for a loop that was compiled amid its run, before the samples, nor for
 * what is inlined there; generators never are.
 */
function spinForEver(): never {
  function* inner(): Generator<number> {
    let sum = 0
    for (let i = 0; i < 100_000; i++) sum += Math.sqrt(i)
    yield sum
  }
  for (;;) inner().next()
}

/** Native code holds its thread, as long as the file is there. */
async function sleepInNativeCode(file: string): Promise<void> {
  const { execFileSync } = await import('node:child_process')
  execFileSync('/bin/sh', ['-c', 'touch "$0.seen"; while [ -e "$0" ]; do sleep 0.05; done', file])
}

function find(root: ProfileNode, name: string): ProfileNode | undefined {
  const work = [root]
  for (let node = work.pop(); node !== undefined; node = work.pop()) {
    if (node.name === name) return node
    work.push(...node.children)
  }
  return undefined
}

test('profiles of threads', { timeout: 120_000 }, async (t) => {
  await using folder = await TemporaryFolder.create('profiles')
  await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1, logLevel: 'error' })
  await using client = await connect(cluster)

  await t.test('a thread in an endless loop is sampled, an idle one is seen to be idle', async () => {
    const endless = client.submit(spinForEver)
    await untilRunning(endless)
    const file = path.join(folder.path, 'one.cpuprofile')
    const profile = await client.profile({ durationMs: 300, path: file })
    assert.deepEqual(profile.missing, [])
    assert.deepEqual(profile.threads.map(({ worker, thread }) => `${worker} ${thread}`).sort(), [
      'local-1 thread 1',
      'local-2 thread 1',
    ])
    const busy = profile.threads.find(({ idleMs, durationMs }) => idleMs < durationMs / 2)
    const idle = profile.threads.find(({ idleMs, durationMs }) => idleMs > durationMs / 2)
    assert.ok(busy !== undefined && idle !== undefined, JSON.stringify(profile.threads))
    const caller = find(profile.root, 'callTask')
    const loop = caller === undefined ? undefined : find(caller, 'inner')
    assert.ok(loop !== undefined)
    assert.ok(loop.totalMs <= profile.root.totalMs && loop.totalMs >= loop.selfMs)
    assert.ok(['inner', 'sqrt'].includes(profile.functions[0]!.name), profile.functions[0]!.name)

    const { nodes, samples, timeDeltas, startTime, endTime } = JSON.parse(await readFile(file, 'utf8')) as CpuProfile
    assert.equal(samples.length, timeDeltas.length)
    const ids = new Set(nodes.map(({ id }) => id))
    assert.ok(samples.every((id) => ids.has(id)))
    assert.ok(nodes.flatMap(({ children }) => children).every((id) => ids.has(id)))
    assert.ok(Math.abs((endTime - startTime) / 1_000 - profile.root.totalMs) < 1 + samples.length / 1_000)
    await endless.cancel()
  })

  await t.test('I/O tasks have a thread of their own in it', async () => {
    const spin = async function spinWhile(file: string): Promise<void> {
      const { existsSync, writeFileSync } = await import('node:fs')
      function* look(): Generator<boolean> {
        yield existsSync(file)
      }
      writeFileSync(`${file}.seen`, '')
      while (look().next().value === true);
    }
    const reason = path.join(folder.path, 'spins')
    writeFileSync(reason, '')
    const io = client.with({ resources: { threads: 0 }, workers: ['local-1'] })
    await io.submit(() => 1)
    const spinning = io.submit(spin, reason)
    await eventually('it runs', () => existsSync(`${reason}.seen`))
    const { threads, root } = await client.profile({ durationMs: 200, workers: ['local-1'] })
    assert.deepEqual(
      threads.map(({ thread }) => thread),
      ['io thread 1', 'thread 1'],
    )
    assert.ok(find(root, 'look') !== undefined)
    rmSync(reason)
    await spinning
  })

  await t.test('a thread that native code holds is named, and the others are sampled', async () => {
    const reason = path.join(folder.path, 'held')
    writeFileSync(reason, '')
    const held = client.with({ workers: ['local-1'] }).submit(sleepInNativeCode, reason)
    await eventually('it is held', () => existsSync(`${reason}.seen`))
    const { threads, missing } = await client.profile({ durationMs: 50 })
    assert.ok(threads.some(({ worker }) => worker === 'local-2'))
    assert.deepEqual(
      missing.map(({ worker, thread }) => [worker, thread]),
      [['local-1', 'thread 1']],
    )
    assert.match(missing[0]!.reason, /native code held it/)
    rmSync(reason)
    await held
    // Nothing of it is left: the next one goes well.
    assert.deepEqual((await client.profile({ durationMs: 50 })).missing, [])
  })

  await t.test('of two at once one says that the other was being taken', async () => {
    const [one, two] = await Promise.all([client.profile({ durationMs: 300 }), client.profile({ durationMs: 300 })])
    // Each worker takes that of which it heard first.
    assert.ok(one.threads.length + two.threads.length >= 2)
    const missing = [...one.missing, ...two.missing]
    assert.equal(missing.length, 2)
    for (const { reason } of missing) assert.match(reason, /another profile/)
  })

  await t.test('wrong options are refused', async () => {
    const invalid = { code: 'ERR_HEDDLE_INVALID_OPTION' }
    for (const options of [
      { workers: ['absent'] },
      { durationMs: 0 },
      { durationMs: 60_001 },
      { intervalMicros: 99 },
      { durationMs: 1, intervalMicros: 1_001 },
      { durationMs: 60_000, intervalMicros: 100 },
      { path: '' },
      { duration: 5 } as object,
    ]) {
      await assert.rejects(client.profile(options), invalid, JSON.stringify(options))
    }
  })
})

test('of an inline cluster this thread is sampled', { timeout: 180_000 }, async () => {
  await using client = await connect('inline:')
  const shared = globalThis as { isTaken?: boolean }
  const taken = client.profile({ durationMs: 200 }).finally(() => (shared.isTaken = true))
  const busy = async function busyHere(): Promise<void> {
    while ((globalThis as { isTaken?: boolean }).isTaken !== true) {
      for (let i = 0; i < 10_000; i++) Math.sqrt(i)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await client.submit(busy)
  const { threads, root } = await taken
  assert.equal(threads[0]!.thread, 'this thread')
  assert.ok(find(root, 'busyHere') !== undefined)
})
