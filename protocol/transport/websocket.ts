/**
 * Sockets over WebSocket: `dial` opens one, `acceptUpgrade` takes one that a client opens on our HTTP server. This is
 * the only file that knows the `ws` package.
 */
import type { IncomingMessage } from 'node:http'
import { connect as connectTcp, Socket as TcpSocket, type NetConnectOpts } from 'node:net'
import type { Duplex } from 'node:stream'
import type * as Ws from 'ws'
import { present } from '../../common/assert.js'
import { requirePackage } from '../../common/node/require-package.js'
import { AuthenticationError, HeddleError, SchedulerUnreachableError } from '../errors.js'
import { CHUNK_BYTES, CLOSE_TIMEOUT_MS, HANDSHAKE_TIMEOUT_MS, MAX_FRAME_BYTES, MAX_HELLO_BYTES } from '../limits.js'
import { BulkReader } from './bulk-reader.js'
import type { CloseReason } from './connection.js'
import { freshMemory } from './inbox.js'
import { MAX_SMALL_FRAME_BYTES, smallFrame } from './small-frame.js'
import type { Socket, SocketHandlers } from './socket.js'
import { systemTimers } from './timers.js'
import { certificateTrouble, type TlsOptions } from './tls.js'

const { WebSocket, WebSocketServer } = requirePackage('ws') as typeof Ws

export interface DialOptions {
  /** Shown to the server in a header; never part of an address or of an error. */
  readonly token?: string | undefined
  /** Where on the server; not where clients and workers connect, if it is given. */
  readonly path?: string
  /** Larger frames are refused. Default: what clients and workers send each other at most. */
  readonly maxFrameBytes?: number
  readonly timeoutMs?: number
  readonly signal?: AbortSignal | undefined
  /**
   * What goes past `ws`, but for `wss:`. With `true`, for links between holders of values, large frames that have their place
   * already; with `false` nothing. Default: every whole frame that comes, and small ones that are sent.
   */
  readonly isBulk?: boolean | undefined
  /** For `wss:`. */
  readonly tls?: TlsOptions | undefined
}

/**
 * What both ends set. Frames are ours: compressing them would cost more than it saves, and none is text. `ws` turns
 * Nagle's algorithm off by itself.
 */
const COMMON_OPTIONS = {
  perMessageDeflate: false,
  maxPayload: MAX_FRAME_BYTES,
  skipUTF8Validation: true,
  // The frame that says what the next one is must have been heard before that begins.
  allowSynchronousEvents: true,
  closeTimeout: CLOSE_TIMEOUT_MS,
} as const

const BINARY = { binary: true } as const
const NO_HEAD = Buffer.alloc(0)
/** What is read from one socket with large frames before all others have their turn. */
const MAX_BURST_BYTES = 1024 * 1024
/**
 * Who moves large values over the loopback has a processor for itself, and so has its peer: what a message leads to waits for a time slice
 * at each process that it passes. And where memory is slow to come one burst takes several milliseconds. So while there are messages a socket
 * that has read for so long rests, and what waits has its turn. Over a network the system's buffers go on taking what comes.
 */
const REST_EVERY_MS = 5
const REST_MS = 2
/** A burst seldom takes so long: there was nothing to read. */
const IDLE_MS = 8

/** Status codes of a WebSocket that ended because one end sent what the other does not take (RFC 6455, 7.4.1). */
const PROTOCOL_CLOSE_CODES: ReadonlySet<number> = new Set([1002, 1003, 1007, 1008, 1009])

/**
 * Opens a socket to `address`, a `ws:` or `wss:` URL.
 *
 * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` when the address is none.
 * @throws {AuthenticationError} when the server wants another token.
 * @throws {SchedulerUnreachableError} when nothing answers there in time, or what answers is not heddle.
 * @throws The reason of `signal`, when it aborts.
 */
export async function dial(address: string, options: DialOptions = {}): Promise<Socket> {
  options.signal?.throwIfAborted()
  const goesPast = options.isBulk !== false && address.startsWith('ws:')
  const bulk = goesPast ? new Bulk(options.isBulk !== true, options.maxFrameBytes) : undefined
  const webSocket = newWebSocket(address, options, bulk)
  // Stays for good: a WebSocket that is given up reports that as one more error.
  webSocket.on('error', () => undefined)
  try {
    const tcpSocket = await opened(webSocket, address, options)
    return new WebSocketSocket({ webSocket, tcpSocket, peer: address, isMasked: true, bulk })
  } catch (error) {
    webSocket.terminate()
    throw error
  }
}

