/** What lies between a worker and its scheduler: a TCP relay whose connections a test can cut. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export class Cable implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
  }

  /** `address` is that of a scheduler. */
  static async to(address: string): Promise<Cable> {
    const { hostname, port } = new URL(address)
    const server = createServer((near) => {
      const far = connect(Number(port), hostname)
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        cable.#sockets.add(from)
        from.pipe(to)
        from.on('error', () => undefined) // A connection that breaks closes, and with it the other half.
        from.on('close', () => {
          cable.#sockets.delete(from)
          to.destroy()
        })
      }
    })
    const cable = new Cable(server)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return cable
  }

  /** Stands for that of the scheduler. */
  get address(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Whoever is connected notices at once, and may connect again. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.cut()
    await once(this.#server, 'close')
  }
}
