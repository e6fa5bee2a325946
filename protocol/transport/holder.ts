/** One process that holds values, as those who fetch them see it: its connection, and the requests it owes answers to. */
import { unreachable } from '../../common/assert.js'
import { Fifo } from '../../common/fifo.js'
import type { Packed } from '../../common/packed.js'
import { HeddleError } from '../errors.js'
import type { TaskId, WorkerId } from '../ids.js'
import { MAX_PUT_BYTES } from '../limits.js'
import { fromHolder, toHolder, type FromHolder, type ToHolder } from '../messages/peer.js'
import type { CloseReason, Connection, Handlers } from './connection.js'
import { connectTo, type Introduction } from './handshake.js'
import { CLOSED } from './link.js'
import type { Pieces } from './pieces.js'
import type { Socket } from './socket.js'
import type { Timers } from './timers.js'

/** Hears what became of the tasks of one request. Bytes are views on a frame or memory from `allocate`. */
export interface ValueSink {
  /** Small values, many at once: entry `i` is that of `tasks[i]`. */
  onValues(tasks: readonly TaskId[], values: Packed): void
  onLargeValue(task: TaskId, value: Uint8Array): void
  /** The holder has these, which were awaited, and they are too large to come without being asked for. */
  onLocated?(tasks: readonly TaskId[], sizes: readonly number[]): void
  /** The holder does not have these (any more). */
  onGone(tasks: readonly TaskId[]): void
  /** The holder could not be asked, or did not answer. `reason` is for people. */
  onUnreachable(tasks: readonly TaskId[], reason: string): void
}

/** A value to be held there. */
export interface Put {
  readonly task: TaskId
  readonly value: Uint8Array | Pieces
  /** It could not be brought there, as far as is known. */
  onFailed(reason: string): void
}

export interface HolderOptions {
  readonly hello: Introduction
  readonly dial: (signal: AbortSignal) => Promise<Socket>
  readonly allocate?: (sizeBytes: number) => Uint8Array
  readonly timers: Timers
  readonly maxPutBytes?: number | undefined
  /** The last request was answered. */
  onIdle(): void
  /** Called once. By then nothing is owed any more. */
  onClose(): void
}

/** The values are still to be made, by some of the first `after` tasks that the worker is sent under this number. */
export interface Awaiting {
  readonly worker: WorkerId
  readonly after: number
}

interface Request {
  readonly sink: ValueSink
  readonly awaiting: Awaiting | undefined
  /** Tasks that were not answered yet. */
  readonly owed: Set<TaskId>
}

type State =
  | { readonly type: 'waiting' }
  | { readonly type: 'connecting'; readonly aborter: AbortController }
  | { readonly type: 'open'; readonly connection: Connection<ToHolder> }
  | { readonly type: 'closed' }

export class Holder {
  readonly #options: HolderOptions
  readonly #requests = new Map<number, Request>()
  /** Values that it has been sent, and does not say yet that it holds. */
  readonly #puts = new Map<TaskId, Put>()
  #putBytes = 0
  /** Those that go when there is room for them. */
  readonly #waitingPuts = new Fifo<Put>()
  #lastRequest = 0
  #state: State = { type: 'waiting' }

  constructor(options: HolderOptions) {
    this.#options = options
  }

  ask(tasks: readonly TaskId[], sink: ValueSink, awaiting?: Awaiting): void {
    this.#lastRequest += 1
    this.#requests.set(this.#lastRequest, { sink, awaiting, owed: new Set(tasks) })
    if (this.#state.type === 'open') this.#send(this.#state.connection, this.#lastRequest)
  }

  put(put: Put): void {
    this.#waitingPuts.push(put)
    if (this.#state.type === 'open') this.#sendPuts(this.#state.connection)
  }

  connect(): void {
    const aborter = new AbortController()
    this.#state = { type: 'connecting', aborter }
    this.#open(aborter.signal).catch((error: unknown) => {
      this.#end(error instanceof HeddleError ? error.message : String(error))
    })
  }