function newWebSocket(
  address: string,
  { token, tls, path, maxFrameBytes }: DialOptions,
  bulk: Bulk | undefined,
): Ws.WebSocket {
  checkAddress(address)
  const options: Ws.ClientOptions = {
    ...COMMON_OPTIONS,
    ...(maxFrameBytes !== undefined && { maxPayload: maxFrameBytes }),
    ...tls,
    // Of the ways to call it, `ws` knows this one.
    ...(bulk && { createConnection: ((to: NetConnectOpts) => bulk.connect(to)) as typeof connectTcp }),
    headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
    // A mask is there so that a script in a browser cannot make a proxy take its bytes for a request. Our bytes are
    // written by our own code on both ends, so a mask of zeros, which both ends skip, gives nothing away; masking in
    // JavaScript would cost five sixths of the throughput.
    generateMask: (mask) => mask.fill(0),
  }
  try {
    return new WebSocket(path === undefined ? address : new URL(path, address), options)
  } catch {
    // The address is good, so it is the header. The cause may hold the token: it is not passed on.
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', 'The token has characters that no HTTP header may have.')
  }
}

/** Also refuses whatever in an address could be a secret, so that addresses may stand in errors and logs. */
function checkAddress(address: string): void {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url !== undefined && (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')) {
    const message = `The address ${url.protocol}//${url.host} must end there; give the token as an option of its own.`
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
  }
  if (url !== undefined && (url.protocol === 'ws:' || url.protocol === 'wss:')) return
  const message = `"${address}" is no address of a scheduler; write it like ws://127.0.0.1:8786.`
  throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
}

function opened(webSocket: Ws.WebSocket, address: string, options: DialOptions): Promise<TcpSocket> {
  const { timeoutMs = HANDSHAKE_TIMEOUT_MS, signal } = options
  return new Promise((resolve, reject) => {
    let tcpSocket: TcpSocket | undefined
    const fail = (error: Error): void => {
      settle()
      reject(error)
    }
    const noAnswer = (howLong: string, cause?: Error): void => {
      const message = `No answer from ${address}${howLong}; check that the scheduler runs there.`
      fail(new SchedulerUnreachableError(message, { cause }))
    }
    const cancelTimeout = systemTimers.after(timeoutMs, () => noAnswer(` in ${timeoutMs} ms`))
    const onAbort = (): void => fail(signal?.reason as Error)
    signal?.addEventListener('abort', onAbort, { once: true })
    const settle = (): void => {
      cancelTimeout()
      signal?.removeEventListener('abort', onAbort)
    }
    webSocket.once('error', (cause) => {
      const trouble = certificateTrouble(address, cause)
      if (trouble === undefined) noAnswer(whyMaybe(address, cause), cause)
      else fail(new AuthenticationError(trouble, { cause }))
    })
    webSocket.once('unexpected-response', (request, response) => {
      request.destroy()
      fail(refusal(address, response.statusCode ?? 0))
    })
    webSocket.once('upgrade', (response) => (tcpSocket = response.socket))
    webSocket.once('open', () => {
      settle()
      // Nothing may be read before there is a handler for it.
      webSocket.pause()
      resolve(present(tcpSocket, 'the socket of an upgrade'))
    })
  })
}

/** What an end without a word may mean: that one side encrypts and the other does not, or a certificate. */
function whyMaybe(address: string, { code }: Error & { readonly code?: unknown }): string {
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'EPROTO') return ', which does not encrypt: write ws: for it'
  if (code !== 'ECONNRESET') return ''
  return address.startsWith('ws:')
    ? ', unless it encrypts: then write wss: for it'
    : ', or it did not trust our certificate'
}

function refusal(address: string, statusCode: number): HeddleError {
  if (statusCode === 401) {
    return new AuthenticationError(`${address} refused the token; give the one its scheduler was started with.`)
  }
  if (statusCode === 403) {
    return new AuthenticationError(
      `${address} refuses this connection; use a host name it listens on, and a token that is for this.`,
    )
  }
  const message = `${address} answered with HTTP status ${statusCode}; check that it is a heddle scheduler.`
  return new SchedulerUnreachableError(message, { retryable: statusCode >= 500 })
}

/** What {@link acceptUpgrade} wants: it completes upgrades for a server of ours, and opens no port itself. */
export function upgradeServer(): Ws.WebSocketServer {
  return new WebSocketServer({ ...COMMON_OPTIONS, noServer: true, clientTracking: false })
}

/**
 * Answers an HTTP upgrade. `undefined` when the request was not that of a WebSocket: it has its answer then. What
 * `isBulk` says is as with `dial`.
 */
