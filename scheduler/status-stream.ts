/**
 * What the status page shows, to every browser that looks: the whole state first, then what changed of it, four times a
 * second however many tasks there are. It is worked out once for all browsers, and not at all while nobody looks.
 */
import { changesBetween, type JsonObject } from '../common/merge-patch.js'
import { MAX_VIEWER_BYTES, MAX_VIEWERS, VIEWER_SILENCE_MS } from '../protocol/limits.js'
import type { ClusterView, ToViewer, Watched } from '../protocol/messages/watch.js'
import type { Socket } from '../protocol/transport/socket.js'
import { OwnHealth } from './own-health.js'

const INTERVAL_MS = 250

interface Viewer {
  /** It missed changes, or has none yet. */
  needsWhole: boolean
  receivedBytes: number
  heardAtMs: number
}

export interface StatusStreamOptions {
  readonly cluster: () => ClusterView
  readonly connections: () => number
  readonly nowMs: () => number
}

export class StatusStream {
  readonly #options: StatusStreamOptions
  readonly #viewers = new Map<Socket, Viewer>()
  #health: OwnHealth | undefined
  #last: Watched | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: StatusStreamOptions) {
    this.#options = options
  }

  get isFull(): boolean {
    return this.#viewers.size >= MAX_VIEWERS
  }

  /** Sends the state now, and from now on what changes, until the browser goes away. */
  accept(socket: Socket): void {
    const viewer = { needsWhole: true, receivedBytes: socket.receivedBytes, heardAtMs: this.#options.nowMs() }
    this.#viewers.set(socket, viewer)
    this.#health ??= new OwnHealth()
    this.#timer ??= setInterval(() => this.#tick(), INTERVAL_MS).unref()
    socket.handle({
      onFrame: () => undefined, // That it says something is all that is asked of it.
      onDrain: () => undefined,
      onClose: () => this.#remove(socket),
    })
    this.#last ??= this.#look()
    this.#sendWhole(socket, viewer, encode({ type: 'whole', watched: this.#last }))
  }

  close(): void {
    for (const socket of this.#viewers.keys()) socket.close()
  }

  #tick(): void {
    const before = this.#last
    const watched = (this.#last = this.#look())
    const changes = before && changesBetween(before as JsonObject, watched as JsonObject)
    const delta = changes && encode({ type: 'changes', changes })
    let whole: Uint8Array | undefined
    for (const [socket, viewer] of this.#viewers) {
      if (this.#isGone(socket, viewer)) socket.terminate()
      else if (socket.bufferedBytes > MAX_VIEWER_BYTES) viewer.needsWhole = true
      else if (viewer.needsWhole) this.#sendWhole(socket, viewer, (whole ??= encode({ type: 'whole', watched })))
      else if (delta !== undefined) socket.send(delta)
    }
  }

  #sendWhole(socket: Socket, viewer: Viewer, frame: Uint8Array): void {
    socket.send(frame)
    viewer.needsWhole = false
  }

  #isGone(socket: Socket, viewer: Viewer): boolean {
    const nowMs = this.#options.nowMs()
    if (socket.receivedBytes !== viewer.receivedBytes) viewer.heardAtMs = nowMs
    viewer.receivedBytes = socket.receivedBytes
    return nowMs - viewer.heardAtMs > VIEWER_SILENCE_MS
  }

  #look(): Watched {
    const { cluster, connections, nowMs } = this.#options
    return {
      nowMs: Math.round(nowMs()),
      cluster: cluster(),
      scheduler: { ...this.#health!.view, connections: connections(), viewers: this.#viewers.size },
    }
  }

  #remove(socket: Socket): void {
    this.#viewers.delete(socket)
    if (this.#viewers.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#health?.close()
    this.#health = undefined
    this.#last = undefined
  }
}

function encode(message: ToViewer): Uint8Array {
  return Buffer.from(JSON.stringify(message))
}
