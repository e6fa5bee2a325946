/**
 * The connection of the tasks of a thread: it is used before it is there. What it is given to send waits; little, as it says
 * that it is full. It never comes back: those that were using it begin again.
 */
import { HeddleError, SchedulerUnreachableError } from '../protocol/errors.js'
import {
  clientToScheduler,
  schedulerToClient,
  type ClientToScheduler,
  type SchedulerToClient,
} from '../protocol/messages/client.js'
import type { CloseReason, Connection } from '../protocol/transport/connection.js'
import { connectTo } from '../protocol/transport/handshake.js'
import type { Socket } from '../protocol/transport/socket.js'
import type { LastingHandlers, LastingLink } from './lasting-connection.js'

export interface PendingConnectionOptions {
  /** The name of the worker that runs the tasks. */
  readonly name: string
  /** The scheduler's address, for errors. */
  readonly address: string
  dial(signal: AbortSignal): Promise<Socket>
  /** It ended, or could not be had, with this code. Called before anything that waits for an answer hears of it. */
  onEnd(code: string): void
}

export class PendingConnection implements LastingLink {
  readonly #options: PendingConnectionOptions
  readonly #handlers: LastingHandlers
  readonly #stopped = new AbortController()
  readonly #opened: Promise<void>
  #waiting: ((connection: Connection<ClientToScheduler>) => void)[] = []
  #connection: Connection<ClientToScheduler> | undefined
  #isOver = false

  constructor(options: PendingConnectionOptions, handlers: LastingHandlers) {
    this.#options = options
    this.#handlers = handlers
    this.#opened = this.#open().catch((error: unknown) => {
      const code = error instanceof HeddleError ? error.code : 'ERR_HEDDLE_SCHEDULER_UNREACHABLE'
      this.#end({ code, message: error instanceof Error ? error.message : String(error) })
    })
  }

  send(message: ClientToScheduler): void {
    this.#say((connection) => connection.send(message))
  }

  sendPayload(message: ClientToScheduler, payload: Uint8Array): void {
    this.#say((connection) => connection.sendPayload(message, payload))
  }

  get queuedBytes(): number {
    return this.#connection?.queuedBytes ?? Infinity
  }

  async whenDrained(): Promise<void> {
    await this.#opened
    await this.#connection?.whenDrained()
  }

  /** Nothing of what tasks say is kept. */
  async whenAcknowledged(): Promise<void> {}

  async close(reason: CloseReason): Promise<void> {
    this.#isOver = true
    this.#stopped.abort()
    this.#connection?.close(reason)
    await this.#connection?.closed
  }

  async #open(): Promise<void> {
    const { name, dial } = this.#options
    const { signal } = this.#stopped
    const connection = await connectTo<SchedulerToClient, ClientToScheduler>({
      socket: await dial(signal),
      signal,
      hello: { role: 'task', name },
      incoming: schedulerToClient,
      outgoing: clientToScheduler,
      handlers: () => ({
        onMessages: (messages) => {
          for (const message of messages) this.#handlers.onMessage(message)
        },
        onPayload: (message, payload) => this.#handlers.onPayload(message, payload),
        onClose: (reason) => this.#end(reason),
      }),
    })
    this.#connection = connection
    for (const say of this.#waiting) say(connection)
    this.#waiting = []
  }

  #end({ code, message }: CloseReason): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#waiting = []
    const { address, onEnd } = this.#options
    onEnd(code)
    this.#handlers.onEnd(new SchedulerUnreachableError(`A task lost the scheduler at ${address}: ${message}`))
  }

  #say(say: (connection: Connection<ClientToScheduler>) => void): void {
    if (this.#isOver) return
    if (this.#connection === undefined) this.#waiting.push(say)
    else say(this.#connection)
  }
}
