/**
 * What a client asked on a connection and waits for on it: with the connection it is over. A client that comes back asks again
 * for what it still wants to know, and for relays.
 */
import { forgetDataCalls } from '../data/on-data.js'
import { endRelaysOf } from '../data/relays.js'
import { forgetReplications } from '../data/replication.js'
import type { SchedulerState } from '../state.js'
import { forgetInquiries } from '../views/inquiry.js'
import type { ClientRecord } from './client-record.js'

/** The connection of the client is gone. */
export function forgetQuestions(state: SchedulerState, client: ClientRecord): void {
  forgetReplications(state, client)
  endRelaysOf(state, { type: 'client', record: client }, `Client ${client.name} is gone.`)
  forgetDataCalls(state, client)
  forgetInquiries(state, client)
  for (let i = state.workerWaits.length - 1; i >= 0; i--) {
    if (state.workerWaits[i]!.client === client) state.workerWaits.splice(i, 1)
  }
}
