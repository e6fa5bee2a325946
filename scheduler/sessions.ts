/**
 * The connections of clients and workers. What arrives on them becomes events for the core; what the core answers is
 * carried out by one `switch`. Who breaks the protocol loses its own connection, and nobody else notices.
 */
import { unreachable } from '../common/assert.js'
import { EventLoop } from '../common/node/event-loop.js'
import { collectIfLarge } from '../common/node/garbage.js'
import type { Log } from '../common/node/log.js'
import { AuthenticationError, HeddleError, ProtocolError, VersionMismatchError } from '../protocol/errors.js'
import { clientId, workerId, type ClientId, type WorkerId } from '../protocol/ids.js'
import {
  CLIENT_SILENCE_MS,
  HANDSHAKE_TIMEOUT_MS,
  MAX_CLIENT_QUEUED_BYTES,
  MAX_CONNECTIONS,
  MAX_LOOKERS_QUESTIONS,
} from '../protocol/limits.js'
import { clientToScheduler, schedulerToClient } from '../protocol/messages/client.js'
import type { ClientToScheduler, SchedulerToClient } from '../protocol/messages/client.js'
import type { Hello, Role } from '../protocol/messages/handshake.js'
import type { Logged, Runs } from '../protocol/messages/runs.js'
import { schedulerToWorker, workerToScheduler } from '../protocol/messages/worker.js'
import type { SchedulerToWorker, WorkerToScheduler } from '../protocol/messages/worker.js'
import type { CloseReason, Connection, Handlers } from '../protocol/transport/connection.js'
import { answer, type Admission } from '../protocol/transport/handshake.js'
import { freshMemory } from '../protocol/transport/inbox.js'
import type { LinkContract } from '../protocol/transport/link.js'
import type { Socket } from '../protocol/transport/socket.js'
import { isSameNodeMajor, nodeMajor } from '../protocol/version.js'
import type { Newcomer } from './core/clients/client-record.js'
import type { SchedulerEvent } from './core/events.js'
import type { Answer, LookersQuestion } from './core/views/inquiry.js'
import type { JournalRecord } from './core/durable/journal-record.js'
import type { SchedulerMachine } from './core/machine.js'
import type { OperatorAction, OperatorAnswer } from './core/views/on-operator.js'
import type { MemberId, SchedulerInstruction } from './core/instructions.js'
import { OpenQuestions } from './open-questions.js'
import type { Grant, TokenRole } from './role-token.js'
import { refuseLargePayload, RelaySwitch, strayPayload, type RelayEnd } from './relay-switch.js'
import { answerViewer } from './viewers.js'

const WORKER_GONE: CloseReason = Object.freeze({ code: 'closed', message: 'Its worker is gone.' })
const STOPPED: CloseReason = Object.freeze({ code: 'ERR_HEDDLE_CLOSED', message: 'The scheduler was stopped.' })

/** Who looks at workers, through what these tell only meanwhile. */
export interface Watcher {
  readonly onRuns?: ((worker: string, message: Runs) => void) | undefined
  readonly onLogged?: ((worker: string, message: Logged) => void) | undefined
}

const NOBODY: Watcher = Object.freeze({})

export interface SessionsOptions {
  readonly machine: SchedulerMachine
  readonly log: Log
  /** Keeps what must not be lost, and calls back once it is; for a machine that keeps its state. */
  readonly keep?: (records: readonly JournalRecord[], onKept: () => void) => void
  /** Members of an earlier scheduler had the numbers up to this one. */
  readonly lastMember?: number
  /** Told of a bug of ours: the core threw, and every connection was closed. */
  readonly onCrash: (error: unknown) => void
  /** More connections than this are refused. */
  readonly maxConnections?: number
  /** A client for which more waits than this is cut off. */
  readonly maxClientQueuedBytes?: number
  /** Clients and workers that run another major version of Node are refused. */
  readonly strictVersions?: boolean | undefined
}

