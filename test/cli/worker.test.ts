import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import type { ClusterStatus, WorkerStatus } from '../../protocol/messages/status.js'
import { eventually } from '../support/eventually.js'
import { allGone, descendantsOf, isAlive } from '../support/processes.js'
import { ask } from '../scheduler-shell/http-request.js'
import { WebSocket } from 'ws'
import { Command, run, startSchedulerCommand, type SchedulerCommand } from './command.js'

const LOG = ['--log-format', 'json']

/** The workers of a scheduler, once there are so many. */
async function workersOf({ port }: Pick<SchedulerCommand, 'port'>, count: number): Promise<ClusterStatus['workers']> {
  let workers: ClusterStatus['workers'] = []
  await eventually(`${count} workers`, async () => {
    const { body } = await ask({ port, path: '/api/v1/status' })
    workers = (JSON.parse(body) as ClusterStatus).workers
    return workers.length === count
  })
  return workers
}

async function onlyWorkerOf(scheduler: Pick<SchedulerCommand, 'port'>): Promise<WorkerStatus> {
  const [worker] = await workersOf(scheduler, 1)
  assert.ok(worker !== undefined)
  return worker
}

test('a worker joins with what it was told, and leaves with exit code 0 when it is asked to end', async () => {
  await using scheduler = await startSchedulerCommand()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const options = ['--name', 'alice', '--threads', '3', '--memory-limit', '512MiB', '--listen', '127.0.0.1:0']
    await using nanny = new Command(['worker', 'join', scheduler.address, ...options, ...LOG])
    const { name, threads, memoryLimitBytes, pid } = await onlyWorkerOf(scheduler)
    assert.deepEqual([name, threads, memoryLimitBytes], ['alice', 3, 512 * 1024 ** 2])
    assert.ok(pid !== nanny.pid && isAlive(pid))
    nanny.process.kill(signal)
    assert.equal(await nanny.ended, 0)
    assert.equal(nanny.stdout, '')
    await allGone([pid])
    await workersOf(scheduler, 0)
  }
})

test('with --inspect-threads a debugger looks into each thread, and only from this machine', async () => {
  await using scheduler = await startSchedulerCommand()
  const options = ['--threads', '2', '--inspect-threads', '--listen', '127.0.0.1:0']
  await using nanny = new Command(['worker', 'join', scheduler.address, ...options, ...LOG])
  const said = 'a debugger may look into the threads of this worker: chrome://inspect has them'
  const { inspector } = await nanny.logged(said)
  assert.ok(typeof inspector === 'string')
  assert.equal(new URL(inspector).hostname, '127.0.0.1')
  await onlyWorkerOf(scheduler)
  const threads = await threadsAt(inspector, 2)
  assert.ok(
    threads.every((url) => url.endsWith('/worker/thread/start.js') || url.endsWith('/piscina/dist/worker.js')),
    threads.join(' '),
  )
})

test('a worker that was started first joins as soon as the scheduler is up', async () => {
  const port = await freePort()
  await using nanny = new Command(['worker', 'join', `ws://127.0.0.1:${port}`, ...LOG])
  await eventually('it tells that it is waiting', () => nanny.stderr.includes('no scheduler yet, trying on'))
  await using scheduler = new Command(['scheduler', '--port', String(port), ...LOG])
  await scheduler.logged('scheduler is up')
  await onlyWorkerOf({ port })
})

test('a worker process that is killed is started again, and the log says how it died', async () => {
  await using scheduler = await startSchedulerCommand()
  await using nanny = new Command(['worker', 'join', scheduler.address, '--name', 'bob', ...LOG])
  const first = await onlyWorkerOf(scheduler)
  process.kill(first.pid, 'SIGKILL')
  const told = await nanny.logged('worker process died: SIGKILL; starting it again')
  assert.deepEqual([told['worker'], told['signal'], told['code']], ['bob', 'SIGKILL', null])
  await eventually('another process has joined', async () => {
    const { body } = await ask({ port: scheduler.port, path: '/api/v1/status' })
    const [worker] = (JSON.parse(body) as ClusterStatus).workers
    return worker?.name === 'bob' && worker.pid !== first.pid
  })
})

