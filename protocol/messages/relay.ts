/**
 * Relays: sockets that lead through the scheduler, for members of a cluster that can't reach each other. They run over the
 * links that both members have already, and whatever is said over a direct socket is said over a relay, frame by frame.
 * These messages are the same on the links of clients and of workers.
 */
import { integer, message, text, type Infer } from '../schema.js'
import { worker } from './common.js'

/** Asks for a relay to a worker. Answered by `relay-opened`, or by `relay-closed` with the request's number. */
export const openRelay = message('open-relay', { request: integer, holder: worker })
/** The offered worker takes part. */
export const acceptRelay = message('accept-relay', { relay: integer })
/** The relay ends at once, with what is in it. */
export const closeRelay = message('close-relay', { relay: integer })
/**
 * Heads the payload that is one frame. Payloads may overtake each other, so frames are numbered, from 0 up, in each
 * direction. An empty one says that no more will come.
 */
export const relayFrame = message('relay-frame', { relay: integer, sequence: integer })
/** So many bytes of frames have been taken out at the far end: there is room for as many more. */
export const relayTaken = message('relay-taken', { relay: integer, sizeBytes: integer })

/** What members say: last in the unions of both links. */
export const toSwitch = [openRelay, acceptRelay, closeRelay, relayFrame, relayTaken] as const
export type ToSwitch = Infer<(typeof toSwitch)[number]>

/** The relay that was asked for under this number is there. */
export const relayOpened = message('relay-opened', { request: integer, relay: integer })
/** Somebody wants to ask this worker for values. `from` is a name, for logs. */
export const relayOffered = message('relay-offered', { relay: integer, from: text })
/** The relay of this number is gone, or, with `relay` 0, will not be: `request` says which then. */
export const relayClosed = message('relay-closed', { request: integer, relay: integer, reason: text })

/** What the scheduler says: last in the unions of both links. */
export const fromSwitch = [relayOpened, relayOffered, relayClosed, relayFrame, relayTaken] as const
export type FromSwitch = Infer<(typeof fromSwitch)[number]>

const FROM_SWITCH: ReadonlySet<string> = new Set<FromSwitch['type']>([
  'relay-opened',
  'relay-offered',
  'relay-closed',
  'relay-frame',
  'relay-taken',
])

/** Is it about a relay? Then it is the business of the link, and of no core. */
export function isFromSwitch<M extends { readonly type: string }>(
  given: M,
): given is M & { readonly type: FromSwitch['type'] } {
  return FROM_SWITCH.has(given.type)
}
