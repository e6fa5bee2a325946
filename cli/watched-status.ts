/** The status of a cluster, put together of what the status page is told: first the whole state, then what changed of it. */
import { withChanges, type JsonObject } from '../common/merge-patch.js'
import type { ClusterStatus } from '../protocol/messages/status.js'
import type { ToViewer, Watched } from '../protocol/messages/watch.js'

export class WatchedState {
  #watched: Watched | undefined

  /** The state after the message; `undefined` if that is about something else. */
  take(message: ToViewer): Watched | undefined {
    if (message.type === 'whole') this.#watched = message.watched
    else if (message.type !== 'changes' || this.#watched === undefined) return undefined
    else this.#watched = withChanges(this.#watched as JsonObject, message.changes) as unknown as Watched
    return this.#watched
  }
}

/** @param atMs - Now, in milliseconds since 1970. */
export function statusOfWatched({ cluster, scheduler, nowMs }: Watched, atMs: number): ClusterStatus {
  const { moreFunctions: _, workers, functions, ...figures } = cluster
  return {
    packageVersion: scheduler.packageVersion,
    nodeVersion: scheduler.nodeVersion,
    upForMs: Math.max(0, Math.round(atMs - scheduler.startedAt)),
    ...figures,
    workers: Object.entries(workers).map(([name, { heardAtMs, running: __, ...worker }]) => ({
      name,
      ...worker,
      silentForMs: Math.max(0, Math.round(nowMs - heardAtMs)),
    })),
    functions: Object.entries(functions).map(([name, { inputs: __, ...view }]) => ({ name, ...view })),
  }
}
