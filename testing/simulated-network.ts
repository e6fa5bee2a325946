/**
 * The network of a simulation: what is sent arrives late, in the order it was sent, on each connection for itself. Connections
 * break, and some of them so that nobody is told; those of a process that dies break with it.
 */
import type { Rng } from '../common/rng.js'
import { SchedulerUnreachableError } from '../protocol/errors.js'
import type { Socket, SocketHandlers } from '../protocol/transport/socket.js'
import type { Actor } from './actor.js'

/** What a connection carries in a millisecond. A frame that is smaller takes no time of its own. */
const BYTES_PER_MS = 1_000_000
/** Of broken connections, those whose ends have to find that out. */
const SILENT_CUTS = 0.2
/** So long it takes until an end knows that the other is gone. */
const MAX_NEWS_MS = 20

export interface SimulatedNetworkOptions {
  readonly rng: Rng
  /** How late a frame may be, besides what every connection takes. */
  readonly maxDelayMs: number
  /** Shall the connection break with the frame that is sent now? */
  readonly breaks: () => boolean
  /** Whoever sends something may die of it. */
  readonly onSent: (from: Actor) => void
  /** A connection was cut. */
  readonly onCut: (between: string) => void
}

/** Who takes connections. */
interface Listening {
  readonly actor: Actor
  readonly accept: (socket: Socket) => void
}

export class SimulatedNetwork {
  readonly #options: SimulatedNetworkOptions
  readonly #listening = new Map<string, Listening>()

  constructor(options: SimulatedNetworkOptions) {
    this.#options = options
  }

  /** Has the actor take connections at this address. Returns what ends that. */
  listen(address: string, actor: Actor, accept: (socket: Socket) => void): () => void {
    const listening = { actor, accept }
    this.#listening.set(address, listening)
    return () => {
      if (this.#listening.get(address) === listening) this.#listening.delete(address)
    }
  }

  /** Opens a connection from `actor` to whoever listens there by the time that it arrives. */
  dial(actor: Actor, address: string, signal?: AbortSignal): Promise<Socket> {
    const { rng, maxDelayMs } = this.#options
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(signal?.reason as Error)
      if (signal?.aborted === true) return onAbort()
      signal?.addEventListener('abort', onAbort, { once: true })
      actor.in(0.1 + rng.between(0, maxDelayMs), () => {
        signal?.removeEventListener('abort', onAbort)
        if (signal?.aborted === true) return
        const listening = this.#listening.get(address)
        if (listening === undefined || listening.actor.isDead) {
          reject(new SchedulerUnreachableError(`Nobody answers at ${address}; try again.`))
          return
        }
        const wire = new Wire(this.#options, actor, listening.actor, address)
        resolve(wire.near)
        listening.actor.in(0, () => listening.accept(wire.far))
      })
    })
  }
}

/** One connection, with its two ends. */
class Wire {
  readonly near: End
  readonly far: End
  readonly rng: Rng
  readonly latencyMs: number
  readonly jitterMs: number
  readonly #options: SimulatedNetworkOptions
  readonly #between: string
  /** Nothing crosses any more. */
  isCut = false

  constructor(options: SimulatedNetworkOptions, from: Actor, to: Actor, address: string) {
    this.#options = options
    this.rng = options.rng.fork()
    this.latencyMs = this.rng.pick([0.02, 0.1, 1])!
    this.jitterMs = this.rng.pick([0, 0.1, 1])! * options.maxDelayMs
    this.#between = `${from.name} and ${to.name}`
    this.near = new End(this, from, address)
    this.far = new End(this, to, from.name)
  }

  otherOf(end: End): End {
    return end === this.near ? this.far : this.near
  }

  /** It may break with what is sent, and so may who sends it. */
  strain(from: Actor): void {
    this.#options.onSent(from)
    if (this.isCut || !this.#options.breaks()) return
    this.#options.onCut(this.#between)
    this.isCut = true
    if (this.rng.chance(SILENT_CUTS)) return
    this.near.hearOfEnd()
    this.far.hearOfEnd()
  }

  /** One end is gone. Of a machine that fails nobody tells the other. */
  break(end: End, isTold: boolean): void {
    if (this.isCut) return
    this.isCut = true
    if (isTold) this.otherOf(end).hearOfEnd()
  }
}

class End implements Socket {
  readonly peer: string
  readonly localAddress = ''
  readonly #wire: Wire
  readonly #actor: Actor
  readonly #forgetDeath: () => void
  #handlers: SocketHandlers | undefined
  /** What came before there was anybody to hear of it. */
  #early: (() => void)[] = []
  #bufferedBytes = 0
  #receivedBytes = 0
  #lastArrivalMs = 0
  #state: 'open' | 'closing' | 'closed' = 'open'

  constructor(wire: Wire, actor: Actor, peer: string) {
    this.peer = peer
    this.#wire = wire
    this.#actor = actor
    this.#forgetDeath = actor.onDeath(() => wire.break(this, !wire.rng.chance(SILENT_CUTS)))
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  get receivedBytes(): number {
    return this.#receivedBytes
  }

  get #other(): End {
    return this.#wire.otherOf(this)
  }

  handle(handlers: SocketHandlers): void {
    this.#handlers = handlers
    this.#actor.in(0, () => {
      for (const each of this.#early.splice(0)) each()
    })
  }

  send(frame: Uint8Array): void {
    if (this.#state !== 'open' || this.#actor.isDead) return
    this.#wire.strain(this.#actor)
    this.#bufferedBytes += frame.length
    this.#cross(frame.length, () => {
      const other = this.#other
      other.#hear(() => {
        if (other.#state === 'closed') return
        other.#receivedBytes += frame.length
        other.#handlers?.onFrame(frame)
      })
    })
    const { agenda } = this.#actor.world
    this.#actor.in(this.#lastArrivalMs - agenda.nowMs, () => {
      this.#bufferedBytes -= frame.length
      if (this.#state !== 'closed') this.#handlers?.onDrain()
    })
  }

  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#cross(0, () => this.#other.#hear(() => this.#other.#end()))
    // What crosses a cut wire never arrives; whoever closes it is through all the same.
    const { agenda } = this.#actor.world
    this.#actor.in(this.#lastArrivalMs - agenda.nowMs, () => this.#end())
  }

  terminate(): void {
    if (this.#state === 'closed') return
    this.#state = 'closing'
    this.#wire.break(this, true)
    this.#actor.in(0, () => this.#end())
  }

  /** The connection is gone, which this end is told some time. */
  hearOfEnd(): void {
    this.#actor.in(this.#wire.rng.between(0, MAX_NEWS_MS), () => this.#hear(() => this.#end()))
  }

  /** Has it arrive at the other end, behind all that was sent before. */
  #cross(sizeBytes: number, arrive: () => void): void {
    const { latencyMs, jitterMs, rng } = this.#wire
    const { agenda } = this.#actor.world
    const delayMs = latencyMs + rng.between(0, jitterMs) + Math.floor(sizeBytes / BYTES_PER_MS)
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, agenda.nowMs + delayMs)
    this.#other.#actor.in(this.#lastArrivalMs - agenda.nowMs, () => {
      if (!this.#wire.isCut) arrive()
    })
  }

  #hear(what: () => void): void {
    if (this.#handlers === undefined || this.#early.length > 0) this.#early.push(what)
    else what()
  }

  #end(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#forgetDeath()
    this.#handlers?.onClose(undefined)
  }
}
