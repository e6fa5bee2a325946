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
import type { Connection, Handlers } from '../../protocol/transport/connection.js'
import { answer } from '../../protocol/transport/handshake.js'
import type { LinkContract } from '../../protocol/transport/link.js'
import { memoryPair } from '../../protocol/transport/memory.js'
import type { Socket } from '../../protocol/transport/socket.js'
import { serveValues } from '../../protocol/transport/value-server.js'
import { encodeError, encodeValue } from '../../protocol/values/encode.js'

export const PEER_SECRET = 'between us'
/** What a scheduler tells a client that it has not seen before, and will not know again. */
const NEW = { graceMs: 0, isResumed: false, saidCount: 0 }

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
  readonly frames: readonly (readonly ClientToScheduler[])[]
  /** `onFrame` is called when one more frame has come. */
  readonly ears: { onFrame: () => void }
  readonly lease: () => void
  readonly cut: () => void
  readonly dialled: readonly string[]
}

export class FakeScheduler implements AsyncDisposable {
  readonly client: Client
  /** What came, by frame. */
  readonly frames: Parts['frames']
  /** The addresses that the client opened connections to, to fetch values. */
  readonly dialled: readonly string[]
  /** Gives one more lease. */
  readonly lease: () => void
  /** The connection breaks. */
  readonly cut: () => void
  readonly #connection: Connection<SchedulerToClient>
  readonly #ears: Parts['ears']

  private constructor(parts: Parts) {
    this.client = parts.client
    this.frames = parts.frames
    this.dialled = parts.dialled
    this.lease = parts.lease
    this.cut = parts.cut
    this.#connection = parts.connection
    this.#ears = parts.ears
  }

  /** Starts one, with a client that is connected to it. */
  static async start(options: FakeSchedulerOptions = {}): Promise<FakeScheduler> {
    const { leaseCount = 1_000, leases = Infinity } = options
    const pair = memoryPair({ left: 'client', right: 'scheduler' })
    const frames: (readonly ClientToScheduler[])[] = []
    const ears = { onFrame: (): void => undefined }
    let leased = 0
    const lease = (connection: Connection<SchedulerToClient>): void => {
      const first = arrayId(100 + leased * leaseCount)
      connection.send({ type: 'lease', first, count: leaseCount, peerSecret: PEER_SECRET, ...NEW })
      leased += 1
    }
    const connected = new Promise<Connection<SchedulerToClient>>((resolve) => {
      const handlers = (connection: Connection<SchedulerToClient>): Handlers<ClientToScheduler> => {
        resolve(connection)
        lease(connection)
        return {
          onMessages: (messages) => {
            frames.push(messages)
            for (const { type } of messages) if (type === 'ask-lease' && leased < leases) lease(connection)
            ears.onFrame()
          },
          onClose: () => ears.onFrame(),
        }
      }
      const contract = { incoming: clientToScheduler, outgoing: schedulerToClient, handlers }
      answer({ socket: pair.right, self: 'scheduler', admit: () => contract as LinkContract<unknown, unknown> })
    })
    const dialled: string[] = []
    const session = await openSession({
      socket: pair.left,
      address: 'ws://fake:1',
      name: 'test',
      timeoutMs: 60_000,
      redial: () => Promise.reject(new Error('nobody comes back to a scheduler that keeps nothing')),
      dialHolder: (address) => {
        dialled.push(address)
        return dialHolder(address, options)
      },
    })
    const client = new Client(session, () => session.close())
    const connection = await connected
    const cut = (): void => pair.right.terminate()
    return new FakeScheduler({ client, connection, frames, ears, lease: () => lease(connection), cut, dialled })
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
    while (this.all(type).length < count) await new Promise<void>((resolve) => (this.#ears.onFrame = resolve))
    return this.all(type)
  }

  /** The ids of all tasks that were submitted, in order. */
  get submitted(): TaskId[] {
    return this.all('submit').flatMap(idsOf)
  }

  async untilSubmitted(count: number): Promise<TaskId[]> {
    while (this.submitted.length < count) await new Promise<void>((resolve) => (this.#ears.onFrame = resolve))
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
    this.send({
      type: 'failed',
      tasks,
      error: encoded,
      code: '',
      reason: '',
      worker: 'w1',
      attempt: 2,
      culpritKey,
      death: undefined,
    })
  }

  /** The cluster failed these. */
  refused(tasks: readonly TaskId[], code: ErrorCode, reason: string): void {
    const error = new Uint8Array(0)
    this.send({ type: 'failed', tasks, error, code, reason, worker: '', attempt: 0, culpritKey: '', death: undefined })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close()
    this.#connection.close()
    await this.#connection.closed
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
