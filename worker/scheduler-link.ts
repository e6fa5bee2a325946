/**
 * A worker's connection to its scheduler. It is had again and again: before the scheduler is up, and after every cut. A
 * worker is connected once the scheduler said `joined`; whatever goes wrong before that is a failed try.
 */
import type { Log } from '../common/node/log.js'
import { HeddleError, SchedulerUnreachableError, type ErrorCode } from '../protocol/errors.js'
import { schedulerToWorker, workerToScheduler } from '../protocol/messages/worker.js'
import type { Join, SchedulerToWorker, WorkerToScheduler } from '../protocol/messages/worker.js'
import type { CloseReason, Connection } from '../protocol/transport/connection.js'
import { connectTo, type Introduction } from '../protocol/transport/handshake.js'
import { dialUntil } from '../protocol/transport/reconnect.js'
import type { Socket } from '../protocol/transport/socket.js'
import { isSameNodeMajor, nodeWarning } from '../protocol/version.js'

/** What no further try changes: somebody has to do something about it. */
const FINAL_CODES: ReadonlySet<ErrorCode> = new Set([
  'ERR_HEDDLE_AUTHENTICATION',
  'ERR_HEDDLE_INVALID_OPTION',
  'ERR_HEDDLE_NAME_IN_USE',
  'ERR_HEDDLE_PORT_IN_USE',
  'ERR_HEDDLE_VERSION_MISMATCH',
])
/** How often failures are told while they go on. */
const TELL_EVERY_MS = 30_000

export interface SchedulerLinkOptions {
  readonly dial: (signal: AbortSignal) => Promise<Socket>
  readonly hello: Introduction
  /** The first message on a new socket. */
  readonly join: (socket: Socket) => Promise<Join>
  /** Messages of a scheduler, in order, the first of which is `joined`. */
  readonly onMessage: (message: SchedulerToWorker) => void
  /** A payload, and the message that heads it. */
  readonly onPayload: (message: SchedulerToWorker, payload: Uint8Array) => void
  /** The connection to a scheduler that had said `joined` is gone. */
  readonly onLost: (reason: CloseReason) => void
  readonly log: Log
}

export class SchedulerLink {
  readonly #options: SchedulerLinkOptions
  #connection: Connection<WorkerToScheduler> | undefined
  #hasWarnedOfNode = false

  constructor(options: SchedulerLinkOptions) {
    this.#options = options
  }

  /**
   * Resolves once a scheduler took us in, however long that takes.
   *
   * @throws {HeddleError} when it never will: wrong token, wrong version, name in use.
   * @throws The reason of `signal`, when it aborts.
   */
  async open(signal: AbortSignal): Promise<void> {
    let toldAtMs = -Infinity
    await dialUntil((each) => this.#try(each), {
      signal,
      random: Math.random,
      onFailure: ({ message }) => {
        if (performance.now() - toldAtMs < TELL_EVERY_MS) return
        toldAtMs = performance.now()
        this.#options.log.warn({}, `no scheduler yet, trying on: ${message}`)
      },
    })
  }

  send(message: WorkerToScheduler): void {
    this.#connection?.send(message)
  }

  sendPayload(message: WorkerToScheduler, payload: Uint8Array): void {
    this.#connection?.sendPayload(message, payload)
  }

  /** Ends the connection; `onLost` follows if the scheduler had said `joined`. */
  close(reason?: CloseReason): void {
    this.#connection?.close(reason)
  }

  /** Resolves when nothing of a closed connection is left. */
  async closed(): Promise<void> {
    await this.#connection?.closed
  }

  async #try(signal: AbortSignal): Promise<void> {
    try {
      const socket = await this.#options.dial(signal)
      await this.#joinOver(socket, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof HeddleError) || FINAL_CODES.has(error.code)) throw error
      // A scheduler that stops or is full may be another one the next time.
      throw new SchedulerUnreachableError(error.message, { cause: error })
    }
  }

  async #joinOver(socket: Socket, signal: AbortSignal): Promise<void> {
    const greeting = await this.#greetingFor(socket)
    let hasJoined = false
    let settle: { resolve(): void; reject(error: unknown): void }
    const joined = new Promise<void>((resolve, reject) => (settle = { resolve, reject }))
    const connection = await connectTo<SchedulerToWorker, WorkerToScheduler>({
      socket,
      hello: this.#options.hello,
      signal,
      incoming: schedulerToWorker,
      outgoing: workerToScheduler,
      onWelcome: ({ nodeVersion }) => this.#warnOfNode(nodeVersion),
      handlers: () => ({
        onMessages: (messages) => {
          for (const message of messages) {
            if (message.type === 'joined') {
              hasJoined = true
              settle.resolve()
            }
            this.#options.onMessage(message)
          }
        },
        onPayload: (message, payload) => this.#options.onPayload(message, payload),
        onClose: (reason) => {
          this.#connection = undefined
          if (hasJoined) this.#options.onLost(reason)
          else settle.reject(new HeddleError(reason.code as ErrorCode, reason.message))
        },
      }),
    })
    this.#connection = connection
    connection.send(greeting)
    const onAbort = (): void => connection.close()
    signal.addEventListener('abort', onAbort, { once: true })
    await joined.finally(() => signal.removeEventListener('abort', onAbort))
  }

  #warnOfNode(theirs: string): void {
    if (this.#hasWarnedOfNode || isSameNodeMajor(process.version, theirs)) return
    this.#hasWarnedOfNode = true
    this.#options.log.warn({ nodeVersion: process.version }, nodeWarning(process.version, theirs))
  }

  async #greetingFor(socket: Socket): Promise<Join> {
    try {
      return await this.#options.join(socket)
    } catch (error) {
      socket.terminate()
      throw error
    }
  }
}
