/**
 * A scheduler that does what the test says, at the other end of a client's connection in memory. It writes down what the
 * client says, frame by frame; by itself it gives leases and nothing else.
 */
import assert from 'node:assert/strict'
import { Packer } from '../../common/packed.js'
import { Client } from '../../client/client.js'
import { openSession } from '../../client/session.js'
import type { ErrorCode } from '../../protocol/errors.js'
import { arrayId, taskId, type TaskId } from '../../protocol/ids.js'
import {
  clientToScheduler,
  schedulerToClient,
  type ClientToScheduler,
  type SchedulerToClient,
  type Submit,
} from '../../protocol/messages/client.js'
import { fromHolder, toHolder, type FromHolder } from '../../protocol/messages/peer.js'
import type { Connection } from '../../protocol/transport/connection.js'
import { answer } from '../../protocol/transport/handshake.js'
import { memoryPair } from '../../protocol/transport/memory.js'
import type { Socket } from '../../protocol/transport/socket.js'
import { serveValues } from '../../protocol/transport/value-server.js'
import { encodeError, encodeValue } from '../../protocol/values/encode.js'

export const PEER_SECRET = 'between us'

type Of<T extends ClientToScheduler['type']> = Extract<ClientToScheduler, { readonly type: T }>

export interface FakeSchedulerOptions {
  /** How many arrays a lease has. */
  readonly leaseCount?: number
  /** How many leases are given when asked for, the first one included; the others are left to the test. */
  readonly leases?: number
  /** Values that workers hold, by the worker's address. */
  readonly held?: Readonly<Record<string, ReadonlyMap<TaskId, Uint8Array>>>
}

interface Parts {
  readonly client: Client
  readonly connection: Connection<SchedulerToClient>
  readonly dialled: readonly string[]
  readonly cut: () => void
}

export class FakeScheduler implements AsyncDisposable {
  /** What came, by frame. */
  readonly frames: (readonly ClientToScheduler[])[] = []
  readonly client: Client
  /** The addresses that the client opened connections to, to fetch values. */
  readonly dialled: readonly string[]
  readonly #connection: Connection<SchedulerToClient>
  readonly #cut: () => void
  #nextArray = 100
  #leasesLeft: number
  readonly #leaseCount: number
  #onFrame: () => void = () => undefined

  private constructor(parts: Parts, options: FakeSchedulerOptions) {
    this.client = parts.client
    this.dialled = parts.dialled
    this.#connection = parts.connection
    this.#cut = parts.cut
    this.#leaseCount = options.leaseCount ?? 1_000
    this.#leasesLeft = options.leases ?? Infinity
  }

  /** Starts one, with a client that is connected to it. */
  static async start(options: FakeSchedulerOptions = {}): Promise<FakeScheduler> {
    const pair = memoryPair({ left: 'client', right: 'scheduler' })
    const early: (readonly ClientToScheduler[])[] = []
    let scheduler: FakeScheduler | undefined
    const dialled: string[] = []
    const connected = new Promise<Connection<SchedulerToClient>>((resolve) => {
      answer({
        socket: pair.right,
        self: 'scheduler',
        admit: ({ role }) => {
          assert.equal(role, 'client')
          return {
            incoming: clientToScheduler,
            outgoing: schedulerToClient,
            handlers: (connection) => {
              resolve(connection as Connection<SchedulerToClient>)
              const lease = { type: 'lease', first: arrayId(100), count: options.leaseCount ?? 1_000 } as const
              connection.send({ ...lease, peerSecret: PEER_SECRET })
              return {
                onMessages: (messages) => {
                  const frame = messages as readonly ClientToScheduler[]
                  if (scheduler === undefined) early.push(frame)
                  else scheduler.#hear(frame)
                },
                onClose: () => {
                  if (scheduler !== undefined) scheduler.#onFrame()
                },
              }
            },
          }
        },
      })
    })
    const session = await openSession({
      socket: pair.left,
      address: 'ws://fake:1',
      name: 'test',
      timeoutMs: 10_000,
      dialHolder: (address) => {
        dialled.push(address)
        return dialHolder(address, options)
      },
    })
    const client = new Client(session, () => session.close())
    const cut = (): void => pair.right.terminate()
    scheduler = new FakeScheduler({ client, connection: await connected, dialled, cut }, options)
    scheduler.#nextArray += scheduler.#leaseCount
    scheduler.#leasesLeft -= 1
    for (const frame of early) scheduler.#hear(frame)
    return scheduler
  }