export function acceptUpgrade(
  server: Ws.WebSocketServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  { isBulk }: { readonly isBulk?: boolean | undefined } = {},
): Socket | undefined {
  const bulk = isBulk === false ? undefined : new Bulk(isBulk !== true)
  const taken = bulk?.takeOver(request.socket, head)
  const tcpSocket = taken ?? request.socket
  let accepted: Socket | undefined
  // Calls back before it returns.
  server.handleUpgrade(request, taken ?? socket, taken === undefined ? head : NO_HEAD, (webSocket) => {
    webSocket.on('error', () => undefined)
    webSocket.pause()
    const peer = `${plainAddress(tcpSocket.remoteAddress)}:${tcpSocket.remotePort ?? 0}`
    accepted = new WebSocketSocket({ webSocket, tcpSocket, peer, isMasked: false, bulk: taken && bulk })
  })
  return accepted
}

/** Refuses an HTTP upgrade before there is a WebSocket, as with 401 for a wrong token. */
export function refuseUpgrade(socket: Duplex, statusCode: number, reason: string): void {
  const head = `HTTP/1.1 ${statusCode} ${reason}\r\nConnection: close\r\nContent-Type: text/plain\r\n`
  socket.end(`${head}Content-Length: ${Buffer.byteLength(reason) + 1}\r\n\r\n${reason}\n`)
}

/** IPv4 addresses that came in over IPv6 are written as IPv4. */
function plainAddress(address: string | undefined): string {
  return address?.replace(/^::ffff:/, '') ?? ''
}

/** The system's own end of a TCP socket, as far as we touch it. */
interface TcpHandle {
  reading: boolean
  readStop(): number
}

/**
 * A TCP socket of which `ws` sees everything but whole frames that have a place, or that are small enough to be given one: smaller, as
 * long as nobody knows who sends them.
 */
class Bulk {
  /** How many frames that are no large values came past `ws` to this process. */
  static #messageCount = 0
  /** Do whole frames without a place of their own go past `ws` too? */
  readonly takesAll: boolean
  readonly #maxFrameBytes: number
  /** Who hears of frames, once somebody does. */
  #handlers: SocketHandlers | undefined
  /** The largest frame that is given memory though nobody has it: `ws` takes what is larger, or refuses it. */
  #maxOwnBytes = 0
  #reader: BulkReader | undefined
  /** When it last rested, or had nothing to read. */
  #restedAtMs = 0
  /** How many messages there had been by then. */
  #messagesSeen = 0
  #burstEndedAtMs = 0

  constructor(takesAll: boolean, maxFrameBytes = MAX_FRAME_BYTES) {
    this.takesAll = takesAll
    this.#maxFrameBytes = maxFrameBytes
  }

  connect(options: NetConnectOpts): TcpSocket {
    const reader = this.#createReader(true, (bytes) => socket.emit('data', bytes))
    const onread = this.#onreadOf(reader, () => socket)
    // Without `path` like `ws` itself does it: that of the URL is no pipe.
    const socket = connectTcp({ ...options, path: undefined, onread } as NetConnectOpts)
    return socket
  }

  /**
   * Reads in place of a socket that a server of ours accepted, and returns what now stands for it. Node can read into
   * memory of ours, but only with sockets that were made so, and no server makes them: so a second one is made around
   * the same handle. Where Node does not have it any more where it always was, nothing changes.
   */
  takeOver(accepted: TcpSocket, head: Buffer): TcpSocket | undefined {
    const holder = accepted as unknown as { _handle: (TcpHandle & object) | null | undefined }
    const handle = holder._handle
    if (handle?.constructor.name !== 'TCP' || typeof handle.readStop !== 'function') return undefined
    handle.readStop()
    handle.reading = false
    holder._handle = null
    const reader = this.#createReader(false, (bytes) => socket.emit('data', bytes))
    const onread = this.#onreadOf(reader, () => socket)
    const socket = new TcpSocket({ handle, onread } as object)
    // The server counts the one that it knows.
    socket.once('close', () => accepted.destroy())
    reader.take(head)
    return socket
  }

  handle(handlers: SocketHandlers): void {
    this.#handlers = handlers
    if (this.takesAll) this.#maxOwnBytes = handlers.isPeerKnown === true ? CHUNK_BYTES : MAX_HELLO_BYTES
    // What came early is delivered later than this call, and before anything that is read from now on.
    process.nextTick(() => this.#reader?.start())
  }

  /** Node reads up to 32 times while there is more, and everything else would wait for that. */
  #onreadOf(reader: BulkReader, socketOf: () => TcpSocket): object {
    let burstBytes = 0
    const resume = (): void => {
      const socket = socketOf()
      if (!socket.isPaused() && !socket.destroyed) socket.resume()
    }
    const goOn = this.takesAll ? resume : (): void => this.#goOn(resume)
    const callback = (count: number, buffer: Uint8Array): boolean => {
      reader.onRead(count, buffer)
      burstBytes += count
      if (burstBytes < MAX_BURST_BYTES) return true
      burstBytes = 0
      setImmediate(goOn)
      return false
    }
    return { buffer: reader.nextBuffer, callback }
  }

