/**
 * One direction of a connection: what is sent in a turn leaves as one frame, frames arrive late but in order, and other
 * links know nothing of that order. Messages cross as the bytes they would be on a real wire.
 */
import type { Rng } from '../../common/rng.js'
import { list, type Field } from '../../protocol/schema.js'
import { decodeList, encode } from '../../protocol/transport/codec.js'
import type { Agenda } from '../../testing/agenda.js'

export interface LinkOptions<M> {
  readonly agenda: Agenda
  readonly rng: Rng
  readonly field: Field<M>
  readonly deliver: (messages: readonly M[]) => void
  /** A bug on purpose: frames do not keep their order. */
  readonly overtakes: boolean
  /** Another: this message never arrives. */
  readonly isLost?: ((message: M) => boolean) | undefined
  /** How many times longer than usual everything is under way. */
  readonly slowness: number
}

export class Link<M> {
  readonly #agenda: Agenda
  readonly #rng: Rng
  readonly #field: Field<M>
  readonly #frame: Field<readonly M[]>
  readonly #deliver: (messages: readonly M[]) => void
  readonly #overtakes: boolean
  readonly #isLost: ((message: M) => boolean) | undefined
  readonly #latencyMs: number
  readonly #jitterMs: number
  #queued: M[] = []
  #lastArrivalMs = 0
  /** Frames under way. They arrive in this order even where times are too close to tell apart. */
  readonly #underWay: Uint8Array[] = []
  #isCut = false

  constructor({ agenda, rng, field, deliver, overtakes, isLost, slowness }: LinkOptions<M>) {
    this.#isLost = isLost
    this.#overtakes = overtakes
    this.#agenda = agenda
    this.#rng = rng
    this.#field = field
    this.#frame = list(field)
    this.#deliver = deliver
    this.#latencyMs = rng.pick([0.02, 0.1, 1, 10])! * slowness
    this.#jitterMs = rng.pick([0, 0.1, 5, 50])! * slowness
  }

  send(message: M): void {
    if (!this.#isCut && this.#isLost?.(message) !== true) this.#queued.push(message)
  }

  /** The turn ends: what was sent in it leaves. */
  flush(): void {
    if (this.#queued.length === 0) return
    const bytes = encode(this.#frame, this.#queued, 0)
    this.#queued = []
    const arrivalMs = this.#agenda.nowMs + this.#latencyMs + this.#rng.between(0, this.#jitterMs)
    this.#lastArrivalMs = this.#overtakes ? arrivalMs : Math.max(this.#lastArrivalMs, arrivalMs)
    this.#underWay.push(bytes)
    this.#agenda.in(this.#lastArrivalMs - this.#agenda.nowMs, () => {
      const first = this.#underWay.shift()!
      if (!this.#isCut) this.#deliver(decodeList(this.#field, this.#overtakes ? bytes : first))
    })
  }

  /** Nothing arrives any more, not even what is under way. */
  cut(): void {
    this.#isCut = true
    this.#queued = []
  }
}
