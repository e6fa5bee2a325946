/**
 * Passes the frames of relays on, unread, each from one end to the other. A frame is memory here only until the receiving
 * link has sent it; the ends let only so much be on its way, and who sends more loses its connection.
 */
import { ProtocolError } from '../protocol/errors.js'
import { MAX_RELAY_BYTES } from '../protocol/limits.js'
import type { FromSwitch, ToSwitch } from '../protocol/messages/relay.js'
import type { CloseReason } from '../protocol/transport/connection.js'

type Frame = Extract<FromSwitch & ToSwitch, { readonly type: 'relay-frame' }>
type Taken = Extract<FromSwitch & ToSwitch, { readonly type: 'relay-taken' }>

/** The connection of a client or a worker, as far as relays are concerned. */
export interface RelayEnd {
  send(message: Taken): void
  sendPayload(message: Frame, payload: Uint8Array): void
  close(reason: CloseReason): void
}

/** One direction: what `from` sends goes to `to`. */
interface Direction {
  readonly from: RelayEnd
  readonly to: RelayEnd
  /** Sent, and not yet taken at the far end. */
  onItsWayBytes: number
}

export class RelaySwitch {
  /** Since the start. */
  relayedBytes = 0
  readonly #relays = new Map<number, readonly [Direction, Direction]>()

  connect(relay: number, asker: RelayEnd, holder: RelayEnd): void {
    this.#relays.set(relay, [
      { from: asker, to: holder, onItsWayBytes: 0 },
      { from: holder, to: asker, onItsWayBytes: 0 },
    ])
  }

  cut(relay: number): void {
    this.#relays.delete(relay)
  }

  /** Frames of relays that are cut are late, and dropped. */
  onFrame(from: RelayEnd, message: Frame, payload: Uint8Array): void {
    const direction = this.#relays.get(message.relay)?.find((each) => each.from === from)
    if (direction === undefined) return
    direction.onItsWayBytes += payload.length
    this.relayedBytes += payload.length
    if (direction.onItsWayBytes <= MAX_RELAY_BYTES) {
      direction.to.sendPayload(message, payload)
      return
    }
    const tooMuch = `A relay may have ${MAX_RELAY_BYTES} bytes on their way, and this one has more.`
    from.close({ code: 'ERR_HEDDLE_PROTOCOL', message: tooMuch })
  }

  /** The far end made room. */
  onTaken(from: RelayEnd, message: Taken): void {
    const direction = this.#relays.get(message.relay)?.find((each) => each.to === from)
    if (direction === undefined) return
    direction.onItsWayBytes -= Math.min(direction.onItsWayBytes, message.sizeBytes)
    direction.from.send(message)
  }
}

/** Frames of relays, which are small, are the only payloads that come to a scheduler; values never do. */
export function refuseLargePayload(sizeBytes: number): void {
  if (sizeBytes > MAX_RELAY_BYTES) throw strayPayload(sizeBytes)
}

export function strayPayload(sizeBytes: number): ProtocolError {
  return new ProtocolError('theirs', `A payload of ${sizeBytes} bytes has no business at the scheduler.`)
}
