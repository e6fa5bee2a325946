/**
 * Clients that lost their connection, to this scheduler or to the one before it, and may come back: all that they hold stays
 * for a while, and what is said to them meanwhile is lost. One that comes back hears of every outcome again, and asks again
 * for what it waits for; so nothing has to be kept for it.
 */
import { arrayId, ARRAY_LEASE, type ArrayId, type ClientId } from '../../../protocol/ids.js'
import { CLIENT_GRACE_MS } from '../../../protocol/limits.js'
import type { ClientRecord } from './client-record.js'
import { forgetQuestions } from './questions.js'
import { missNoMore } from './missing.js'
import { tellOne } from '../tasks/outcome.js'
import { resumeScatters } from '../data/scatter.js'
import { outboxOf, type SchedulerState } from '../state.js'

/** Leases a client may use: it asks for another at half of the last, so the last two are all that can be in use. */
const LEASES_KEPT = 2

/** Gives the client its next lease. It hears of it once that is kept. */
export function lease(state: SchedulerState, client: ClientRecord): void {
  const first = arrayId(state.nextArray)
  addLease(state, client, first)
  tellLease(state, client, first)
}

export function addLease(state: SchedulerState, client: ClientRecord, first: ArrayId): void {
  state.nextArray = Math.max(state.nextArray, first + ARRAY_LEASE)
  if (client.leases.some((each) => each.first === first)) return
  client.leases.push({ first, count: ARRAY_LEASE })
  if (client.leases.length > LEASES_KEPT) client.leases.shift()
}

export function setLeases(client: ClientRecord, firsts: readonly number[]): void {
  client.leases.length = 0
  for (const first of firsts) client.leases.push({ first: arrayId(first), count: ARRAY_LEASE })
  if (firsts.length === 0) client.leases.push({ first: arrayId(0), count: Infinity })
}

function tellLease(state: SchedulerState, client: ClientRecord, first: ArrayId, isResumed = false): void {
  const { peerSecret, keepsState = false } = state.config
  const graceMs = keepsState && client.session !== '' ? graceOf(state) : 0
  const { saidCount } = client
  const message = { type: 'lease', first, count: ARRAY_LEASE, peerSecret, graceMs, isResumed, saidCount } as const
  if (state.journal === undefined) outboxOf(state, client).add(message)
  else {
    state.journal.add({ type: 'leased', client: client.id, first })
    state.whenKept.push({ client, message })
  }
}

/** May the client come back, and find all that it held? */
export function mayReturn({ config }: SchedulerState, client: ClientRecord): boolean {
  return config.keepsState === true && client.session !== ''
}

function graceOf({ config }: SchedulerState): number {
  return config.clientGraceMs ?? CLIENT_GRACE_MS
}

/** The client's connection is gone. */
export function awaitReturn(state: SchedulerState, client: ClientRecord): void {
  client.absentUntilMs = state.nowMs + graceOf(state)
  state.absentClients.delete(client)
  state.absentClients.add(client)
}

/** The client is back, on another connection. */
export function returnAs(state: SchedulerState, client: ClientRecord, id: ClientId): void {
  if (client.absentUntilMs === Infinity) {
    // Its old connection was not seen to end.
    forgetQuestions(state, client)
    const reason = `Client "${client.name}" came back on another connection.`
    state.orders.push({ type: 'close-client', client: client.id, code: 'ERR_HEDDLE_CONNECTION_LOST', reason })
  }
  missNoMore(state, client)
  state.clients.delete(client.id)
  client.outbox.take()
  state.clientsWithNews.delete(client)
  client.toldNewsAtMs = -Infinity
  client.id = id
  client.absentUntilMs = Infinity
  state.absentClients.delete(client)
  state.clients.set(id, client)
  state.journal?.add({ type: 'client-came', client: id, session: client.session, name: client.name })
  tellLease(state, client, client.leases.at(-1)!.first, true)
  for (const array of client.arrays) {
    for (let index = 0; index < array.flags.length; index++) {
      const task = array.tasks[index]
      if (task !== undefined) tellOne(state, task, array, index)
    }
  }
  resumeScatters(state, client)
  for (const { request, isGranted } of client.unitRequests.values()) {
    if (isGranted) outboxOf(state, client).add({ type: 'unit-taken', request })
  }
}

/** Takes those whose time is over, one after another. */
export function nextOverdue({ absentClients, nowMs }: SchedulerState): ClientRecord | undefined {
  // All are given as long, so the first to go is the first whose time is over.
  for (const client of absentClients) return client.absentUntilMs <= nowMs ? client : undefined
  return undefined
}

/** When the next one's time is over. */
export function nextAbsenceMs({ absentClients }: SchedulerState): number | undefined {
  for (const { absentUntilMs } of absentClients) return absentUntilMs
  return undefined
}
