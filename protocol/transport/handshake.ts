/**
 * What comes first on every socket: the dialling side says who it is and which versions of the protocol it speaks, the
 * answering side agrees or refuses with a reason. Only then is there a connection, with the messages of that link.
 *
 * The messages of the handshake keep their shape in every version, or versions could not be told apart.
 */
import { packageVersion } from '../../common/node/package-version.js'
import {
  AuthenticationError,
  ERROR_CODES,
  HeddleError,
  ProtocolError,
  SchedulerUnreachableError,
  VersionMismatchError,
  type ErrorCode,
} from '../errors.js'
import { HANDSHAKE_TIMEOUT_MS, MAX_HELLO_BYTES } from '../limits.js'
import { toAnswering, toDialling, type Hello, type Role, type Welcome } from '../messages/handshake.js'
import type { Field, Infer } from '../schema.js'
import { commonVersion, PROTOCOL_VERSIONS, type VersionRange } from '../version.js'
import { decode, encode } from './codec.js'
import type { Connection } from './connection.js'
import { FRAME } from './frame.js'
import { openLink, type LinkContract } from './link.js'
import type { Socket } from './socket.js'
import { systemTimers, type Timers } from './timers.js'

/** Who the dialling side is. */
export interface Introduction {
  readonly role: Role
  readonly name: string
  /** Between workers, and from clients to workers: what the scheduler gave both. */
  readonly secret?: string | undefined
}

interface HandshakeOptions {
  /** Fresh. Whatever goes wrong, it is closed here. */
  readonly socket: Socket
  /** Other versions than this package speaks, for tests of what happens then. */
  readonly versions?: VersionRange
  /** Another Node than this is, for the same tests. */
  readonly nodeVersion?: string
  readonly timers?: Timers
  readonly timeoutMs?: number
}

export interface ConnectOptions<Incoming, Outgoing> extends HandshakeOptions, LinkContract<Incoming, Outgoing> {
  readonly hello: Introduction
  readonly signal?: AbortSignal | undefined
  /** Told which heddle and which Node the answering side is. */
  readonly onWelcome?: ((welcome: Welcome) => void) | undefined
}

/**
 * The dialling side.
 *
 * @throws {VersionMismatchError} when the two ends have no version in common.
 * @throws {HeddleError} with the code that the answering side refused with.
 * @throws {SchedulerUnreachableError} when no answer came in time.
 * @throws The reason of `signal`, when it aborts.
 */
export function connectTo<Incoming, Outgoing>(
  options: ConnectOptions<Incoming, Outgoing>,
): Promise<Connection<Outgoing>> {
  const { socket, hello, signal, timers = systemTimers, versions = PROTOCOL_VERSIONS } = options
  const { timeoutMs = HANDSHAKE_TIMEOUT_MS, nodeVersion = process.version } = options
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      cancelTimeout()
      signal?.removeEventListener('abort', onAbort)
    }
    const fail = (error: Error): void => {
      settle()
      socket.terminate()
      reject(error)
    }
    const onAbort = (): void => fail(signal?.reason as Error)
    const cancelTimeout = timers.after(timeoutMs, () => {
      fail(new SchedulerUnreachableError(`${socket.peer} did not answer the handshake in ${timeoutMs} ms; try again.`))
    })
    if (signal?.aborted === true) return onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    socket.handle({
      onFrame: (frame) => {
        try {
          const welcome = checkAnswer(readMessage(toDialling, frame), versions, socket.peer)
          options.onWelcome?.(welcome)
        } catch (error) {
          return fail(error as Error)
        }
        settle()
        // At once: the answering side may already have sent its first messages behind its answer.
        resolve(openLink(options))
      },
      onDrain: () => undefined,
      onClose: (reason) => {
        const message = reason?.message ?? `${socket.peer} closed the connection during the handshake; try again.`
        fail(new SchedulerUnreachableError(message))
      },
    })
    sendMessage(socket, toAnswering, {
      type: 'hello',
      lowestVersion: versions.lowest,
      highestVersion: versions.highest,
      packageVersion: packageVersion(),
      nodeVersion,
      role: hello.role,
      name: hello.name,
      secret: hello.secret,
    })
  })
}

/** What the answering side makes of a greeting. `HeddleError.code` and message reach the dialling side. */
export type Admission = LinkContract<unknown, unknown> | { readonly refuse: HeddleError }

export interface AnswerOptions extends HandshakeOptions {
  /** What this process is, for people: `'scheduler'`. */
  readonly self: string
  admit(hello: Hello): Admission
  /** Told of each handshake that came to nothing, for the log. */
  onRefused?(error: HeddleError): void
}