  get messages(): readonly ClientToScheduler[] {
    return this.frames.flat()
  }

  /** Messages of one type, in order. */
  all<T extends ClientToScheduler['type']>(type: T): readonly Of<T>[] {
    return this.messages.filter((message): message is Of<T> => message.type === type)
  }

  /** Waits until `count` messages of a type have come, and gives them; the runner's time-out is the deadline. */
  async until<T extends ClientToScheduler['type']>(type: T, count = 1): Promise<readonly Of<T>[]> {
    while (this.all(type).length < count) await new Promise<void>((resolve) => (this.#onFrame = resolve))
    return this.all(type)
  }

  /** The ids of all tasks that were submitted, in order. */
  get submitted(): TaskId[] {
    return this.all('submit').flatMap(idsOf)
  }

  async untilSubmitted(count: number): Promise<TaskId[]> {
    while (this.submitted.length < count) await new Promise<void>((resolve) => (this.#onFrame = resolve))
    return this.submitted
  }

  get wanted(): TaskId[] {
    return this.all('want').flatMap(({ tasks }) => tasks)
  }

  get released(): TaskId[] {
    return this.all('release').flatMap(({ tasks }) => tasks)
  }

  send(message: SchedulerToClient): void {
    this.#connection.send(message)
  }

  values(entries: readonly (readonly [TaskId, unknown])[]): void {
    const packer = new Packer()
    for (const [, value] of entries) packer.add(encodeValue(value, { path: 'result' }))
    this.send({ type: 'values', tasks: entries.map(([id]) => id), values: packer.take() })
  }

  /** These failed because the task `culpritKey` threw. */
  threw(tasks: readonly TaskId[], error: unknown, culpritKey = 'culprit-1'): void {
    const encoded = encodeError(error)
    this.send({ type: 'failed', tasks, error: encoded, code: '', reason: '', worker: 'w1', attempt: 2, culpritKey })
  }

  /** The cluster failed these. */
  refused(tasks: readonly TaskId[], code: ErrorCode, reason: string): void {
    const error = new Uint8Array(0)
    this.send({ type: 'failed', tasks, error, code, reason, worker: '', attempt: 0, culpritKey: '' })
  }

  lease(): void {
    this.send({ type: 'lease', first: arrayId(this.#nextArray), count: this.#leaseCount, peerSecret: PEER_SECRET })
    this.#nextArray += this.#leaseCount
  }

  /** The connection breaks. */
  cut(): void {
    this.#cut()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close()
    this.#connection.close()
    await this.#connection.closed
  }

  #hear(frame: readonly ClientToScheduler[]): void {
    this.frames.push(frame)
    for (const { type } of frame) {
      if (type !== 'ask-lease' || this.#leasesLeft < 1) continue
      this.#leasesLeft -= 1
      this.lease()
    }
    this.#onFrame()
  }
}

export function idsOf({ array, firstIndex, args }: Submit): TaskId[] {
  return args.ends.map((_, place) => taskId(array, firstIndex + place))
}

/** A worker that answers for its values, if it is there. */
function dialHolder(address: string, { held = {} }: FakeSchedulerOptions): Promise<Socket> {
  const values = held[address]
  if (values === undefined) return Promise.reject(new Error(`${address} is gone`))
  const { left, right } = memoryPair({ left: 'client', right: address })
  answer({
    socket: right,
    self: 'worker',
    admit: ({ secret }) => {
      assert.equal(secret, PEER_SECRET)
      const handlers = (connection: Connection<unknown>) =>
        serveValues(connection as Connection<FromHolder>, (task) => values.get(task))
      return { incoming: toHolder, outgoing: fromHolder, handlers: handlers as never }
    },
  })
  return Promise.resolve(left)
}