test('a nanny that is killed takes its worker along', async () => {
  await using scheduler = await startSchedulerCommand()
  const nanny = new Command(['worker', 'join', scheduler.address, ...LOG])
  await onlyWorkerOf(scheduler)
  const processes = descendantsOf(nanny.pid)
  assert.ok(processes.length >= 1)
  nanny.process.kill('SIGKILL')
  await allGone(processes)
  await workersOf(scheduler, 0)
})

test('a program that a task started ends with the worker process, and with the nanny', async () => {
  await using scheduler = await startSchedulerCommand()
  for (const victim of ['worker', 'nanny'] as const) {
    await using nanny = new Command(['worker', 'join', scheduler.address, ...LOG])
    const { pid } = await onlyWorkerOf(scheduler)
    await using client = await connect(scheduler.address)
    const program = await client.submit(async (script: string) => {
      const { spawn } = await import('node:child_process')
      return spawn(process.execPath, ['-e', script], { stdio: 'ignore' }).pid
    }, 'setInterval(() => {}, 1000)')
    assert.ok(program !== undefined && isAlive(program))
    process.kill(victim === 'worker' ? pid : nanny.pid, 'SIGKILL')
    await allGone([program, pid])
    nanny.process.kill('SIGTERM')
    await nanny.ended
    await workersOf(scheduler, 0)
  }
})

test('a worker without a nanny is one process, and leaves as well', async () => {
  await using scheduler = await startSchedulerCommand()
  await using worker = new Command(['worker', 'join', scheduler.address, '--no-nanny', ...LOG])
  const { pid } = await onlyWorkerOf(scheduler)
  assert.equal(pid, worker.pid)
  worker.process.kill('SIGTERM')
  assert.equal(await worker.ended, 0)
})

test('a worker that waits for a scheduler ends at once when it is asked to', async () => {
  for (const mode of [[], ['--no-nanny']]) {
    await using worker = new Command(['worker', 'join', 'ws://127.0.0.1:1', ...mode, ...LOG])
    await eventually('it tells that it is waiting', () => worker.stderr.includes('no scheduler yet, trying on'))
    worker.process.kill('SIGTERM')
    assert.equal(await worker.ended, 0)
  }
})

test('a name in use, a port in use and a wrong token end a worker with exit code 1 and one sentence', async () => {
  await using scheduler = await startSchedulerCommand([], { env: { HEDDLE_TOKEN: 'right' } })
  const env = { HEDDLE_TOKEN: 'right' }
  await using first = new Command(['worker', 'join', scheduler.address, '--name', 'carol', ...LOG], { env })
  await scheduler.command.logged('worker joined')
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const refused: readonly [readonly string[], string, string][] = [
    [['--name', 'carol'], 'right', 'A worker named "carol" is already in this cluster; give this one another --name.'],
    [
      ['--listen', `127.0.0.1:${port}`],
      'right',
      `Port ${port} of 127.0.0.1 is in use; give --listen another, or 0 for any.`,
    ],
    [[], 'wrong', `${scheduler.address} refused the token; give the one its scheduler was started with.`],
  ]
  const ends = refused.flatMap(([options, token, sentence]) =>
    [[], ['--no-nanny']].map(async (mode) => {
      const args = ['worker', 'join', scheduler.address, ...options, ...mode]
      const end = await run(args, { env: { HEDDLE_TOKEN: token } })
      assert.deepEqual(end, { code: 1, stdout: '', stderr: `heddle: ${sentence}\n` })
    }),
  )
  await Promise.all(ends)
  taken.close()
  assert.ok(isAlive(first.pid))
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** The addresses of the files that so many threads run, as the inspector of their process tells a debugger. */
async function threadsAt(inspector: string, count: number): Promise<string[]> {
  const socket = new WebSocket(inspector)
  const urls: string[] = []
  try {
    await once(socket, 'open')
    socket.on('message', (data: Buffer) => {
      const { method, params } = JSON.parse(data.toString()) as {
        readonly method?: string
        readonly params?: { readonly workerInfo: { readonly url: string } }
      }
      if (method === 'NodeWorker.attachedToWorker') urls.push(params!.workerInfo.url)
    })
    socket.send(JSON.stringify({ id: 1, method: 'NodeWorker.enable', params: { waitForDebuggerOnStart: false } }))
    await eventually(`${count} threads`, () => urls.length >= count)
    return urls
  } finally {
    socket.close()
  }
}
