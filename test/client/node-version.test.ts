/** Somebody who connects to a scheduler with another major version of Node is told so, once. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import test, { afterEach } from 'node:test'
import { LastingConnection } from '../../client/lasting-connection.js'
import { NO_LOG, type Log } from '../../common/node/log.js'
import { arrayId, workerId } from '../../protocol/ids.js'
import { clientToScheduler, schedulerToClient } from '../../protocol/messages/client.js'
import {
  schedulerToWorker,
  workerToScheduler,
  type Join,
  type SchedulerToWorker,
} from '../../protocol/messages/worker.js'
import type { Connection } from '../../protocol/transport/connection.js'
import { answer, type Admission } from '../../protocol/transport/handshake.js'
import { memoryPair } from '../../protocol/transport/memory.js'
import type { Socket } from '../../protocol/transport/socket.js'
import { nodeWarning } from '../../protocol/version.js'
import { SchedulerLink } from '../../worker/scheduler-link.js'

const OTHER = 'v18.0.0'
const EXPECTED = nodeWarning(process.version, OTHER)

test('the sentence names both, and says what to do', () => {
  assert.match(nodeWarning('v20.19.0', 'v24.1.0'), /runs Node v20\.19\.0 and the scheduler v24\.1\.0/)
  assert.match(EXPECTED, /Use one major version of Node everywhere/)
})

const opened: Socket[] = []
afterEach(() => opened.splice(0).forEach((socket) => socket.terminate()))

test('a client warns once, however often it connects', async () => {
  const warnings: Error[] = []
  const onWarning = (warning: Error): unknown => warnings.push(warning)
  process.on('warning', onWarning)
  const first = once(process, 'warning')
  const connection = new LastingConnection(
    { name: 'etl', address: 'ws://there', redial: () => assert.fail('nothing was lost') },
    { onMessage: ignore, onPayload: ignore, onLost: ignore, onReturned: ignore, onEnd: ignore },
  )
  await connection.open(clientsSocket(OTHER), {})
  await connection.open(clientsSocket(OTHER), {})
  await first
  await connection.close({ code: 'closed', message: 'Enough.' })
  process.off('warning', onWarning)
  assert.deepEqual(
    warnings.map((warning) => [warning.name, warning.message, (warning as NodeJS.ErrnoException).code]),
    [['HeddleWarning', EXPECTED, 'HEDDLE_NODE_VERSION']],
  )
})

test('a worker says so in its log once; of its own version there is nothing to say', async () => {
  for (const [version, expected] of [
    [OTHER, [EXPECTED]],
    [process.version.replace(/\.\d+$/, '.999'), []],
  ] as const) {
    const warnings: string[] = []
    const log: Log = { ...NO_LOG, warn: (_fields: object, text: string) => void warnings.push(text) }
    const link = new SchedulerLink({
      dial: () => Promise.resolve(workersSocket(version)),
      hello: { role: 'worker', name: 'alice' },
      join: () => Promise.resolve(JOIN),
      onMessage: ignore,
      onPayload: ignore,
      onLost: ignore,
      log,
    })
    await link.open(AbortSignal.timeout(10_000))
    await link.open(AbortSignal.timeout(10_000))
    link.close()
    assert.deepEqual(warnings, expected)
  }
})

const JOIN: Join = {
  type: 'join',
  name: 'alice',
  address: 'ws://127.0.0.1:1',
  threads: 1,
  memoryLimitBytes: 1024,
  pid: 1,
  host: 'here',
  packageVersion: '0.0.0',
  nodeVersion: process.version,
  incarnation: 'one',
  resources: [],
  ioTasks: 0,
  tags: [],
  isWatched: true,
  lastDeath: undefined,
}

/** A socket to a scheduler that runs `nodeVersion` and takes any client. */
function clientsSocket(nodeVersion: string): Socket {
  const { left, right } = memoryPair({ left: 'test', right: 'scheduler' })
  const handlers = () => ({ onMessages: ignore, onClose: ignore })
  const admit = () => ({ incoming: clientToScheduler, outgoing: schedulerToClient, handlers })
  answer({ socket: right, self: 'scheduler', nodeVersion, admit })
  opened.push(left)
  return left
}

/** The same for workers, which are told that they have joined. */
function workersSocket(nodeVersion: string): Socket {
  const { left, right } = memoryPair({ left: 'test', right: 'scheduler' })
  const handlers = (connection: Connection<SchedulerToWorker>) => ({
    onMessages: () =>
      connection.send({
        type: 'joined',
        worker: workerId(1),
        peerSecret: '',
        keepsState: false,
        firstArray: arrayId(1),
        arrayCount: 1,
      }),
    onClose: ignore,
  })
  const admit = () => ({ incoming: workerToScheduler, outgoing: schedulerToWorker, handlers }) as Admission
  answer({ socket: right, self: 'scheduler', nodeVersion, admit })
  opened.push(left)
  return left
}

function ignore(): void {
  // Nothing of it matters here.
}
