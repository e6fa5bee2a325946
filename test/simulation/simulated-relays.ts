/** What a member of the cluster does about relays: asks for them, a few at a time, and uses each for one errand. */
import type { WorkerId } from '../../protocol/ids.js'
import { MAX_RELAYS_PER_MEMBER } from '../../protocol/limits.js'
import type { FromSwitch, ToSwitch } from '../../protocol/messages/relay.js'

/** What a relay is wanted for. Exactly one of the two is called, unless the member itself ends before. */
export interface Errand {
  readonly holder: WorkerId
  /** The relay is there. `finish` gives it back, and returns whether it was there all the time. */
  opened(finish: () => boolean): void
  failed(): void
}

export class SimulatedRelays {
  readonly #send: (message: ToSwitch) => void
  #waiting: Errand[] = []
  readonly #asked = new Map<number, Errand>()
  readonly #open = new Map<number, Errand>()
  #lastRequest = 0

  constructor(send: (message: ToSwitch) => void) {
    this.#send = send
  }

  ask(errand: Errand): void {
    this.#waiting.push(errand)
    this.#next()
  }

  receive(message: FromSwitch): void {
    switch (message.type) {
      case 'relay-offered':
        this.#send({ type: 'accept-relay', relay: message.relay })
        break
      case 'relay-opened': {
        const errand = this.#asked.get(message.request)
        if (errand === undefined) break
        this.#asked.delete(message.request)
        this.#open.set(message.relay, errand)
        errand.opened(() => this.#finish(message.relay, errand))
        break
      }
      case 'relay-closed':
        if (message.relay === 0) this.#fail(this.#asked, message.request)
        else this.#fail(this.#open, message.relay)
        break
      case 'relay-frame':
      case 'relay-taken':
        break
    }
  }

  /** The connection is gone. */
  reset(): void {
    const errands = [...this.#asked.values(), ...this.#open.values(), ...this.#waiting]
    this.#waiting = []
    this.#asked.clear()
    this.#open.clear()
    for (const errand of errands) errand.failed()
  }

  #next(): void {
    while (this.#waiting.length > 0 && this.#asked.size + this.#open.size < MAX_RELAYS_PER_MEMBER) {
      const errand = this.#waiting.shift()!
      this.#asked.set(++this.#lastRequest, errand)
      this.#send({ type: 'open-relay', request: this.#lastRequest, holder: errand.holder })
    }
  }

  /** The next scheduler gives the same numbers to others. */
  #finish(relay: number, errand: Errand): boolean {
    if (this.#open.get(relay) !== errand) return false
    this.#open.delete(relay)
    // As over real sockets, where the next one is asked for before the far end has taken the last frame of this one.
    this.#next()
    this.#send({ type: 'close-relay', relay })
    return true
  }

  #fail(errands: Map<number, Errand>, number: number): void {
    const errand = errands.get(number)
    if (errand === undefined) return
    errands.delete(number)
    errand.failed()
    this.#next()
  }
}
