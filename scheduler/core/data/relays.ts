/**
 * Who may exchange values through the scheduler, with whom, and when: only so many relays are open at once, and only so
 * many of one member; the others wait for a place in the order they were asked for. What goes through a relay is none of
 * the core's business.
 */
import { unreachable } from '../../../common/assert.js'
import type { WorkerId } from '../../../protocol/ids.js'
import { MAX_RELAYS, MAX_RELAYS_PER_MEMBER } from '../../../protocol/limits.js'
import type { SchedulerToClient } from '../../../protocol/messages/client.js'
import type { FromSwitch, ToSwitch } from '../../../protocol/messages/relay.js'
import type { ClientRecord } from '../clients/client-record.js'
import type { MemberId } from '../instructions.js'
import { outboxOf, workerOutboxOf, type SchedulerState } from '../state.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** One end of a relay. */
export type Member =
  | { readonly type: 'client'; readonly record: ClientRecord }
  | { readonly type: 'worker'; readonly record: WorkerRecord }

export interface Relay {
  readonly number: number
  /** The member that asked for it, and the number under which it asked. */
  readonly asker: Member
  readonly request: number
  readonly holder: WorkerRecord
  /** Its asker has as many as it may have; it waits for a place; the holder has been told; both ends use it. */
  stage: 'held-back' | 'waiting' | 'offered' | 'open'
}

/** What one member has asked for. */
export interface AskedRelays {
  /** How many are past being held back. */
  placed: number
  /** The next one first. */
  readonly heldBack: Set<Relay>
}

export function noRelays(): AskedRelays {
  return { placed: 0, heldBack: new Set() }
}

type Asked = Exclude<ToSwitch, { readonly type: 'relay-frame' | 'relay-taken' }>

export function onRelayMessage(state: SchedulerState, member: Member, message: Asked): void {
  switch (message.type) {
    case 'open-relay':
      ask(state, member, message.request, message.holder)
      break
    case 'accept-relay': {
      const relay = state.relays.get(message.relay)
      if (relay?.stage !== 'offered' || relay.holder !== member.record) break // It was called off meanwhile.
      relay.stage = 'open'
      tell(state, relay.asker, { type: 'relay-opened', request: relay.request, relay: relay.number })
      break
    }
    case 'close-relay': {
      const relay = state.relays.get(message.relay)
      if (relay !== undefined && isEndOf(relay, member)) end(state, relay, 'The other end closed it.')
      break
    }
    default:
      unreachable(message)
  }
}

/** The member is gone, and with it its relays. */
export function endRelaysOf(state: SchedulerState, member: Member, reason: string): void {
  for (const relay of [...state.relays.values()]) if (isEndOf(relay, member)) end(state, relay, reason)
}

/** At the end of a turn: gives free places to those who wait. */
export function startRelays(state: SchedulerState): void {
  for (const relay of state.waitingRelays) {
    if (state.startedRelays >= MAX_RELAYS) return
    state.waitingRelays.delete(relay)
    state.startedRelays++
    relay.stage = 'offered'
    const { number, asker, holder } = relay
    state.orders.push({ type: 'connect-relay', relay: number, asker: idOf(asker), holder: holder.id })
    tell(state, { type: 'worker', record: holder }, { type: 'relay-offered', relay: number, from: nameOf(asker) })
  }
}

/** A member that replaces a relay asks for the new one before the old one has ended: so one too many is no fault, and waits. */
function ask(state: SchedulerState, asker: Member, request: number, holderId: WorkerId): void {
  const holder = state.workers.get(holderId)
  const { placed, heldBack } = asker.record.relays
  if (holder === undefined || heldBack.size >= MAX_RELAYS_PER_MEMBER) {
    const reason =
      holder === undefined
        ? `There is no worker ${holderId} (any more).`
        : `${nameOf(asker)} has ${placed} relays and asks for ${heldBack.size} more, which is the limit; it must close one first.`
    tell(state, asker, { type: 'relay-closed', request, relay: 0, reason })
    return
  }
  const relay: Relay = { number: state.nextRelay++, asker, request, holder, stage: 'held-back' }
  state.relays.set(relay.number, relay)
  heldBack.add(relay)
  placeNext(state, asker)
}

/** Puts the member's next relay among those that wait for a place, if the member may have one more. */
function placeNext(state: SchedulerState, asker: Member): void {
  const asked = asker.record.relays
  const [next] = asked.heldBack
  if (next === undefined || asked.placed >= MAX_RELAYS_PER_MEMBER) return
  asked.heldBack.delete(next)
  asked.placed++
  next.stage = 'waiting'
  state.waitingRelays.add(next)
}

function end(state: SchedulerState, relay: Relay, reason: string): void {
  const { number, request, asker, holder, stage } = relay
  state.relays.delete(number)
  state.waitingRelays.delete(relay)
  if (!asker.record.relays.heldBack.delete(relay)) {
    asker.record.relays.placed--
    placeNext(state, asker)
  }
  // Who was not told of the relay yet knows it by its request only.
  const known = stage === 'open' ? number : 0
  tell(state, asker, { type: 'relay-closed', request, relay: known, reason })
  if (stage === 'held-back' || stage === 'waiting') return
  state.startedRelays--
  tell(state, { type: 'worker', record: holder }, { type: 'relay-closed', request: 0, relay: number, reason })
  state.orders.push({ type: 'cut-relay', relay: number })
}

function isEndOf({ asker, holder }: Relay, { record }: Member): boolean {
  return asker.record === record || holder === record
}

function tell(state: SchedulerState, member: Member, message: FromSwitch & SchedulerToClient): void {
  if (member.type === 'client') outboxOf(state, member.record).add(message)
  else workerOutboxOf(state, member.record).add(message)
}

function nameOf(member: Member): string {
  return member.type === 'client' ? member.record.name : member.record.join.name
}

function idOf({ type, record }: Member): MemberId {
  return type === 'client' ? { type, id: record.id } : { type, id: record.id }
}
