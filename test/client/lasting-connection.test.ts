/** A connection that comes back: what must not be lost is heard once and in order, whatever broke in between. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { LastingConnection } from '../../client/lasting-connection.js'
import { SchedulerUnreachableError } from '../../protocol/errors.js'
import { arrayId, taskId } from '../../protocol/ids.js'
import { MAX_UNACKNOWLEDGED_BYTES } from '../../protocol/limits.js'
import {
  clientToScheduler,
  schedulerToClient,
  type ClientToScheduler,
  type SchedulerToClient,
} from '../../protocol/messages/client.js'
import type { Connection } from '../../protocol/transport/connection.js'
import { answer } from '../../protocol/transport/handshake.js'
import type { LinkContract } from '../../protocol/transport/link.js'
import { memoryPair } from '../../protocol/transport/memory.js'
import type { Socket } from '../../protocol/transport/socket.js'
import { eventually } from '../support/eventually.js'

const LEASE = { type: 'lease', first: arrayId(100), count: 10, peerSecret: 'between us' } as const

/** A scheduler that does what the test says, on one connection after another. */
class Scheduler {
  readonly heard: ClientToScheduler[][] = []
  readonly events: string[] = []
  readonly client: LastingConnection
  #connection: Connection<SchedulerToClient> | undefined
  #cut = (): void => undefined
  /** Nobody answers before. */
  gate: Promise<unknown> = Promise.resolve()
  /** What it says first on the next connection. */
  greeting: readonly SchedulerToClient[]

