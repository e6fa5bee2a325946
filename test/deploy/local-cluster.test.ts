import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { askScheduler } from '../../deploy/ask-scheduler.js'
import { LocalCluster } from '../../deploy/local-cluster.js'
import { resolveLocalOptions, type LocalClusterOptions } from '../../deploy/local-options.js'
import type { ClusterStatus } from '../../protocol/messages/status.js'
import { eventually } from '../support/eventually.js'
import { allGone, descendantsOf, isAlive } from '../support/processes.js'

const PROGRAM = fileURLToPath(new URL('./programs/local-cluster.js', import.meta.url))

async function statusOf(address: string): Promise<ClusterStatus> {
  const question = { type: 'ask-status', request: 1 } as const
  return (await askScheduler(address, { name: 'test', timeoutMs: 60_000, question, answer: 'status' })).status
}

test('a cluster is complete when it has started, and nothing is left once it is closed', async () => {
  const cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 3, memoryLimit: '256MiB', name: 'here' })
  const { pids } = cluster
  assert.equal(pids.length, 3)
  assert.ok(pids.every(isAlive))
  const { workers } = await statusOf(cluster.address)
  const told = workers.map(({ name, threads, memoryLimitBytes }) => [name, threads, memoryLimitBytes]).sort()
  assert.deepEqual(told, [
    ['here-1', 3, 256 * 1024 ** 2],
    ['here-2', 3, 256 * 1024 ** 2],
  ])
  assert.deepEqual(workers.map(({ pid }) => pid).sort(), pids.slice(1).sort())
  assert.ok(workers.every(({ address }) => address.startsWith('ws://127.0.0.1:')))
  assert.equal((await fetch(cluster.statusPage)).status, 200)

  await Promise.all([cluster.close(), cluster.close()])
  assert.ok(!pids.some(isAlive))
  await cluster.close()
})

test('a worker that is killed is started again under its name', async () => {
  await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1, logLevel: 'error' })
  const [, victim = 0] = cluster.pids
  process.kill(victim, 'SIGKILL')
  await eventually('both workers are there again', async () => {
    const { workers } = await statusOf(cluster.address)
    return workers.length === 2 && !workers.some(({ pid }) => pid === victim)
  })
  const { workers } = await statusOf(cluster.address)
  assert.deepEqual(workers.map(({ name }) => name).sort(), ['local-1', 'local-2'])
})

test('a cluster whose scheduler was killed can still be closed', async () => {
  const cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1, logLevel: 'error' })
  const { pids } = cluster
  process.kill(pids[0]!, 'SIGKILL')
  await allGone([pids[0]!])
  await cluster.close()
  assert.ok(!pids.some(isAlive))
})

test('a program ends although its cluster runs, the cluster with it, and standard output is the program’s own', async () => {
  const program = spawn(process.execPath, [PROGRAM], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [printed, [code]] = await Promise.all([text(program.stdout), once(program, 'exit')])
  assert.equal(code, 0)
  const { pids } = JSON.parse(printed) as { readonly pids: number[] }
  assert.equal(pids.length, 3)
  await allGone(pids)
})

test('a program that is killed takes its cluster along, also while that starts', async () => {
  for (const mode of ['started', 'starting']) {
    const env = { ...process.env, MODE: mode }
    const program = spawn(process.execPath, [PROGRAM], { stdio: ['ignore', 'pipe', 'inherit'], env })
    await once(program.stdout, 'data')
    const processes = descendantsOf(program.pid!)
    assert.ok(processes.length >= 3, `${mode}: ${processes.length} processes`)
    program.kill('SIGKILL')
    await allGone(processes)
  }
})

test('by default a cluster has a thread for each core, over at most four workers', () => {
  const threadsFor = (cores: number, options: LocalClusterOptions = {}): readonly number[] =>
    resolveLocalOptions(options, cores).threads
  assert.deepEqual(threadsFor(1), [1])
  assert.deepEqual(threadsFor(2), [1, 1])
  assert.deepEqual(threadsFor(6), [2, 2, 1, 1])
  assert.deepEqual(threadsFor(16), [4, 4, 4, 4])
  assert.deepEqual(threadsFor(2, { workers: 3 }), [1, 1, 1])
  assert.deepEqual(threadsFor(8, { threadsPerWorker: 1 }), [1, 1, 1, 1])
})

test('options that cannot be are refused by name', async () => {
  const refused: readonly [object, string][] = [
    [{ workers: 0 }, 'workers is 0; give a whole number from 1 to 256.'],
    [{ threadsPerWorker: 1.5 }, 'threadsPerWorker is 1.5; give a whole number from 1 to 1024.'],
    [{ workers: '2' }, 'workers is "2"; give a whole number from 1 to 256.'],
    [{ memoryLimit: '2' }, 'memoryLimit is "2"; write it like "2GiB".'],
    [{ memoryLimit: -1 }, 'memoryLimit is -1; write it like "2GiB".'],
    [{ threadHeap: '4MiB' }, 'threadHeap is "4MiB"; give 32 MiB or more.'],
    [{ name: 'two words' }, 'name is "two words"; give up to 64 letters, digits, dots, dashes and underscores.'],
    [{ logLevel: 'loud' }, 'logLevel is "loud"; give one of debug, info, warn, error.'],
    [
      { worker: 2 },
      'LocalCluster has no option "worker"; it has workers, threadsPerWorker, memoryLimit, threadHeap, diskLimit, resources, ioTasks, tags, preload, remoteCode, name, logLevel, timeoutMs, signal.',
    ],
  ]
  for (const [options, message] of refused) {
    await assert.rejects(LocalCluster.start(options), {
      code: 'ERR_HEDDLE_INVALID_OPTION',
      message,
    })
  }
})
