/** How a worker reaches others and is reached: WebSockets in a cluster of processes, memory in one of a single process. */
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type ServerOptions as HttpsServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { HeddleError } from '../protocol/errors.js'
import { HANDSHAKE_TIMEOUT_MS, HOLDER_DIAL_TIMEOUT_MS, MAX_CONNECTIONS, MAX_HELLO_BYTES } from '../protocol/limits.js'
import type { Socket } from '../protocol/transport/socket.js'
import type { TlsOptions } from '../protocol/transport/tls.js'
import { acceptUpgrade, dial, refuseUpgrade, upgradeServer } from '../protocol/transport/websocket.js'
import type { ListenAddress } from './options.js'

export interface Network {
  dialScheduler(signal: AbortSignal): Promise<Socket>
  /** Opens a socket to another worker. */
  dialPeer(address: string, signal: AbortSignal): Promise<Socket>
  /** Takes sockets of those who fetch values. `localAddress` is where the scheduler sees us. */
  listen(localAddress: string, onSocket: (socket: Socket) => void): Promise<Listener>
}

export interface Listener {
  /** What others dial. */
  readonly address: string
  /** Takes no more. Sockets that are open stay open. */
  close(): void
}

export interface WebSocketNetworkOptions {
  readonly schedulerUrl: string
  readonly token: string | undefined
  readonly tls?: TlsOptions | undefined
  readonly listen: ListenAddress | undefined
  readonly advertiseUrl: string | undefined
}

export function webSocketNetwork({ schedulerUrl, token, tls, listen, advertiseUrl }: WebSocketNetworkOptions): Network {
  return {
    dialScheduler: (signal) => dial(schedulerUrl, { token, tls, signal }),
    dialPeer: (address, signal) => dial(address, { tls, signal, timeoutMs: HOLDER_DIAL_TIMEOUT_MS, isBulk: true }),
    listen: async (localAddress, onSocket) => {
      const server = tls?.cert === undefined ? createServer(LIMITS, refuse) : createTlsServer(tlsLimits(tls), refuse)
      server.maxConnections = MAX_CONNECTIONS
      acceptUpgrades(server, onSocket)
      const { address, port } = await listening(server, {
        host: listen?.host ?? localAddress,
        port: listen?.port ?? 0,
      })
      const host = address.includes(':') ? `[${address}]` : address
      return {
        address: advertiseUrl ?? `${tls?.cert === undefined ? 'ws' : 'wss'}://${host}:${port}`,
        close: () => server.close(),
      }
    },
  }
}

/** What holds for everybody, before it is known who they are. */
const LIMITS = { maxHeaderSize: MAX_HELLO_BYTES, headersTimeout: HANDSHAKE_TIMEOUT_MS } as const

/** Who fetches values from a worker that wants certificates shows the one that it shows the scheduler. */
function tlsLimits({ cert, key, ca }: TlsOptions): HttpsServerOptions {
  const mustShow = ca !== undefined
  const handshakeTimeout = HANDSHAKE_TIMEOUT_MS
  return { ...LIMITS, cert, key, ca, handshakeTimeout, requestCert: mustShow, rejectUnauthorized: mustShow }
}

const refuse: RequestListener = (_request, response) => {
  response.writeHead(426, { 'Content-Type': 'text/plain' }).end('This is a heddle worker; ask its scheduler.\n')
}

function acceptUpgrades(server: Server, onSocket: (socket: Socket) => void): void {
  const upgrades = upgradeServer()
  server.on('upgrade', (request, tcpSocket, head) => {
    // Only browsers send it, and no web page has any business here.
    if (request.headers.origin !== undefined) return refuseUpgrade(tcpSocket, 403, 'Forbidden')
    const socket = acceptUpgrade(upgrades, request, tcpSocket, head, { isBulk: true })
    if (socket !== undefined) onSocket(socket)
  })
}

function listening(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const isInUse = cause.code === 'EADDRINUSE'
      const message = isInUse
        ? `Port ${port} of ${host} is in use; give --listen another, or 0 for any.`
        : `Cannot listen on ${host}:${port}; give --listen an address of this machine.`
      reject(new HeddleError(isInUse ? 'ERR_HEDDLE_PORT_IN_USE' : 'ERR_HEDDLE_INVALID_OPTION', message, { cause }))
    })
    server.listen(port, host, () => resolve(server.address() as AddressInfo))
  })
}