  private constructor(graceMs: number) {
    this.greeting = [{ ...LEASE, graceMs, isResumed: false, saidCount: 0 }]
    this.client = new LastingConnection(
      { name: 'test', address: 'ws://fake:1', redial: () => this.gate.then(() => this.#accept()) },
      {
        onMessage: ({ type }) => this.events.push(type),
        onPayload: () => undefined,
        onLost: () => this.events.push('lost'),
        onReturned: () => this.events.push('returned'),
        onEnd: ({ message }) => this.events.push(`end: ${message}`),
      },
    )
  }

  static async start({ graceMs = 60_000 } = {}): Promise<Scheduler> {
    const scheduler = new Scheduler(graceMs)
    await scheduler.client.open(scheduler.#accept(), { timeoutMs: 60_000 })
    await scheduler.until('lease')
    scheduler.events.length = 0
    return scheduler
  }

  #accept(): Socket {
    const pair = memoryPair({ left: 'client', right: 'scheduler' })
    const heard: ClientToScheduler[] = []
    const handlers = (connection: Connection<SchedulerToClient>) => {
      this.heard.push(heard)
      this.#connection = connection
      this.#cut = () => pair.right.terminate()
      for (const message of this.greeting) connection.send(message)
      const onMessages = (messages: readonly ClientToScheduler[]): void => void heard.push(...messages)
      return { onMessages, onClose: () => undefined }
    }
    const contract = { incoming: clientToScheduler, outgoing: schedulerToClient, handlers }
    answer({ socket: pair.right, self: 'scheduler', admit: () => contract as LinkContract<unknown, unknown> })
    return pair.left
  }

  say(message: SchedulerToClient): void {
    this.#connection?.send(message)
  }

  cut(saidCount: number, isResumed = true, early: readonly SchedulerToClient[] = []): void {
    this.greeting = [...early, { ...LEASE, graceMs: 60_000, isResumed, saidCount }]
    this.#cut()
  }

  async until(event: string): Promise<void> {
    await eventually(event, () => this.events.some((each) => each.startsWith(event)))
  }

  /** The numbers of the messages that came on one connection. */
  async numbers(connection: number, count: number): Promise<(number | string)[]> {
    await eventually(`${count} messages`, () => (this.heard[connection]?.length ?? 0) >= count)
    return this.heard[connection]!.map((message) => (message.type === 'release' ? message.tasks[0]! : message.type))
  }
}

function numbered(number: number): ClientToScheduler {
  return { type: 'release', tasks: [taskId(arrayId(0), number)] }
}

test('on a new connection the scheduler hears what it had not heard, in order and once, and questions not at all', async () => {
  const scheduler = await Scheduler.start()
  const { client } = scheduler
  for (const number of [1, 2, 3]) client.send(numbered(number))
  client.send({ type: 'want', tasks: [] })
  await scheduler.numbers(0, 4)
  scheduler.say({ type: 'accepted', count: 1 })
  await scheduler.until('accepted')
  let open = (): void => undefined
  scheduler.gate = new Promise<void>((resolve) => (open = resolve))
  scheduler.cut(2)
  await scheduler.until('lost')
  client.send(numbered(4))
  client.send({ type: 'want', tasks: [] })
  open()
  await scheduler.until('returned')
  client.send(numbered(5))
  assert.deepEqual(await scheduler.numbers(1, 3), [3, 4, 5])
  assert.deepEqual(scheduler.events, ['accepted', 'lost', 'returned'])

  scheduler.cut(5)
  await eventually('it is back again', () => scheduler.events.length === 5)
  await client.whenAcknowledged()
  client.send(numbered(6))
  assert.deepEqual(await scheduler.numbers(2, 1), [6])
  await client.close({ code: 'closed', message: 'The test is over.' })
})

test('what the scheduler says before it says what it has heard is heard afterwards', async () => {
  const scheduler = await Scheduler.start()
  scheduler.cut(0, true, [{ type: 'finished', tasks: [] }])
  await scheduler.until('finished')
  assert.deepEqual(scheduler.events, ['lost', 'returned', 'finished'])
  await scheduler.client.close({ code: 'closed', message: 'The test is over.' })
})

test('a scheduler that does not know the client ends the connection, and with it whatever waits for it', async () => {
  const scheduler = await Scheduler.start()
  const { client } = scheduler
  client.send(numbered(1))
  await scheduler.numbers(0, 1)
  scheduler.cut(0, false)
  await client.whenAcknowledged()
  await client.whenDrained()
  await scheduler.until('end')
  assert.match(scheduler.events.at(-1)!, /does not know this client any more/)
})

test('where nothing is kept, a connection that breaks is the end', async () => {
  const scheduler = await Scheduler.start({ graceMs: 0 })
  scheduler.cut(0)
  await scheduler.until('end')
  assert.equal(scheduler.heard.length, 1)
})

test('a scheduler that does not come back within its grace is given up, with what was wrong last', async () => {
  const scheduler = await Scheduler.start({ graceMs: 300 })
  const { client } = scheduler
  client.send(numbered(1))
  await scheduler.numbers(0, 1)
  scheduler.gate = Promise.reject(new SchedulerUnreachableError('Nobody answers.', { retryable: true }))
  scheduler.gate.catch(() => undefined) // It is dialled a little later.
  scheduler.cut(0)
  await scheduler.until('end')
  assert.match(scheduler.events.at(-1)!, /It did not come back: Nobody answers\. Check that it runs, and connect again/)
  // Whoever waits for it goes on, and nothing is dialled any more.
  await client.whenAcknowledged()
  await client.whenDrained()
  assert.deepEqual(scheduler.events.slice(0, -1), ['lost'])
})

test('so much that is not acknowledged keeps the client from saying more', async () => {
  const scheduler = await Scheduler.start()
  const { client } = scheduler
  const source = new Uint8Array(MAX_UNACKNOWLEDGED_BYTES)
  client.send({ type: 'define-code', code: 'large' as never, kind: 'function', source, sourceMap: undefined })
  assert.ok(client.queuedBytes >= MAX_UNACKNOWLEDGED_BYTES)
  let isDrained = false
  const drained = client.whenDrained().then(() => (isDrained = true))
  await eventually('it came', () => scheduler.heard[0]!.length === 1)
  assert.equal(isDrained, false)
  scheduler.say({ type: 'accepted', count: 1 })
  await drained
  assert.ok(client.queuedBytes < MAX_UNACKNOWLEDGED_BYTES)
  await client.close({ code: 'closed', message: 'The test is over.' })
})
