import assert from 'node:assert/strict'
import test from 'node:test'
import { Client } from '../../client/client.js'
import { connect } from '../../client/connect.js'
import type { Future } from '../../client/future.js'
import { openSession } from '../../client/session.js'
import { LocalCluster } from '../../deploy/local-cluster.js'
import type { Socket } from '../../protocol/transport/socket.js'
import { dial } from '../../protocol/transport/websocket.js'
import { Command, startSchedulerCommand } from '../cli/command.js'
import { eventually } from '../support/eventually.js'

const LENGTH = 2_000_000
const isFinished = ({ status }: Future<unknown>): boolean => status === 'finished'

test('a scattered value goes straight to workers, to all of them if told so, and dies with the last', async () => {
  await using scheduler = await startSchedulerCommand()
  const join = ['worker', 'join', scheduler.address, '--threads', '1', '--no-nanny', '--log-format', 'json']
  await using a = new Command([...join, '--name', 'a'])
  await using _b = new Command([...join, '--name', 'b'])
  await using client = await connect(scheduler.address)
  await client.waitForWorkers(2)
  const values = Float64Array.from({ length: LENGTH }, (_, i) => i % 1_000)
  const sum = (given: Float64Array): number => given.reduce((x, y) => x + y, 0)
  const expected = sum(values)

  const onlyAtA = client.scatter(values, { workers: ['a'] })
  const everywhere = client.scatter(values, { broadcast: true })
  // A task that reads `onlyAtA` may run at b, which then keeps a copy; nothing but a ever sees this one.
  const readByNone = client.scatter(values, { workers: ['a'] })
  assert.deepEqual(await client.gather([client.submit(sum, onlyAtA), client.submit(sum, everywhere)]), [
    expected,
    expected,
  ])
  await eventually('all has gone out', () => [onlyAtA, everywhere, readByNone].every(isFinished))
  values.fill(0)
  await eventually('both workers have said that they hold it', async () => {
    const { workers } = await client.info()
    const stored = new Map(workers.map(({ name, storedBytes }) => [name, storedBytes]))
    return (stored.get('a') ?? 0) >= 3 * LENGTH * 8 && (stored.get('b') ?? 0) >= LENGTH * 8
  })
  assert.deepEqual((await everywhere).slice(0, 3), new Float64Array([0, 1, 2]))

  a.process.kill('SIGKILL')
  await assert.rejects(client.submit(sum, readByNone).result({ timeoutMs: 60_000 }), (error: Error) => {
    assert.equal((error as { code?: string }).code, 'ERR_HEDDLE_WORKER_LOST')
    assert.match(error.message, /scattered value/)
    return true
  })
  assert.equal(await client.submit(sum, everywhere), expected)
})

test('a broadcast leaves the program once, and reaches every worker', async () => {
  await using cluster = await LocalCluster.start({ workers: 4, threadsPerWorker: 1 })
  let sentBytes = 0
  const counted = async (opening: Promise<Socket>): Promise<Socket> => {
    const socket = await opening
    const send = socket.send.bind(socket)
    socket.send = (frame) => {
      sentBytes += frame.length
      send(frame)
    }
    return socket
  }
  const { address } = cluster
  const session = await openSession({
    address,
    name: 'counting',
    timeoutMs: 60_000,
    socket: await counted(dial(address)),
    redial: (signal) => counted(dial(address, { signal })),
    dialHolder: (holder, signal) => counted(dial(holder, { signal })),
  })
  await using client = new Client(session, () => session.close())
  const values = new Float64Array(LENGTH).fill(0.5)
  const everywhere = client.scatter(values, { broadcast: true })
  await eventually('it is finished', () => everywhere.status === 'finished')
  await eventually('every worker has said that it holds it', async () => {
    const { workers } = await client.info()
    return workers.length === 4 && workers.every(({ storedBytes }) => storedBytes >= values.byteLength)
  })
  assert.ok(sentBytes < 1.05 * values.byteLength, `${sentBytes} bytes were sent for ${values.byteLength}`)
})
