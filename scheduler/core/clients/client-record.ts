/** A client as the scheduler knows it. */
import type { ArrayId, ClientId, TemplateId } from '../../../protocol/ids.js'
import type { SubmitUnder } from '../../../protocol/messages/client.js'
import type { ClientOutbox } from './client-outbox.js'
import type { UnitRequest } from '../placing/limits.js'
import type { AskedRelays } from '../data/relays.js'
import type { Replication } from '../data/replication.js'
import type { SchedulerState } from '../state.js'
import type { Task } from '../tasks/task.js'
import type { TaskArray } from '../tasks/task-array.js'
import type { CodeRecord, Template } from '../tasks/template.js'

/** Array ids for the use of one client. */
export interface Lease {
  readonly first: ArrayId
  readonly count: number
}

/** Leases of so many workers that are gone are remembered. */
const MAX_PAST_LEASES = 64

/** Who says that it is a client. */
export interface Newcomer {
  readonly name: string
  /** What a client shows that comes back; nothing for one that won't. */
  readonly session?: string | undefined
  /** The name of the worker whose tasks use it, if tasks do. */
  readonly tasksOf?: string | undefined
}

export interface ClientRecord {
  /** Its connection: the latest, if it lost others and came back. */
  id: ClientId
  readonly name: string
  /** What it shows when it comes back; empty when it won't. */
  readonly session: string
  /** How much it has said that must not be lost. */
  saidCount: number
  /** It lost its connection, and is waited for until then; else `Infinity`. */
  absentUntilMs: number
  /**
   * It has not come back since the scheduler was started again: those of its tasks that may start all the same. Else
   * `undefined`, and all may. See missing.ts.
   */
  mayStart: Set<Task> | undefined
  /** The name of the worker whose tasks use it, if tasks do. What it submits are children of these, and nothing else. */
  readonly tasksOf: string | undefined
  /** By the client's own numbers. */
  readonly templates: Map<TemplateId, Template>
  /** Code it has defined; each counts the client as a user. */
  readonly codes: Set<CodeRecord>
  /** Its arrays that still have live places. */
  readonly arrays: Set<TaskArray>
  /** The array ids it may use: of its latest two leases. */
  readonly leases: Lease[]
  /** Who submits what the next message has, if that is a task. */
  under: SubmitUnder | undefined
  readonly relays: AskedRelays
  /** Its questions for copies that were not answered, and how many values they still wait for. */
  readonly replications: Set<Replication>
  replicated: number
  /** The units of limits that it waits for or has, by its own numbers. */
  readonly unitRequests: Map<number, UnitRequest>
  readonly outbox: ClientOutbox
  /** Until then all workers take part in each step of its graph, see placing/ahead.ts. */
  sharesUntilMs: number
  /** When it was last told that tasks finished, and when it will be of those in its outbox if it is in `state.clientsWithNews`. */
  toldNewsAtMs: number
  newsDueMs: number
  /** Is it in `state.clientsToFlush`? */
  isDirty: boolean
}

/** A worker is gone whose tasks had these ids. */
export function notePastLease({ pastLeases }: SchedulerState, lease: Lease): void {
  if (pastLeases.push(lease) > MAX_PAST_LEASES) pastLeases.shift()
}

/**
 * May the client use this array id? Clients of tasks begin with ids of their worker, which may have lost its connection
 * since.
 */
export function hasLease({ workers, pastLeases }: SchedulerState, client: ClientRecord, id: ArrayId): boolean {
  const has = ({ first, count }: Lease): boolean => id >= first && id < first + count
  if (client.leases.some(has)) return true
  if (client.tasksOf === undefined) return false
  const ofWorkers = [...workers.values()].map(({ lease }) => lease)
  const lease = [...ofWorkers, ...pastLeases].find(has)
  if (lease !== undefined) client.leases.unshift(lease)
  return lease !== undefined
}

/** Does the task, or one that has no record, wait for the client to come back? See missing.ts. */
export function isWithheld({ mayStart }: ClientRecord, task: Task | undefined): boolean {
  return mayStart !== undefined && (task === undefined || !mayStart.has(task))
}
