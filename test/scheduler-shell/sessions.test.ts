import assert from 'node:assert/strict'
import test from 'node:test'
import { NO_LOG } from '../../common/node/log.js'
import { clientToScheduler, schedulerToClient } from '../../protocol/messages/client.js'
import type { ClientToScheduler, SchedulerToClient } from '../../protocol/messages/client.js'
import { schedulerToWorker, workerToScheduler } from '../../protocol/messages/worker.js'
import type { Join, SchedulerToWorker, WorkerToScheduler } from '../../protocol/messages/worker.js'
import type { CloseReason, Connection } from '../../protocol/transport/connection.js'
import { connectTo } from '../../protocol/transport/handshake.js'
import { memoryPair } from '../../protocol/transport/memory.js'
import type { Socket } from '../../protocol/transport/socket.js'
import type { Field } from '../../protocol/schema.js'
import { createMachine } from '../../scheduler/scheduler.js'
import { Sessions } from '../../scheduler/sessions.js'

const JOIN: Join = {
  type: 'join',
  name: 'alice',
  address: 'ws://127.0.0.1:1',
  threads: 2,
  memoryLimitBytes: 1024,
  pid: 1,
  host: 'here',
  packageVersion: '0.0.0',
  nodeVersion: 'v20.0.0',
  incarnation: 'one',
  resources: [],
  ioTasks: 256,
  tags: [],
  isWatched: true,
  lastDeath: undefined,
}
const PULSE: WorkerToScheduler = {
  type: 'pulse',
  memoryBytes: 1,
  cpuSeconds: 1,
  storedCount: 0,
  storedBytes: 0,
  spilledBytes: 0,
  pausedBy: '',
  isDiskFull: false,
  isHoldingBack: false,
  running: [],
  attempts: [],
  runningForMs: [],
}

/** The other end of a connection, which keeps what it hears. */
interface Peer<Incoming, Outgoing> {
  readonly connection: Connection<Outgoing>
  /** Takes the next message, waiting for it. */
  next(): Promise<Incoming>
  readonly closed: Promise<CloseReason>
}

function newSessions(maxConnections = 100, strictVersions = false): Sessions {
  return new Sessions({
    machine: createMachine(),
    log: NO_LOG,
    maxConnections,
    strictVersions,
    onCrash: (error) => assert.fail(String(error)),
  })
}

function socketTo(sessions: Sessions): Socket {
  const { left, right } = memoryPair({ left: 'test', right: 'scheduler' })
  sessions.accept(right)
  return left
}

async function join<Incoming, Outgoing>(
  sessions: Sessions,
  role: 'client' | 'worker' | 'peer',
  incoming: Field<Incoming>,
  outgoing: Field<Outgoing>,
  nodeVersion = process.version,
): Promise<Peer<Incoming, Outgoing>> {
  const heard: Incoming[] = []
  const waiting: ((message: Incoming) => void)[] = []
  const connection = await connectTo<Incoming, Outgoing>({
    socket: socketTo(sessions),
    hello: { role, name: role },
    nodeVersion,
    incoming,
    outgoing,
    handlers: () => ({
      onMessages: (messages) => {
        for (const message of messages) {
          const waiter = waiting.shift()
          if (waiter === undefined) heard.push(message)
          else waiter(message)
        }
      },
      onClose: () => undefined,
    }),
  })
  const next = (): Promise<Incoming> => {
    const message = heard.shift()
    return message === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(message)
  }
  return { connection, next, closed: connection.closed }
}

const joinAsWorker = (sessions: Sessions): Promise<Peer<SchedulerToWorker, WorkerToScheduler>> =>
  join(sessions, 'worker', schedulerToWorker, workerToScheduler)
const joinAsClient = (sessions: Sessions): Promise<Peer<SchedulerToClient, ClientToScheduler>> =>
  join(sessions, 'client', schedulerToClient, clientToScheduler)

test('a client is leased ids and hears of workers that join and leave', async () => {
  const sessions = newSessions()
  const client = await joinAsClient(sessions)
  assert.equal((await client.next()).type, 'lease')

  client.connection.send({ type: 'await-workers', request: 7, count: 1 })
  const worker = await joinAsWorker(sessions)
  worker.connection.send(JOIN)
  assert.equal((await worker.next()).type, 'joined')
  assert.deepEqual(await client.next(), { type: 'workers-present', request: 7, count: 1 })

  worker.connection.close()
  await worker.closed
  client.connection.send({ type: 'ask-status', request: 8 })
  const answered = await client.next()
  assert.ok(answered.type === 'status')
  assert.deepEqual([answered.status.workers.length, answered.status.clients], [0, 1])
  sessions.close()
  assert.deepEqual(await client.closed, { code: 'ERR_HEDDLE_CLOSED', message: 'The scheduler was stopped.' })
})