  close(reason: string): void {
    if (this.#state.type === 'open') this.#state.connection.close(CLOSED)
    if (this.#state.type === 'connecting') this.#state.aborter.abort()
    this.#end(reason)
  }

  async #open(signal: AbortSignal): Promise<void> {
    const { hello, dial, timers } = this.#options
    const socket = await dial(signal)
    await connectTo<FromHolder, ToHolder>({
      socket,
      hello,
      timers,
      signal,
      incoming: fromHolder,
      outgoing: toHolder,
      handlers: (connection) => this.#handlers(connection),
    })
  }

  #handlers(connection: Connection<ToHolder>): Handlers<FromHolder> {
    this.#state = { type: 'open', connection }
    for (const request of this.#requests.keys()) this.#send(connection, request)
    this.#sendPuts(connection)
    const { allocate } = this.#options
    return {
      onMessages: (messages) => {
        for (const message of messages) this.#onMessage(connection, message)
      },
      onPayload: (message, payload) => this.#onPayload(connection, message, payload),
      ...(allocate && { allocate }),
      onClose: (reason) => this.#end(reason.message),
    }
  }

  #send(connection: Connection<ToHolder>, request: number): void {
    const { owed, awaiting } = this.#requests.get(request)!
    const tasks = [...owed]
    if (awaiting === undefined) connection.send({ type: 'get-values', request, tasks })
    else connection.send({ type: 'await-values', request, tasks, ...awaiting })
  }

  /** Sends as many as may be on their way: a holder that is slow to take them in is waited for. */
  #sendPuts(connection: Connection<ToHolder>): void {
    const { maxPutBytes = MAX_PUT_BYTES } = this.#options
    for (let put = this.#waitingPuts.peek(); put !== undefined; put = this.#waitingPuts.peek()) {
      const { task, value } = put
      const hasRoom = this.#puts.size === 0 || this.#putBytes + value.length <= maxPutBytes
      // The same value again, for a worker that joined anew: its answers must not be mixed up.
      if (!hasRoom || this.#puts.has(task)) return
      this.#waitingPuts.shift()
      this.#puts.set(task, put)
      this.#putBytes += value.length
      connection.sendPayload({ type: 'put-value', task }, value)
    }
  }

  #onMessage(connection: Connection<ToHolder>, message: FromHolder): void {
    switch (message.type) {
      case 'peer-values': {
        const { tasks, values } = message
        if (tasks.length !== values.ends.length) return this.#refuse(connection)
        this.#settle(connection, message.request, tasks)?.onValues(tasks, values)
        break
      }
      case 'gone':
        this.#settle(connection, message.request, message.tasks)?.onGone(message.tasks)
        break
      case 'values-located': {
        const { tasks, sizes } = message
        if (tasks.length !== sizes.length) return this.#refuse(connection)
        this.#settle(connection, message.request, tasks)?.onLocated?.(tasks, sizes)
        break
      }
      case 'put-held':
        if (!this.#onHeld(connection, message.task)) return this.#refuse(connection)
        break
      case 'large-value':
        return this.#refuse(connection)
      default:
        unreachable(message)
    }
    this.#checkIdle()
  }

  #onPayload(connection: Connection<ToHolder>, message: FromHolder, payload: Uint8Array): void {
    if (message.type !== 'large-value') return this.#refuse(connection)
    this.#settle(connection, message.request, [message.task])?.onLargeValue(message.task, payload)
    this.#checkIdle()
  }

  #onHeld(connection: Connection<ToHolder>, task: TaskId): boolean {
    const put = this.#puts.get(task)
    if (put === undefined) return false
    this.#puts.delete(task)
    this.#putBytes -= put.value.length
    this.#sendPuts(connection)
    return true
  }

  /** Crosses off what a message answers, and says who hears of it. */
  #settle(connection: Connection<ToHolder>, number: number, tasks: readonly TaskId[]): ValueSink | undefined {
    const request = this.#requests.get(number)
    if (request === undefined || !tasks.every((task) => request.owed.delete(task))) {
      this.#refuse(connection)
      return undefined
    }
    if (request.owed.size === 0) this.#requests.delete(number)
    return request.sink
  }

  #refuse(connection: Connection<ToHolder>): void {
    const reason: CloseReason = { code: 'ERR_HEDDLE_PROTOCOL', message: 'An answer fits no request for values.' }
    connection.close(reason)
    this.#end(reason.message)
  }

  #checkIdle(): void {
    if (this.#requests.size + this.#puts.size === 0 && this.#state.type === 'open') this.#options.onIdle()
  }

  #end(reason: string): void {
    if (this.#state.type === 'closed') return
    this.#state = { type: 'closed' }
    const unanswered = [...this.#requests.values()]
    const unheld = [...this.#puts.values(), ...this.#waitingPuts]
    this.#requests.clear()
    this.#puts.clear()
    this.#waitingPuts.retain(() => false)
    this.#options.onClose()
    for (const put of unheld) put.onFailed(reason)
    for (const { sink, owed } of unanswered) sink.onUnreachable([...owed], reason)
  }
}
