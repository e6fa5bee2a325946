/**
 * A client's connection to its scheduler, for as long as that may come back: where it keeps its state, a lost connection is
 * had again, to it or to the scheduler that takes its place. What must not be lost is numbered, and stays here until the
 * scheduler says that it is kept; on a new connection it hears what it had not heard, in order and once. All else that was
 * under way is for the session to ask again.
 */
import { randomBytes } from 'node:crypto'
import { HeddleError, SchedulerUnreachableError, type ErrorCode } from '../protocol/errors.js'
import { MAX_UNACKNOWLEDGED_BYTES } from '../protocol/limits.js'
import {
  clientToScheduler,
  schedulerToClient,
  type ClientToScheduler,
  type SchedulerToClient,
} from '../protocol/messages/client.js'
import { isKept } from '../protocol/messages/kept.js'
import type { CloseReason, Connection } from '../protocol/transport/connection.js'
import { connectTo } from '../protocol/transport/handshake.js'
import { dialUntil } from '../protocol/transport/reconnect.js'
import type { Socket } from '../protocol/transport/socket.js'
import { isSameNodeMajor, nodeWarning } from '../protocol/version.js'
import { Unacknowledged } from './unacknowledged.js'

export type Lease = SchedulerToClient & { readonly type: 'lease' }

export interface LastingConnectionOptions {
  readonly name: string
  /** The scheduler's address, for errors. */
  readonly address: string
  redial(signal: AbortSignal): Promise<Socket>
}

export interface LastingHandlers {
  onMessage(message: SchedulerToClient): void
  onPayload(message: SchedulerToClient, payload: Uint8Array): void
  /** The connection is gone, and is being had again: what is said meanwhile waits, if it must not be lost. */
  onLost(): void
  /** It is there again. What must not be lost has been said. */
  onReturned(lease: Lease): void
  /** It is gone for good. */
  onEnd(error: HeddleError): void
}

/** What a session says things over, for as long as that may last. */
export interface LastingLink {
  send(message: ClientToScheduler): void
  sendPayload(message: ClientToScheduler, payload: Uint8Array): void
  /** What was said and has not reached the socket, or, where it must not be lost, is not acknowledged and is too much. */
  readonly queuedBytes: number
  /** Resolves when more may be said, or the connection is gone for good. */
  whenDrained(): Promise<void>
  /** Resolves when all that must not be lost is kept, or the connection is gone for good. */
  whenAcknowledged(): Promise<void>
  /** Ends it for good, whether it is there or not. */
  close(reason: CloseReason): Promise<void>
}

interface ConnectionHandlers {
  onOpen?(connection: Connection<ClientToScheduler>): void
  onMessage(message: SchedulerToClient): void
  onClose(reason: CloseReason): void
}

/** What no further try changes. */
export const FINAL_CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'ERR_HEDDLE_AUTHENTICATION',
  'ERR_HEDDLE_PROTOCOL',
  'ERR_HEDDLE_VERSION_MISMATCH',
])

export class LastingConnection implements LastingLink {
  readonly #options: LastingConnectionOptions
  readonly #handlers: LastingHandlers
  /** What the scheduler knows this client by, on whichever connection. */
  readonly #session = randomBytes(18).toString('base64url')
  readonly #giveUp = new AbortController()
  #connection: Connection<ClientToScheduler> | undefined
  /** How long the scheduler waits for this client; 0 when it does not, and its end is ours. */
  #graceMs = 0
  #hasWarnedOfNode = false
  readonly #unacknowledged = new Unacknowledged()
  readonly #waiting: (() => void)[] = []
  readonly #awaitingAll: (() => void)[] = []

  constructor(options: LastingConnectionOptions, handlers: LastingHandlers) {
    this.#options = options
    this.#handlers = handlers
  }