test('a worker that says something before "join", or says it twice, is cut off, and nobody else notices', async () => {
  const sessions = newSessions()
  const good = await joinAsWorker(sessions)
  good.connection.send(JOIN)
  assert.equal((await good.next()).type, 'joined')

  const early = await joinAsWorker(sessions)
  early.connection.send(PULSE)
  assert.deepEqual(await early.closed, {
    code: 'ERR_HEDDLE_PROTOCOL',
    message: 'A worker says "join" first and once; it said "pulse" instead.',
  })
  const twice = await joinAsWorker(sessions)
  twice.connection.send({ ...JOIN, name: 'bob' })
  twice.connection.send({ ...JOIN, name: 'bob' })
  assert.equal((await twice.closed).code, 'ERR_HEDDLE_PROTOCOL')

  const client = await joinAsClient(sessions)
  assert.equal((await client.next()).type, 'lease')
  client.connection.send({ type: 'ask-status', request: 1 })
  const answered = await client.next()
  assert.ok(answered.type === 'status')
  assert.deepEqual(
    answered.status.workers.map(({ name }) => name),
    ['alice'],
  )
  sessions.close()
})

test('a second worker under a used name is refused by the core', async () => {
  const sessions = newSessions()
  const first = await joinAsWorker(sessions)
  first.connection.send(JOIN)
  assert.equal((await first.next()).type, 'joined')
  const second = await joinAsWorker(sessions)
  second.connection.send({ ...JOIN, incarnation: 'two' })
  assert.equal((await second.closed).code, 'ERR_HEDDLE_NAME_IN_USE')
  sessions.close()
})

test('a payload, a wrong frame and another role are refused', async () => {
  const sessions = newSessions()
  const client = await joinAsClient(sessions)
  client.connection.sendPayload({ type: 'ask-lease' }, new Uint8Array(1_000_000))
  const { code, message } = await client.closed
  assert.equal(code, 'ERR_HEDDLE_PROTOCOL')
  assert.match(message, /no business at the scheduler/)

  await assert.rejects(join(sessions, 'peer', schedulerToClient, clientToScheduler), { code: 'ERR_HEDDLE_PROTOCOL' })

  const closed = new Promise<void>((resolve) => {
    const socket = socketTo(sessions)
    socket.handle({ onFrame: () => undefined, onDrain: () => undefined, onClose: () => resolve() })
    socket.send(Buffer.from('nonsense'))
  })
  await closed
  sessions.close()
})

test('past the limit of connections, a further one is refused and may try again', async () => {
  const sessions = newSessions(1)
  const client = await joinAsClient(sessions)
  await assert.rejects(joinAsClient(sessions), /has 1 connections, which is its limit/)
  client.connection.close()
  await client.closed
  const next = await joinAsClient(sessions)
  assert.equal((await next.next()).type, 'lease')
  sessions.close()
})

test('with strict versions nobody works for it who runs another major version of Node', async () => {
  const [major = 0, minor = 0] = process.version.slice(1).split('.').map(Number)
  const other = `v${major + 2}.0.0`
  const strict = newSessions(100, true)
  for (const role of ['client', 'worker'] as const) {
    await assert.rejects(join(strict, role, schedulerToWorker, workerToScheduler, other), {
      code: 'ERR_HEDDLE_VERSION_MISMATCH',
      message:
        `The scheduler takes Node ${major} only, as it was started with --strict-versions, and the ${role} "${role}" ` +
        `runs ${other}; run it with Node ${major}, or the scheduler without that option.`,
    })
  }
  const near = await join(strict, 'client', schedulerToClient, clientToScheduler, `v${major}.${minor + 1}.0`)
  assert.equal((await near.next()).type, 'lease')
  strict.close()

  const lenient = newSessions()
  const far = await join(lenient, 'client', schedulerToClient, clientToScheduler, other)
  assert.equal((await far.next()).type, 'lease')
  lenient.close()
})