  /** Calls `resume`: at once, or behind a rest where others have waited for large values long enough. */
  #goOn(resume: () => void): void {
    const nowMs = performance.now()
    // Others had their turn while there was nothing to read, and what they said by then is no reason to rest.
    if (nowMs - this.#burstEndedAtMs >= IDLE_MS) this.#noteRest(nowMs)
    this.#burstEndedAtMs = nowMs
    if (nowMs - this.#restedAtMs < REST_EVERY_MS) return resume()
    // In the turn between, messages are read that came during the burst.
    setImmediate(() => {
      const isAlone = this.#messagesSeen === Bulk.#messageCount
      this.#noteRest(nowMs)
      if (isAlone) resume()
      else systemTimers.after(REST_MS, resume)
    })
  }

  #noteRest(nowMs: number): void {
    this.#restedAtMs = nowMs
    this.#messagesSeen = Bulk.#messageCount
  }

  #createReader(isBehindResponse: boolean, pass: (bytes: Buffer) => void): BulkReader {
    this.#reader = new BulkReader({
      maxFrameBytes: this.#maxFrameBytes,
      isBehindResponse,
      pass,
      place: (sizeBytes) =>
        this.#handlers?.memoryFor?.(sizeBytes) ?? (sizeBytes <= this.#maxOwnBytes ? freshMemory(sizeBytes) : undefined),
      onPlaced: (frame) => {
        if (this.takesAll) Bulk.#messageCount++
        this.#handlers?.onFrame(frame)
      },
    })
    return this.#reader
  }
}

interface Parts {
  readonly webSocket: Ws.WebSocket
  readonly tcpSocket: TcpSocket
  readonly peer: string
  /** Only who dialled masks what it sends. */
  readonly isMasked: boolean
  readonly bulk: Bulk | undefined
}

class WebSocketSocket implements Socket {
  readonly peer: string
  readonly localAddress: string
  readonly #webSocket: Ws.WebSocket
  readonly #tcpSocket: TcpSocket
  readonly #isMasked: boolean
  readonly #bulk: Bulk | undefined
  #handlers: SocketHandlers | undefined
  #closeReason: CloseReason | undefined
  readonly #onSent = (): void => this.#handlers?.onDrain()

  constructor({ webSocket, tcpSocket, peer, isMasked, bulk }: Parts) {
    this.peer = peer
    this.#isMasked = isMasked
    this.localAddress = plainAddress(tcpSocket.localAddress)
    this.#webSocket = webSocket
    this.#tcpSocket = tcpSocket
    this.#bulk = bulk
    webSocket.on('message', (frame: Buffer, isBinary) => this.#onMessage(frame, isBinary))
    webSocket.on('error', (error) => this.#onError(error))
    webSocket.on('close', (code) => this.#onClose(code))
  }

  get bufferedBytes(): number {
    return this.#webSocket.bufferedAmount
  }

  get receivedBytes(): number {
    return this.#tcpSocket.bytesRead
  }

  handle(handlers: SocketHandlers): void {
    this.#handlers = handlers
    if (this.#webSocket.readyState === WebSocket.CLOSED) {
      setImmediate(() => handlers.onClose(this.#closeReason))
      return
    }
    this.#webSocket.resume()
    this.#bulk?.handle(handlers)
  }

  send(frame: Uint8Array): void {
    if (this.#webSocket.readyState !== WebSocket.OPEN) return
    if (this.#bulk?.takesAll !== true || frame.length > MAX_SMALL_FRAME_BYTES)
      this.#webSocket.send(frame, BINARY, this.#onSent)
    else this.#tcpSocket.write(smallFrame(frame, this.#isMasked), this.#onSent)
  }

  close(): void {
    this.#webSocket.close(1000)
  }

  terminate(): void {
    this.#webSocket.terminate()
  }

  #onMessage(frame: Buffer, isBinary: boolean): void {
    if (isBinary) this.#handlers?.onFrame(frame)
    else this.#webSocket.close(1003)
  }

  /** `ws` closes by itself after a frame that it refuses, with a code that tells the other end. */
  #onError(error: Error & { readonly code?: unknown }): void {
    if (typeof error.code !== 'string' || !error.code.startsWith('WS_ERR_')) return
    this.#closeReason = {
      code: 'ERR_HEDDLE_PROTOCOL',
      message: `A frame of ${this.peer} is malformed: ${error.message}.`,
    }
  }

  #onClose(code: number): void {
    if (PROTOCOL_CLOSE_CODES.has(code)) {
      const message = `${this.peer} refused a frame (WebSocket status ${code}).`
      this.#closeReason ??= { code: 'ERR_HEDDLE_PROTOCOL', message }
    }
    this.#handlers?.onClose(this.#closeReason)
  }
}