  /** Connects over a fresh socket. @throws What `connectTo` throws. */
  async open(
    socket: Socket,
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    await this.#connectOver(socket, options, {
      // The first messages may come with the end of the handshake.
      onOpen: (connection) => (this.#connection = connection),
      onMessage: (message) => this.#onMessage(message),
      onClose: (reason) => this.#onClose(reason),
    })
  }

  send(message: ClientToScheduler): void {
    if (this.#graceMs > 0 && isKept(message)) this.#unacknowledged.add(message)
    this.#connection?.send(message)
  }

  sendPayload(message: ClientToScheduler, payload: Uint8Array): void {
    this.#connection?.sendPayload(message, payload)
  }

  get queuedBytes(): number {
    if (this.#connection === undefined || this.#unacknowledged.isFull) return MAX_UNACKNOWLEDGED_BYTES
    return this.#connection.queuedBytes
  }

  async whenDrained(): Promise<void> {
    if (this.#giveUp.signal.aborted) return
    if (this.#connection !== undefined && !this.#unacknowledged.isFull) return await this.#connection.whenDrained()
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  async whenAcknowledged(): Promise<void> {
    if (this.#unacknowledged.isEmpty || this.#giveUp.signal.aborted) return
    await new Promise<void>((resolve) => this.#awaitingAll.push(resolve))
  }

  async close(reason: CloseReason): Promise<void> {
    this.#end()
    const connection = this.#connection
    connection?.close(reason)
    await connection?.closed
  }

  #onMessage(message: SchedulerToClient): void {
    if (message.type === 'lease') this.#graceMs = message.graceMs
    if (message.type === 'accepted') this.#acknowledge(message.count)
    this.#handlers.onMessage(message)
  }

  #acknowledge(count: number): void {
    this.#unacknowledged.acknowledge(count)
    if (!this.#unacknowledged.isFull) this.#goOn()
    if (this.#unacknowledged.isEmpty) for (const resolve of this.#awaitingAll.splice(0)) resolve()
  }

  #goOn(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #onClose(reason: CloseReason): void {
    this.#connection = undefined
    if (this.#giveUp.signal.aborted) return
    if (this.#graceMs === 0 || FINAL_CODES.has(reason.code)) {
      this.#end()
      this.#handlers.onEnd(this.#errorOf(reason.message))
      return
    }
    this.#handlers.onLost()
    this.#reconnect().catch((error: unknown) => {
      if (this.#giveUp.signal.aborted) return
      this.#end()
      this.#handlers.onEnd(this.#errorOf(`${reason.message} It did not come back: ${(error as Error).message}`))
    })
  }

  async #reconnect(): Promise<void> {
    const timeout = AbortSignal.timeout(this.#graceMs)
    let last: Error | undefined
    try {
      await dialUntil((signal) => this.#tryAgain(signal), {
        signal: AbortSignal.any([timeout, this.#giveUp.signal]),
        random: Math.random,
        onFailure: (error) => (last = error),
      })
    } catch (error) {
      throw timeout.aborted && last !== undefined ? last : error
    }
  }

  /** The scheduler says first what it has heard of this client. */
  async #tryAgain(signal: AbortSignal): Promise<void> {
    let settle: { resolve(lease: Lease): void; reject(error: Error): void }
    const leased = new Promise<Lease>((resolve, reject) => (settle = { resolve, reject }))
    leased.catch(() => undefined) // The handshake may fail before anybody waits for it.
    let hasReturned = false
    const early: SchedulerToClient[] = []
    const onMessage = (message: SchedulerToClient): void => {
      if (hasReturned) this.#onMessage(message)
      else if (message.type === 'lease') settle.resolve(message)
      else early.push(message)
    }
    const onClose = (reason: CloseReason): void => {
      if (hasReturned) this.#onClose(reason)
      else settle.reject(new SchedulerUnreachableError(reason.message, { retryable: !FINAL_CODES.has(reason.code) }))
    }
    const socket = await this.#options.redial(signal)
    const connection = await this.#connectOver(socket, { signal }, { onMessage, onClose })
    const onAbort = (): void => connection.close()
    signal.addEventListener('abort', onAbort, { once: true })
    const lease = await leased.finally(() => signal.removeEventListener('abort', onAbort))
    if (!lease.isResumed) {
      connection.close()
      const message =
        'The scheduler there does not know this client any more: its state is gone, or it had waited too long.'
      throw new HeddleError('ERR_HEDDLE_SCHEDULER_UNREACHABLE', message)
    }
    hasReturned = true
    this.#connection = connection
    this.#acknowledge(lease.saidCount)
    for (const message of this.#unacknowledged) connection.send(message)
    this.#handlers.onReturned(lease)
    for (const message of early) this.#onMessage(message)
    if (!this.#unacknowledged.isFull) this.#goOn()
  }

  #connectOver(
    socket: Socket,
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal | undefined },
    { onOpen, onMessage, onClose }: ConnectionHandlers,
  ): Promise<Connection<ClientToScheduler>> {
    return connectTo<SchedulerToClient, ClientToScheduler>({
      ...options,
      socket,
      hello: { role: 'client', name: this.#options.name, secret: this.#session },
      incoming: schedulerToClient,
      outgoing: clientToScheduler,
      onWelcome: ({ nodeVersion }) => this.#warnOfNode(nodeVersion),
      handlers: (connection) => {
        onOpen?.(connection)
        return {
          onMessages: (messages) => {
            for (const message of messages) onMessage(message)
          },
          onPayload: (message, payload) => this.#handlers.onPayload(message, payload),
          onClose,
        }
      },
    })
  }

  #warnOfNode(theirs: string): void {
    if (this.#hasWarnedOfNode || isSameNodeMajor(process.version, theirs)) return
    this.#hasWarnedOfNode = true
    process.emitWarning(nodeWarning(process.version, theirs), { type: 'HeddleWarning', code: 'HEDDLE_NODE_VERSION' })
  }

  #end(): void {
    this.#giveUp.abort()
    this.#goOn()
    for (const resolve of this.#awaitingAll.splice(0)) resolve()
  }

  #errorOf(message: string): SchedulerUnreachableError {
    const { address } = this.#options
    const text = `The connection to the scheduler at ${address} ended: ${message} Check that it runs, and connect again.`
    return new SchedulerUnreachableError(text)
  }
}
