/** Two ends of one socket, for each kind of socket there is: the compliance suite runs over every one. */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import {
  connect,
  createServer as createTcpServer,
  type AddressInfo,
  type Server,
  type Socket as TcpSocket,
} from 'node:net'
import { memoryPair } from '../../protocol/transport/memory.js'
import type { Socket } from '../../protocol/transport/socket.js'
import { acceptUpgrade, dial, upgradeServer } from '../../protocol/transport/websocket.js'

export interface SocketPair extends AsyncDisposable {
  readonly left: Socket
  readonly right: Socket
  /** From now on nothing crosses, and no end is told. */
  cut(): void
  /** From now on the right end reads nothing, and what it says still arrives. Of a WebSocket only. */
  deafen?(): void
}

export const SOCKET_KINDS: readonly { readonly name: string; readonly open: () => Promise<SocketPair> }[] = [
  { name: 'memory', open: openMemoryPair },
  { name: 'websocket', open: () => openWebSocketPair(false) },
  { name: 'bulk websocket', open: () => openWebSocketPair(true) },
  { name: 'websocket past ws', open: () => openWebSocketPair(undefined) },
]

function openMemoryPair(): Promise<SocketPair> {
  const pair = memoryPair({ left: 'left', right: 'right' })
  const { left, right } = pair
  const dispose = (): Promise<void> => {
    left.terminate()
    right.terminate()
    return Promise.resolve()
  }
  return Promise.resolve({ left, right, cut: () => pair.cut(), [Symbol.asyncDispose]: dispose })
}

/** The right end is the one that dials. Between the two stands a relay, whose cable can be cut. */
export async function openWebSocketPair(isBulk: boolean | undefined): Promise<SocketPair> {
  const http = createHttpServer()
  const accepted = new Promise<Socket>((resolve) => {
    const upgrades = upgradeServer()
    http.on('upgrade', (request, socket, head) => {
      const webSocket = acceptUpgrade(upgrades, request, socket, head, { isBulk })
      if (webSocket !== undefined) resolve(webSocket)
    })
  })
  const relay = new Relay(await listen(http))
  const address = `ws://127.0.0.1:${await listen(relay.server)}`
  const [left, right] = await Promise.all([accepted, dial(address, { isBulk })])
  const dispose = async (): Promise<void> => {
    left.terminate()
    right.terminate()
    relay.destroy()
    await Promise.all([closeServer(http), closeServer(relay.server)])
  }
  return { left, right, cut: () => relay.cut(), deafen: () => relay.deafen(), [Symbol.asyncDispose]: dispose }
}

/** Passes bytes on between whoever connects and a port, until it is cut. */
class Relay {
  readonly server = createTcpServer((incoming) => this.#join(incoming))
  readonly #port: number
  readonly #tcpSockets: TcpSocket[] = []
  readonly #outgoing: TcpSocket[] = []
  #isCut = false

  constructor(port: number) {
    this.#port = port
  }

  cut(): void {
    this.#isCut = true
    for (const tcpSocket of this.#tcpSockets) tcpSocket.unpipe().pause()
  }

  /** Nothing more goes to whoever connected. */
  deafen(): void {
    for (const outgoing of this.#outgoing) outgoing.unpipe().pause()
  }

  destroy(): void {
    for (const tcpSocket of this.#tcpSockets) tcpSocket.destroy()
  }

  #join(incoming: TcpSocket): void {
    incoming.setNoDelay(true)
    const outgoing = connect({ port: this.#port, host: '127.0.0.1', noDelay: true })
    this.#outgoing.push(outgoing)
    this.#forward(incoming, outgoing)
    this.#forward(outgoing, incoming)
  }

  #forward(from: TcpSocket, to: TcpSocket): void {
    this.#tcpSockets.push(from)
    from.pipe(to)
    from.on('error', () => undefined)
    from.on('close', () => {
      if (!this.#isCut) to.destroy()
    })
  }
}

/** Listens on a free port of 127.0.0.1. */
export async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

export async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  await closed
}
