/** The scheduler's one port: HTTP requests and WebSocket upgrades come in here, and only who may come gets further. */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions as HttpsServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { HeddleError } from '../protocol/errors.js'
import { CLOSE_TIMEOUT_MS, HANDSHAKE_TIMEOUT_MS, MAX_CONNECTIONS, MAX_HELLO_BYTES } from '../protocol/limits.js'
import type { Socket } from '../protocol/transport/socket.js'
import type { TlsOptions } from '../protocol/transport/tls.js'
import { acceptUpgrade, refuseUpgrade, upgradeServer } from '../protocol/transport/websocket.js'
import type { Access } from './access.js'
import type { Grant } from './role-token.js'

/** Where the status page is told what changes. */
const WATCH_PATH = '/api/v1/watch'
/** How often the time limits of requests are looked at. */
const CHECK_INTERVAL_MS = 2_000

/** What holds for everybody, before it is known who they are. */
const LIMITS = {
  maxHeaderSize: MAX_HELLO_BYTES,
  headersTimeout: HANDSHAKE_TIMEOUT_MS,
  requestTimeout: HANDSHAKE_TIMEOUT_MS,
  connectionsCheckingInterval: CHECK_INTERVAL_MS,
  noDelay: true,
} as const

export interface FrontDoorOptions {
  readonly access: (port: number) => Access
  readonly tls: TlsOptions | undefined
  /** Takes the socket of somebody who may connect, and what they may do. */
  readonly onSocket: (socket: Socket, grant: Grant) => void
  /** Take the socket of a status page. */
  readonly viewers: { readonly isFull: boolean; accept(socket: Socket, mayAct: boolean): void }
  /** Loads what answers HTTP; called at the first request. */
  readonly loadPages: (access: Access) => Promise<RequestListener>
  readonly onError: (error: unknown) => void
}

export class FrontDoor {
  readonly #server: Server
  readonly #options: FrontDoorOptions
  readonly #webSockets = upgradeServer()
  #access: Access | undefined
  #pages: Promise<RequestListener> | undefined

  constructor(options: FrontDoorOptions) {
    this.#options = options
    this.#server = options.tls === undefined ? createServer(LIMITS) : createTlsServer(tlsServerOptions(options.tls))
    this.#server.maxConnections = MAX_CONNECTIONS
    this.#server.on('request', (request, response) => void this.#onRequest(request, response))
    this.#server.on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket, head))
  }

  /**
   * Listens on `where`, and returns the port.
   *
   * @throws {HeddleError} `ERR_HEDDLE_PORT_IN_USE`, or `ERR_HEDDLE_INVALID_OPTION` when the address is not ours.
   */
  async open(where: { readonly fd: number } | { readonly host: string; readonly port: number }): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) =>
        reject('host' in where ? listenError(where, cause) : cause),
      )
      this.#server.once('listening', resolve)
      this.#server.listen(where)
    })
    this.#server.removeAllListeners('error')
    this.#server.on('error', (error) => this.#options.onError(error))
    const { port } = this.#server.address() as AddressInfo
    this.#access = this.#options.access(port)
    return port
  }

  /** Takes no more, and resolves when every connection is gone. Those of clients and workers must be closing already. */
  async close(): Promise<void> {
    const sockets = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    const timer = setTimeout(() => this.#server.closeAllConnections(), CLOSE_TIMEOUT_MS)
    await sockets
    clearTimeout(timer)
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      this.#pages ??= this.#options.loadPages(this.#access!)
      const answerRequest = await this.#pages
      answerRequest(request, response)
    } catch (error) {
      this.#pages = undefined
      this.#options.onError(error)
      response.writeHead(500).end()
    }
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { headers, url } = request
    const isViewer = url === WATCH_PATH
    const isForeign = this.#access!.refuseAddress(headers) !== undefined
    // A browser that had a token has a cookie instead, which opens what the pages show and no other connection.
    const grant = isViewer ? this.#access!.shownBy(headers)?.grant : this.#access!.grantOf(headers)
    const mayPass = !isForeign && grant !== undefined && !(isViewer && grant === 'worker')
    if (mayPass && !(isViewer && this.#options.viewers.isFull)) {
      const accepted = acceptUpgrade(this.#webSockets, request, socket, head)
      if (accepted === undefined) return
      if (isViewer) this.#options.viewers.accept(accepted, grant !== 'viewer')
      else this.#options.onSocket(accepted, grant)
      return
    }
    socket.on('error', () => undefined)
    socket.once('finish', () => socket.destroy())
    if (mayPass) refuseUpgrade(socket, 503, 'Service Unavailable')
    else if (isForeign || grant !== undefined) refuseUpgrade(socket, 403, 'Forbidden')
    else refuseUpgrade(socket, 401, 'Unauthorized')
  }
}

function tlsServerOptions({ cert, key, ca }: TlsOptions): HttpsServerOptions {
  return {
    ...LIMITS,
    cert,
    key,
    ca,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    requestCert: ca !== undefined,
    rejectUnauthorized: ca !== undefined,
  }
}

function listenError(
  { host, port }: { readonly host: string; readonly port: number },
  cause: NodeJS.ErrnoException,
): Error {
  switch (cause.code) {
    case 'EADDRINUSE': {
      const message = `Port ${port} on ${host} is in use; stop what listens there, or choose another port with --port.`
      return new HeddleError('ERR_HEDDLE_PORT_IN_USE', message, { cause })
    }
    case 'EACCES': {
      const message = `This user may not listen on port ${port}; choose one from 1024 up with --port.`
      return new HeddleError('ERR_HEDDLE_INVALID_OPTION', message, { cause })
    }
    default: {
      const message = `${host} is no address of this machine (${cause.code ?? cause.message}); choose another with --host.`
      return new HeddleError('ERR_HEDDLE_INVALID_OPTION', message, { cause })
    }
  }
}
