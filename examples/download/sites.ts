/** Web sites on this machine that answer slowly, and that know how politely they were asked. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How long a page takes, as the network would. */
const LATENCY_MS = 100

export class Site implements AsyncDisposable {
  /** How many pages were asked for at once, at most. */
  mostAtOnce = 0
  served = 0
  readonly #server: Server
  #atOnce = 0

  private constructor() {
    this.#server = createServer(({ url }, response) => {
      this.#atOnce++
      this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce)
      setTimeout(() => {
        this.#atOnce--
        this.served++
        response.end(`this is page ${url}`)
      }, LATENCY_MS)
    })
  }

  static async start(): Promise<Site> {
    const site = new Site()
    await new Promise<void>((resolve) => site.#server.listen(0, '127.0.0.1', resolve))
    return site
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  pages(count: number): string[] {
    return Array.from({ length: count }, (_, number) => `${this.origin}/${number}`)
  }

  forget(): void {
    this.mostAtOnce = 0
    this.served = 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
