/** A scheduler that does only what a test tells it, over real WebSockets. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { contentHash } from '../../common/node/content-hash.js'
import { Packer } from '../../common/packed.js'
import type { HeddleError } from '../../protocol/errors.js'
import { arrayId, codeHash, templateId, workerId, type TaskId, type TemplateId } from '../../protocol/ids.js'
import { schedulerToWorker, workerToScheduler } from '../../protocol/messages/worker.js'
import type { Join, RunTasks, SchedulerToWorker, WorkerToScheduler } from '../../protocol/messages/worker.js'
import type { CloseReason, Connection } from '../../protocol/transport/connection.js'
import { answer } from '../../protocol/transport/handshake.js'
import type { Socket } from '../../protocol/transport/socket.js'
import { acceptUpgrade, refuseUpgrade, upgradeServer } from '../../protocol/transport/websocket.js'
import { eventually } from '../support/eventually.js'
import { encodeArguments, templateOf } from './pool-harness.js'

type MessageOf<T extends WorkerToScheduler['type']> = Extract<WorkerToScheduler, { readonly type: T }>

export const SECRET = 'peers-know-it'

/** One connection of a worker. */
export class WorkerSession {
  readonly join: Join
  /** Everything it said since, in order. */
  readonly said: WorkerToScheduler[] = []
  closed: CloseReason | undefined
  readonly #connection: Connection<SchedulerToWorker>
  #lastTemplate = 0

  constructor(join: Join, connection: Connection<SchedulerToWorker>) {
    this.join = join
    this.#connection = connection
  }

  send(...messages: readonly SchedulerToWorker[]): void {
    for (const message of messages) this.#connection.send(message)
  }

  close(reason?: CloseReason): void {
    this.#connection.close(reason)
  }

  all<T extends WorkerToScheduler['type']>(type: T): MessageOf<T>[] {
    return this.said.filter((message): message is MessageOf<T> => message.type === type)
  }

  /** The first message of this type, once it is here. */
  async hear<T extends WorkerToScheduler['type']>(type: T): Promise<MessageOf<T>> {
    await eventually(`the worker says ${type}`, () => this.all(type).length > 0)
    return this.all(type)[0]!
  }

  /** The sizes of finished values, and their bytes if they came along, by task, once all of these have finished. */
  async finished(
    tasks: readonly TaskId[],
  ): Promise<Map<TaskId, { readonly sizeBytes: number; readonly bytes: Uint8Array }>> {
    const found = new Map<TaskId, { sizeBytes: number; bytes: Uint8Array }>()
    let read = 0
    await eventually('the tasks finish', () => {
      for (; read < this.said.length; read++) {
        const message = this.said[read]!
        if (message.type !== 'tasks-finished') continue
        message.tasks.forEach((task, i) => {
          const { ends, bytes } = message.values
          found.set(task, { sizeBytes: message.sizes[i]!, bytes: bytes.subarray(i === 0 ? 0 : ends[i - 1], ends[i]) })
        })
      }
      return tasks.every((task) => found.has(task))
    })
    return found
  }

  /** Sends a function, as a template of its own. */
  define(run: (...args: never[]) => unknown): TemplateId {
    const source = Buffer.from(String(run))
    const code = codeHash(contentHash('function', source))
    const template = templateId(++this.#lastTemplate)
    const { name } = run
    this.send(
      { type: 'define-code', code, kind: 'function', source, sourceMap: undefined },
      templateOf({ template, name, code }),
    )
    return template
  }
}

/** A `run-tasks` message for tasks of one template, one for each list of arguments; futures in these are inputs. */
export function runTasks(
  template: TemplateId,
  tasks: readonly TaskId[],
  lists: readonly (readonly unknown[])[],
  more: Partial<RunTasks> = {},
): RunTasks {
  const args = new Packer()
  const inputs = lists.map((list) => {
    const encoded = encodeArguments(list)
    args.add(encoded.bytes)
    return encoded.inputs
  })
  return {
    type: 'run-tasks',
    tasks,
    attempts: [],
    runs: [template, tasks.length],
    priority: 0,
    patienceUs: 0,
    args: args.take(),
    inputCounts: inputs.map((each) => each.length),
    inputs: inputs.flat(),
    remoteInputs: [],
    remoteHolders: [],
    remoteSizes: [],
    pendingInputs: [],
    pendingHolders: [],
    pendingAfter: [],
    keys: [],
    unstarted: [],
    failedInputs: [],
    failedBy: [],
    failures: [],
    ...more,
  }
}

export interface FakeSchedulerOptions {
  readonly port?: number
  readonly token?: string
  /** Refuses a worker that wants to join. */
  readonly refuse?: HeddleError
}

export class FakeScheduler implements AsyncDisposable {
  readonly sessions: WorkerSession[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #options: FakeSchedulerOptions

  private constructor(server: Server, options: FakeSchedulerOptions) {
    this.#server = server
    this.#options = options
  }

  static async start(options: FakeSchedulerOptions = {}): Promise<FakeScheduler> {
    const server = createServer()
    const scheduler = new FakeScheduler(server, options)
    const upgrades = upgradeServer()
    server.on('upgrade', (request, tcpSocket, head) => {
      const { token } = options
      if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
        return refuseUpgrade(tcpSocket, 401, 'No')
      const socket = acceptUpgrade(upgrades, request, tcpSocket, head)
      if (socket !== undefined) scheduler.#accept(socket)
    })
    await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
    return scheduler
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`
  }

  /** The `number`th worker that joined, once it did. */
  async worker(number: number): Promise<WorkerSession> {
    await eventually(`worker ${number} joins`, () => this.sessions.length >= number)
    return this.sessions[number - 1]!
  }

  /** Breaks every connection, as a scheduler that was killed does. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.terminate()
    await new Promise((resolve) => {
      this.#server.close(resolve)
      this.#server.closeAllConnections()
    })
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    answer({
      socket,
      self: 'scheduler',
      admit: () => ({
        incoming: workerToScheduler,
        outgoing: schedulerToWorker,
        handlers: (connection: Connection<SchedulerToWorker>) => {
          let session: WorkerSession | undefined
          return {
            onMessages: (messages: readonly WorkerToScheduler[]) => {
              for (const message of messages) {
                if (message.type === 'join') session = this.#onJoin(message, connection)
                else session?.said.push(message)
              }
            },
            onClose: (reason: CloseReason) => {
              this.#sockets.delete(socket)
              if (session !== undefined) session.closed = reason
            },
          }
        },
      }),
    })
  }

  #onJoin(join: Join, connection: Connection<SchedulerToWorker>): WorkerSession | undefined {
    const { refuse } = this.#options
    if (refuse !== undefined) {
      connection.close({ code: refuse.code, message: refuse.message })
      return undefined
    }
    const session = new WorkerSession(join, connection)
    this.sessions.push(session)
    session.send({
      type: 'joined',
      worker: workerId(this.sessions.length),
      peerSecret: SECRET,
      keepsState: false,
      firstArray: arrayId(1),
      arrayCount: 1_024,
    })
    return session
  }
}
