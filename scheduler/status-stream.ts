/**
 * The status, once a second, to every browser that looks (server-sent events). It is worked out once for all of them,
 * and not at all while nobody looks.
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { ClusterStatus } from '../protocol/messages/status.js'

const INTERVAL_MS = 1_000
const MAX_VIEWERS = 200

export class StatusStream {
  readonly #currentStatus: () => ClusterStatus
  readonly #viewers = new Set<ServerResponse>()
  #timer: NodeJS.Timeout | undefined

  constructor(currentStatus: () => ClusterStatus) {
    this.#currentStatus = currentStatus
  }

  get isFull(): boolean {
    return this.#viewers.size >= MAX_VIEWERS
  }

  /** Sends the status now and from now on, until the browser goes away. The response must be fresh. */
  add(response: ServerResponse, headers: OutgoingHttpHeaders): void {
    response.writeHead(200, { ...headers, 'Content-Type': 'text/event-stream' })
    response.write(this.#event())
    this.#viewers.add(response)
    response.once('close', () => this.#remove(response))
    this.#timer ??= setInterval(() => this.#tick(), INTERVAL_MS).unref()
  }

  close(): void {
    for (const viewer of this.#viewers) viewer.end()
  }

  #tick(): void {
    const event = this.#event()
    // Who reads too slowly misses some.
    for (const viewer of this.#viewers) if (!viewer.writableNeedDrain) viewer.write(event)
  }

  #remove(viewer: ServerResponse): void {
    this.#viewers.delete(viewer)
    if (this.#viewers.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #event(): string {
    return `data: ${JSON.stringify(this.#currentStatus())}\n\n`
  }
}