/** The answering side. What becomes of it reaches the handlers that `admit` gave; otherwise the socket is closed. */
export function answer(options: AnswerOptions): void {
  const { socket, timers = systemTimers, versions = PROTOCOL_VERSIONS, timeoutMs = HANDSHAKE_TIMEOUT_MS } = options
  let isOver = false
  const refuse = (error: HeddleError): void => {
    if (isOver) return
    isOver = true
    cancelTimeout()
    sendMessage(socket, toDialling, { type: 'refused', code: error.code, reason: error.message })
    socket.close()
    options.onRefused?.(error)
  }
  const cancelTimeout = timers.after(timeoutMs, () => {
    refuse(new HeddleError('ERR_HEDDLE_TIMEOUT', `${socket.peer} said nothing for ${timeoutMs} ms.`))
  })
  socket.handle({
    onFrame: (frame) => {
      if (isOver) return
      const admitted = admit(frame, options, versions)
      if (admitted instanceof HeddleError) return refuse(admitted)
      isOver = true
      cancelTimeout()
      const { hello, version, contract } = admitted
      const { nodeVersion = process.version } = options
      sendMessage(socket, toDialling, { type: 'welcome', version, packageVersion: packageVersion(), nodeVersion })
      openLink({
        socket,
        peer: `${hello.name} (${socket.peer})`,
        timers,
        incoming: contract.incoming,
        outgoing: contract.outgoing,
        maxSilenceMs: contract.maxSilenceMs,
        maxQueuedBytes: contract.maxQueuedBytes,
        handlers: (connection) => contract.handlers(connection),
      })
    },
    onDrain: () => undefined,
    onClose: (reason) => {
      if (isOver) return
      isOver = true
      cancelTimeout()
      const message = reason?.message ?? `${socket.peer} left during the handshake.`
      options.onRefused?.(new HeddleError('ERR_HEDDLE_CONNECTION_LOST', message))
    },
  })
}

interface Admitted {
  readonly hello: Hello
  readonly version: number
  readonly contract: LinkContract<unknown, unknown>
}

function admit(frame: Uint8Array, options: AnswerOptions, ours: VersionRange): Admitted | HeddleError {
  let hello: Hello
  try {
    hello = readMessage(toAnswering, frame)
  } catch (error) {
    if (error instanceof HeddleError) return error
    throw error
  }
  const theirs = { lowest: hello.lowestVersion, highest: hello.highestVersion }
  const version = commonVersion(ours, theirs)
  if (version === undefined) return mismatch(options.self, ours, hello, theirs)
  const admission = options.admit(hello)
  return 'refuse' in admission ? admission.refuse : { hello, version, contract: admission }
}

function mismatch(self: string, ours: VersionRange, hello: Hello, theirs: VersionRange): VersionMismatchError {
  const older = ours.highest < theirs.lowest ? self : hello.role
  return new VersionMismatchError(
    `The ${self} speaks protocol ${textOf(ours)} (heddle ${packageVersion()}) and the ${hello.role} "${hello.name}" ` +
      `${textOf(theirs)} (heddle ${hello.packageVersion}); upgrade heddle on the ${older}.`,
  )
}

function textOf({ lowest, highest }: VersionRange): string {
  return lowest === highest ? `version ${lowest}` : `versions ${lowest} to ${highest}`
}

/** @throws when the answer is a refusal, or none that we may take. */
function checkAnswer(answered: Infer<typeof toDialling>, versions: VersionRange, peer: string): Welcome {
  if (answered.type === 'refused') throw errorOf(answered.code, answered.reason)
  if (answered.version >= versions.lowest && answered.version <= versions.highest) return answered
  throw new ProtocolError('theirs', `${peer} chose version ${answered.version}, which was not offered.`)
}

/** The error that a code from the wire stands for. */
function errorOf(code: string, reason: string): HeddleError {
  switch (code) {
    case 'ERR_HEDDLE_VERSION_MISMATCH':
      return new VersionMismatchError(reason)
    case 'ERR_HEDDLE_AUTHENTICATION':
      return new AuthenticationError(reason)
    default:
      return new HeddleError(isErrorCode(code) ? code : 'ERR_HEDDLE_PROTOCOL', reason)
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return (ERROR_CODES as readonly string[]).includes(code)
}

function sendMessage<M>(socket: Socket, schema: Field<M>, message: M): void {
  const frame = encode(schema, message, 1)
  frame[0] = FRAME.handshake
  socket.send(frame)
}

function readMessage<M>(schema: Field<M>, frame: Uint8Array): M {
  if (frame.length > MAX_HELLO_BYTES) {
    throw new ProtocolError('theirs', `The first frame has ${frame.length} bytes, and the limit is ${MAX_HELLO_BYTES}.`)
  }
  if (frame[0] !== FRAME.handshake) throw new ProtocolError('theirs', 'The first frame is no handshake.')
  return decode(schema, frame.subarray(1))
}
