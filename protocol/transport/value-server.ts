/**
 * Answers those who fetch values from this process: small values many in one message, each large one as a payload of
 * its own. Requests take turns, and nothing more is taken out of the store while the connection has enough to send.
 */
import { Packer } from '../../common/packed.js'
import type { TaskId } from '../ids.js'
import { CHUNK_BYTES, MAX_IN_FLIGHT_BYTES, MAX_INLINE_RESULT_BYTES } from '../limits.js'
import type { AwaitValues, FromHolder, ToHolder } from '../messages/peer.js'
import type { CloseReason, Connection, Handlers } from './connection.js'

/** A message of small values is sent once it is this large: with its ids and sizes it still fits into one frame. */
const ENOUGH_BYTES = CHUNK_BYTES / 2

const UNEXPECTED: CloseReason = Object.freeze({
  code: 'ERR_HEDDLE_PROTOCOL',
  message: 'A value was put in a way that is not known here.',
})

interface Request {
  readonly number: number
  readonly tasks: readonly TaskId[]
  /** Where in `tasks` to go on. */
  next: number
}

/** A value that takes memory only while it is being sent. */
export interface Loan {
  readonly bytes: Uint8Array
  /** Called once, when it has left or is not wanted any more. */
  readonly done: () => void
}

export type Lookup = (task: TaskId) => Uint8Array | Promise<Loan | undefined> | undefined

export interface ServeOptions {
  readonly onClose?: (reason: CloseReason) => void
  /** Takes values that others put here; without it they are refused. */
  readonly puts?: {
    readonly allocate: (sizeBytes: number) => Uint8Array
    readonly onPut: (task: TaskId, value: Uint8Array) => void
  }
  /** Tells when awaited values can be given; without it they are given, or gone, at once. */
  readonly awaits?: {
    /** Calls `tell` for each of the tasks once, never within this call. Returns what calls it off. */
    readonly onAwait: (asked: Awaited, tell: (answer: AwaitAnswer) => void) => () => void
  }
}

export type Awaited = Pick<AwaitValues, 'tasks' | 'worker' | 'after'>

/** Some of the tasks that were awaited. */
export interface AwaitAnswer {
  /** They are here, or won't be. */
  readonly settled: readonly TaskId[]
  /** They are here, and large. */
  readonly located: readonly TaskId[]
  readonly sizes: readonly number[]
  /** None of them is left. */
  readonly isLast: boolean
}

/**
 * Handlers for a connection over which values are asked for, and put where the service takes any. `lookup` gives the
 * encoded value of a task, which must not change while it is sent, or `undefined` when it is not held here; or lends it,
 * where it must be read first.
 */
export function serveValues(
  connection: Connection<FromHolder>,
  lookup: Lookup,
  { onClose = () => undefined, puts, awaits }: ServeOptions = {},
): Handlers<ToHolder> {
  const requests: Request[] = []
  /** What calls off each question for values that are still to be made. */
  const open = new Set<() => void>()
  let isServing = false
  let isClosed = false

  const serve = async (): Promise<void> => {
    isServing = true
    for (let request = requests.shift(); request !== undefined; request = requests.shift()) {
      await serveSome(connection, request, lookup)
      if (isClosed) break
      if (request.next < request.tasks.length) requests.push(request)
      if (connection.queuedBytes >= MAX_IN_FLIGHT_BYTES) await connection.whenDrained()
      if (isClosed) break
    }
    isServing = false
  }

  const begin = (number: number, tasks: readonly TaskId[]): void => {
    if (tasks.length > 0) requests.push({ number, tasks, next: 0 })
    if (!isServing) void serve()
  }

  const onAwait = ({ request, tasks, worker, after }: AwaitValues): void => {
    if (awaits === undefined || tasks.length === 0) return begin(request, tasks)
    const callOff = awaits.onAwait({ tasks, worker, after }, ({ settled, located, sizes, isLast }) => {
      if (!open.has(callOff)) return
      if (isLast) open.delete(callOff)
      if (located.length > 0) connection.send({ type: 'values-located', request, tasks: located, sizes })
      begin(request, settled)
    })
    open.add(callOff)
  }

  return {
    onMessages: (messages) => {
      for (const message of messages) {
        if (message.type === 'get-values') begin(message.request, message.tasks)
        else if (message.type === 'await-values') onAwait(message)
        else connection.close(UNEXPECTED)
      }
    },
    onPayload: (message, payload) => {
      if (message.type !== 'put-value' || puts === undefined || payload.length === 0) {
        connection.close(UNEXPECTED)
        return
      }
      puts.onPut(message.task, payload)
      connection.send({ type: 'put-held', task: message.task })
    },
    ...(puts && { allocate: puts.allocate }),
    onClose: (reason) => {
      isClosed = true
      for (const callOff of open) callOff()
      open.clear()
      onClose(reason)
    },
  }
}

/** Answers as many tasks as make one message of a good size, or one large value. */
async function serveSome(connection: Connection<FromHolder>, request: Request, lookup: Lookup): Promise<void> {
  const packer = new Packer()
  const found: TaskId[] = []
  const gone: TaskId[] = []
  while (request.next < request.tasks.length && packer.sizeBytes < ENOUGH_BYTES) {
    const task = request.tasks[request.next]!
    request.next += 1
    const held = lookup(task)
    const loan = held instanceof Promise ? await held : undefined
    const value = held instanceof Promise ? loan?.bytes : held
    if (value === undefined) {
      gone.push(task)
    } else if (value.length > MAX_INLINE_RESULT_BYTES) {
      connection.sendPayload({ type: 'large-value', request: request.number, task }, value)
      if (loan === undefined) break
      await connection.whenDrained()
      loan.done()
      break
    } else {
      packer.add(value)
      found.push(task)
      loan?.done()
    }
  }
  if (found.length > 0) {
    connection.send({ type: 'peer-values', request: request.number, tasks: found, values: packer.take() })
  }
  if (gone.length > 0) connection.send({ type: 'gone', request: request.number, tasks: gone })
}
