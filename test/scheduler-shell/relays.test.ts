/** Values from more workers than a member may have relays to: idle relays give way, and nobody is called unreachable. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { NO_LOG } from '../../common/node/log.js'
import { workerId, type TaskId, type WorkerId } from '../../protocol/ids.js'
import { MAX_RELAYS_PER_MEMBER } from '../../protocol/limits.js'
import { clientToScheduler, schedulerToClient } from '../../protocol/messages/client.js'
import type { ClientToScheduler, SchedulerToClient } from '../../protocol/messages/client.js'
import { isFromSwitch } from '../../protocol/messages/relay.js'
import { schedulerToWorker, workerToScheduler } from '../../protocol/messages/worker.js'
import type { SchedulerToWorker, WorkerToScheduler } from '../../protocol/messages/worker.js'
import { connectTo } from '../../protocol/transport/handshake.js'
import { memoryPair } from '../../protocol/transport/memory.js'
import { RelayPort } from '../../protocol/transport/relay.js'
import type { Socket } from '../../protocol/transport/socket.js'
import { ValueFetcher } from '../../protocol/transport/value-fetcher.js'
import { createMachine } from '../../scheduler/scheduler.js'
import { Sessions } from '../../scheduler/sessions.js'
import { answerWithValues } from '../support/answer-with-values.js'

const TASK = 5 as TaskId

function socketTo(sessions: Sessions): Socket {
  const { left, right } = memoryPair({ left: 'member', right: 'scheduler' })
  sessions.accept(right)
  return left
}

/** A worker that opens no port, and serves one value by relay. Resolves with its number. */
async function joinAsHolder(sessions: Sessions, name: string): Promise<WorkerId> {
  let port: RelayPort | undefined
  let onJoined: (id: WorkerId) => void
  const joined = new Promise<WorkerId>((resolve) => (onJoined = resolve))
  const serve = (socket: Socket): void => answerWithValues(socket, () => Uint8Array.of(7))
  const connection = await connectTo<SchedulerToWorker, WorkerToScheduler>({
    socket: socketTo(sessions),
    hello: { role: 'worker', name },
    incoming: schedulerToWorker,
    outgoing: workerToScheduler,
    handlers: (opened) => {
      port = new RelayPort({ link: opened, onSocket: serve })
      port.open()
      return {
        onMessages: (messages) => {
          for (const message of messages) {
            if (isFromSwitch(message)) port!.onMessage(message)
            else if (message.type === 'joined') onJoined(workerId(message.worker))
          }
        },
        onPayload: (message, payload) => {
          if (message.type === 'relay-frame') port!.onPayload(message, payload)
        },
        onClose: () => undefined,
      }
    },
  })
  const versions = { packageVersion: '0', nodeVersion: 'v20' }
  const join = {
    name,
    address: '',
    threads: 1,
    memoryLimitBytes: 1,
    pid: 1,
    host: 'here',
    incarnation: name,
    resources: [],
    ioTasks: 256,
    tags: [],
    isWatched: true,
    lastDeath: undefined,
  }
  connection.send({ type: 'join', ...join, ...versions })
  return await joined
}

async function joinAsAsker(sessions: Sessions): Promise<RelayPort> {
  let port: RelayPort | undefined
  await connectTo<SchedulerToClient, ClientToScheduler>({
    socket: socketTo(sessions),
    hello: { role: 'client', name: 'asker' },
    incoming: schedulerToClient,
    outgoing: clientToScheduler,
    handlers: (opened) => {
      port = new RelayPort({ link: opened })
      port.open()
      return {
        onMessages: (messages) => {
          for (const message of messages) if (isFromSwitch(message)) port!.onMessage(message)
        },
        onPayload: (message, payload) => {
          if (message.type === 'relay-frame') port!.onPayload(message, payload)
        },
        onClose: () => undefined,
      }
    },
  })
  return port!
}

test('an idle relay gives its place to the next worker, however many there are', { timeout: 180_000 }, async (t) => {
  const sessions = new Sessions({
    machine: createMachine(),
    log: NO_LOG,
    maxConnections: 100,
    onCrash: (error) => assert.fail(String(error)),
  })
  t.after(() => sessions.close())
  const holders: WorkerId[] = []
  for (let i = 0; i < 5 * MAX_RELAYS_PER_MEMBER; i++) holders.push(await joinAsHolder(sessions, `w${i}`))
  const port = await joinAsAsker(sessions)
  const fetcher = new ValueFetcher({
    hello: { role: 'client', name: 'asker', secret: 's' },
    dial: (holder, signal) => port.dial(workerId(Number(holder)), signal),
    maxConnections: MAX_RELAYS_PER_MEMBER,
  })
  const fetchFrom = (holder: WorkerId): Promise<void> =>
    new Promise((resolve, reject) => {
      fetcher.fetch(String(holder), [TASK], {
        onValues: () => resolve(),
        onLargeValue: () => reject(new Error('too large')),
        onGone: () => reject(new Error('gone')),
        onUnreachable: (_tasks, reason) => reject(new Error(`worker ${holder} is unreachable: ${reason}`)),
      })
    })
  await Promise.all(holders.map(fetchFrom))
  fetcher.close()
})
