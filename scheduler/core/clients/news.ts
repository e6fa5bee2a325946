/**
 * That a task finished whose value nobody asked for is news which can wait a little: a client only shows it as the status
 * of a future. A frame for each, while tasks end all the time, would cost scheduler and client more than the tasks. So the
 * first news leaves at once, and further news with whatever else the client is told, or after a while.
 */
import type { ClientRecord } from './client-record.js'
import { outboxOf, type SchedulerState } from '../state.js'

/** How long news waits at most, and how long after the last it has to. */
export const NEWS_INTERVAL_MS = 20

/** Is all that the client would be told now news that can wait? Then it does. */
export function letNewsWait(state: SchedulerState, client: ClientRecord): boolean {
  const { outbox } = client
  if (outbox.hasOnlyNews && state.nowMs < client.toldNewsAtMs + NEWS_INTERVAL_MS) {
    if (!state.clientsWithNews.has(client)) {
      client.newsDueMs = state.nowMs + NEWS_INTERVAL_MS
      state.clientsWithNews.add(client)
    }
    return true
  }
  if (outbox.hasNews) client.toldNewsAtMs = state.nowMs
  state.clientsWithNews.delete(client)
  return false
}

/** Clients whose news has waited long enough are told when the turn ends. */
export function tellOldNews(state: SchedulerState): void {
  // All news waits equally long, so the first to wait is the first to be told.
  for (const client of state.clientsWithNews) {
    if (client.newsDueMs > state.nowMs) return
    client.toldNewsAtMs = -Infinity
    state.clientsWithNews.delete(client)
    outboxOf(state, client)
  }
}

/** When news is due that waits. */
export function nextNewsMs({ clientsWithNews }: SchedulerState): number | undefined {
  for (const { newsDueMs } of clientsWithNews) return newsDueMs
  return undefined
}