export class Sessions {
  readonly #log: Log
  readonly #machine: SchedulerMachine
  readonly #maxConnections: number
  readonly #maxClientQueuedBytes: number
  readonly #strictVersions: boolean
  readonly #loop: EventLoop<SchedulerEvent, SchedulerInstruction>
  readonly #clients = new Map<ClientId, Connection<SchedulerToClient>>()
  readonly #workers = new Map<WorkerId, Connection<SchedulerToWorker>>()
  /** Clients of tasks, by the name of the worker that runs these. */
  readonly #taskClients = new Map<string, Set<Connection<SchedulerToClient>>>()
  /** Every connection past its handshake, workers that have not joined included. */
  readonly #open = new Set<Connection<SchedulerToClient> | Connection<SchedulerToWorker>>()
  readonly #switch = new RelaySwitch()
  #watcher: Watcher = NOBODY
  readonly #keep: NonNullable<SessionsOptions['keep']>
  /** Who waits for an answer: each has it by the end of the turn. */
  readonly #operators = new OpenQuestions<OperatorAnswer>()
  /** Who only looks waits for what workers tell. */
  readonly #lookers = new OpenQuestions<Answer>()
  #lastClient: number
  #lastWorker: number
  #isClosed = false

  constructor(options: SessionsOptions) {
    const { machine, log, onCrash, maxConnections = MAX_CONNECTIONS, keep, lastMember = 0 } = options
    this.#strictVersions = options.strictVersions === true
    this.#log = log
    this.#machine = machine
    this.#keep = keep ?? ((_records, onKept) => onKept())
    this.#lastClient = lastMember
    this.#lastWorker = lastMember
    this.#maxConnections = maxConnections
    this.#maxClientQueuedBytes = options.maxClientQueuedBytes ?? MAX_CLIENT_QUEUED_BYTES
    this.#loop = new EventLoop({
      machine,
      perform: (instruction) => this.#perform(instruction),
      onCrash: (error) => {
        this.close()
        onCrash(error)
      },
    })
  }

  /** The clock of every event. */
  get nowMs(): number {
    return this.#loop.nowMs
  }

  /** What went through relays since the start. */
  get relayedBytes(): number {
    return this.#switch.relayedBytes
  }

  /** How many connections are past their handshake. */
  get connections(): number {
    return this.#open.size
  }

  /** Begins, even if nobody comes: the machine may have something to do. */
  start(): void {
    this.#loop.wake()
  }

  /** What must be kept can't be, for want of room; or it can again. */
  setJournalFull(isFull: boolean): void {
    this.#submit({ type: 'journal-full', isFull, nowMs: this.nowMs })
  }

  /** Takes a fresh socket of somebody who may do what `grant` says. */
  accept(socket: Socket, grant: Grant = 'all'): void {
    answer({
      socket,
      self: 'scheduler',
      admit: (hello) => this.#admit(hello, grant),
      onRefused: (error) => this.#log.warn({ peer: socket.peer, code: error.code }, error.message),
    })
  }

  /** Has every worker tell what `watcher` listens to, those that join later too, and nothing else any more. */
  watch(watcher: Watcher): void {
    this.#watcher = watcher
    for (const worker of this.#workers.values()) worker.send(watchOf(watcher))
  }

  /** Does what somebody asks for who looks after the cluster; `undefined` when the scheduler stops instead. */
  async operate(action: OperatorAction, target: string): Promise<OperatorAnswer | undefined> {
    if (this.#isClosed) return undefined
    const { request, answer: told } = this.#operators.ask()
    this.#submit({ type: 'operator-asked', request, action, target, nowMs: this.nowMs })
    return await told
  }

  /**
   * Asks workers for somebody who only looks; `undefined` when the scheduler stops first.
   *
   * @throws {HeddleError} `ERR_HEDDLE_QUEUE_FULL` when too many such questions are open.
   */
  async askWorkers(question: LookersQuestion): Promise<Answer | undefined> {
    if (this.#isClosed) return undefined
    if (this.#lookers.size >= MAX_LOOKERS_QUESTIONS) {
      const message = `Workers have ${MAX_LOOKERS_QUESTIONS} questions to answer already; ask again in a moment.`
      throw new HeddleError('ERR_HEDDLE_QUEUE_FULL', message, { retryable: true })
    }
    const { request, answer: told } = this.#lookers.ask()
    this.#submit({ type: 'looker-asked', request, question, nowMs: this.nowMs })
    return await told
  }

  /** Closes every connection, telling why. */
  close(): void {
    this.#isClosed = true
    this.#loop.stop()
    for (const connection of this.#open) connection.close(STOPPED)
    this.#operators.close()
    this.#lookers.close()
  }

  #admit(hello: Hello, grant: Grant): Admission {
    if (this.#isClosed) return { refuse: new HeddleError('ERR_HEDDLE_CLOSED', STOPPED.message, { retryable: true }) }
    if (this.#open.size >= this.#maxConnections) {
      const message = `The scheduler has ${this.#maxConnections} connections, which is its limit; close some first.`
      return { refuse: new HeddleError('ERR_HEDDLE_PROTOCOL', message, { retryable: true }) }
    }
    if (hello.role !== 'peer' && !mayBe(grant, hello.role))
      return { refuse: refuseRole(grant, tokenRoleOf(hello.role)) }
    if (this.#strictVersions && !isSameNodeMajor(process.version, hello.nodeVersion)) {
      return { refuse: refuseNode(hello) }
    }
    switch (hello.role) {
      case 'viewer':
        return this.#viewerContract()
      case 'client':
        return this.#clientContract({ name: hello.name, session: hello.secret })
      case 'task':
        return this.#taskContract(hello.name)
      case 'worker':
        return this.#workerContract()
      case 'peer':
        return { refuse: new ProtocolError('theirs', 'This is a scheduler, which holds no values; ask a worker.') }
      default:
        return unreachable(hello.role)
    }
  }

  #clientContract(newcomer: Newcomer): LinkContract<ClientToScheduler, SchedulerToClient> {
    const client = clientId(++this.#lastClient)
    const handlers = (connection: Connection<SchedulerToClient>): Handlers<ClientToScheduler> => {
      this.#open.add(connection)
      this.#clients.set(client, connection)
      this.#submit({ type: 'client-joined', client, ...newcomer, nowMs: this.nowMs })
      this.#log.debug({ client, peer: connection.peer }, 'client connected')
      return {
        allocate: allocateFrame,
        onPayload: (message, payload) => this.#onPayload(connection, message, payload),
        onMessages: (messages) => {
          for (const message of messages) {
            if (message.type === 'relay-taken') this.#switch.onTaken(connection, message)
            else if (message.type !== 'relay-frame') {
              this.#submit({ type: 'client-message', client, message, nowMs: this.nowMs })
            }
          }
        },
        onClose: (reason) => {
          this.#open.delete(connection)
          this.#clients.delete(client)
          this.#submit({ type: 'client-left', client, isFinal: reason.code === 'closed', nowMs: this.nowMs })
          this.#logEnd('client left', connection.peer, reason)
        },
      }
    }
    return {
      incoming: clientToScheduler,
      outgoing: schedulerToClient,
      maxSilenceMs: CLIENT_SILENCE_MS,
      maxQueuedBytes: this.#maxClientQueuedBytes,
      handlers,
    }
  }

  /** Somebody who only looks: is told what there is, and is no client of the cluster. */
  #viewerContract(): LinkContract<ClientToScheduler, SchedulerToClient> {
    const handlers = (connection: Connection<SchedulerToClient>): Handlers<ClientToScheduler> => {
      this.#open.add(connection)
      return {
        allocate: allocateFrame,
        onPayload: (_message, payload) => connection.close(strayPayload(payload.length)),
        onMessages: (messages) => {
          for (const message of messages) answerViewer(this.#machine, this, connection, message)
        },
        onClose: () => this.#open.delete(connection),
      }
    }
    const maxQueuedBytes = this.#maxClientQueuedBytes
    return { incoming: clientToScheduler, outgoing: schedulerToClient, maxQueuedBytes, handlers }
  }

  /**
   * The client of a thread's tasks. A task may keep that thread busy for any time, so its silence means nothing: it goes
   * with its socket, or with the worker.
   */
  #taskContract(worker: string): LinkContract<ClientToScheduler, SchedulerToClient> {
    const contract = this.#clientContract({ name: `tasks of ${worker}`, tasksOf: worker })
    const handlers: typeof contract.handlers = (connection) => {
      const ours = this.#taskClients.get(worker) ?? new Set()
      this.#taskClients.set(worker, ours.add(connection))
      const given = contract.handlers(connection)
      return {
        ...given,
        onClose: (reason) => {
          ours.delete(connection)
          if (ours.size === 0 && this.#taskClients.get(worker) === ours) this.#taskClients.delete(worker)
          // Its thread may have been ended: that is an ordinary end.
          given.onClose({ ...reason, code: 'closed' })
        },
      }
    }
    return { ...contract, maxSilenceMs: Infinity, handlers }
  }

  /** A connection is a worker once it said `join`, which must be the first thing it says, and soon. */
  #workerContract(): LinkContract<WorkerToScheduler, SchedulerToWorker> {
    const handlers = (connection: Connection<SchedulerToWorker>): Handlers<WorkerToScheduler> => {
      let worker: WorkerId | undefined
      let name = ''
      const deadline = setTimeout(() => connection.close(notJoined('it did not in time')), HANDSHAKE_TIMEOUT_MS)
      this.#open.add(connection)
      const onMessage = (message: WorkerToScheduler): void => {
        if (message.type === 'relay-taken') this.#switch.onTaken(connection, message)
        else if (message.type === 'relay-frame') return
        else if (message.type === 'runs') this.#watcher.onRuns?.(name, message)
        else if (message.type === 'logged') this.#watcher.onLogged?.(name, message)
        else if (worker !== undefined && message.type !== 'join') {
          this.#submit({ type: 'worker-message', worker, message, nowMs: this.nowMs })
        } else if (worker === undefined && message.type === 'join') {
          clearTimeout(deadline)
          worker = workerId(++this.#lastWorker)
          name = message.name
          this.#workers.set(worker, connection)
          this.#submit({ type: 'worker-joined', worker, join: message, nowMs: this.nowMs })
          const watch = watchOf(this.#watcher)
          if (watch.runs || watch.logs) connection.send(watch)
          const { address, threads, pid } = message
          this.#log.info({ worker, name, address, threads, pid, peer: connection.peer }, 'worker joined')
        } else {
          connection.close(notJoined(`it said "${message.type}" instead`))
        }
      }
      return {
        allocate: allocateFrame,
        onPayload: (message, payload) => this.#onPayload(connection, message, payload),
        onMessages: (messages) => messages.forEach(onMessage),
        onClose: (reason) => {
          clearTimeout(deadline)
          this.#open.delete(connection)
          if (worker === undefined) return
          this.#workers.delete(worker)
          for (const client of this.#taskClients.get(name) ?? []) client.close(WORKER_GONE)
          this.#submit({ type: 'worker-left', worker, reason: reason.message, nowMs: this.nowMs })
          this.#logEnd('worker left', connection.peer, reason)
        },
      }
    }
    return { incoming: workerToScheduler, outgoing: schedulerToWorker, handlers }
  }

  #onPayload(connection: RelayEnd, message: ClientToScheduler | WorkerToScheduler, payload: Uint8Array): void {
    if (message.type === 'relay-frame') this.#switch.onFrame(connection, message, payload)
    else connection.close(strayPayload(payload.length))
  }

  #endOf(member: MemberId): RelayEnd | undefined {
    return member.type === 'client' ? this.#clients.get(member.id) : this.#workers.get(member.id)
  }

  #submit(event: SchedulerEvent): void {
    if (!this.#isClosed) this.#loop.submit(event)
  }

  #perform(instruction: SchedulerInstruction): void {
    switch (instruction.type) {
      case 'keep':
        this.#keep(instruction.records, () => {
          for (const { client, message } of instruction.tell) this.#clients.get(client)?.send(message)
        })
        break
      case 'to-client':
        this.#clients.get(instruction.client)?.send(instruction.message)
        break
      case 'to-worker':
        this.#workers.get(instruction.worker)?.send(instruction.message)
        break
      case 'close-client':
        this.#clients.get(instruction.client)?.close({ code: instruction.code, message: instruction.reason })
        break
      case 'close-worker':
        this.#workers.get(instruction.worker)?.close({ code: instruction.code, message: instruction.reason })
        break
      case 'tell-blocked':
        this.#log.warn({}, `tasks wait, and nothing that is there will let them run: the work ${instruction.reason}`)
        break
      case 'tell-repaired':
        this.#log.warn(
          {},
          `scheduler and worker disagreed, which was put right; please report this: ${instruction.reason}`,
        )
        break
      case 'connect-relay': {
        const asker = this.#endOf(instruction.asker)
        const holder = this.#workers.get(instruction.holder)
        if (asker !== undefined && holder !== undefined) this.#switch.connect(instruction.relay, asker, holder)
        break
      }
      case 'collect':
        // What the turn tells leaves first.
        setImmediate(collectIfLarge)
        break
      case 'answer-operator':
        this.#operators.settle(instruction.request, instruction.answer)
        break
      case 'answer-looker':
        this.#lookers.settle(instruction.request, instruction.answer)
        break
      case 'cut-relay':
        this.#switch.cut(instruction.relay)
        break
      default:
        unreachable(instruction)
    }
  }

  #logEnd(what: string, peer: string, { code, message }: CloseReason): void {
    if (code === 'closed') this.#log.info({ peer }, what)
    else this.#log.warn({ peer, code }, `${what}: ${message}`)
  }
}

function watchOf({ onRuns, onLogged }: Watcher): Extract<SchedulerToWorker, { readonly type: 'watch' }> {
  return { type: 'watch', runs: onRuns !== undefined, logs: onLogged !== undefined }
}

/** Whoever may submit work may look on, too. */
function mayBe(grant: Grant, of: Exclude<Role, 'peer'>): boolean {
  const role = tokenRoleOf(of)
  return grant === 'all' || grant === role || (grant === 'client' && role === 'viewer')
}

/** What tasks submit is part of what workers do. */
function tokenRoleOf(role: Exclude<Role, 'peer'>): TokenRole {
  return role === 'task' ? 'worker' : role
}

function refuseRole(grant: Grant, role: TokenRole): HeddleError {
  return new AuthenticationError(
    `This token is for a ${grant}, and not for a ${role}; "heddle token create --role ${role}" makes one that is.`,
  )
}

function refuseNode({ role, name, nodeVersion }: Hello): HeddleError {
  return new VersionMismatchError(
    `The scheduler takes Node ${nodeMajor(process.version)} only, as it was started with --strict-versions, and the ` +
      `${role} "${name}" runs ${nodeVersion}; run it with Node ${nodeMajor(process.version)}, or the scheduler without that option.`,
  )
}

function notJoined(what: string): CloseReason {
  return { code: 'ERR_HEDDLE_PROTOCOL', message: `A worker says "join" first and once; ${what}.` }
}

function allocateFrame(sizeBytes: number): Uint8Array {
  refuseLargePayload(sizeBytes)
  return freshMemory(sizeBytes)
}
