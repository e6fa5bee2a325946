/** A client as the scheduler knows it. */
import type { ArrayId, ClientId, TemplateId } from '../../protocol/ids.js'
import type { ClientOutbox } from './client-outbox.js'
import type { UnitRequest } from './limits.js'
import type { AskedRelays } from './relays.js'
import type { Replication } from './replication.js'
import type { TaskArray } from './task-array.js'
import type { CodeRecord, Template } from './template.js'

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
  /** By the client's own numbers. */
  readonly templates: Map<TemplateId, Template>
  /** Code it has defined; each counts the client as a user. */
  readonly codes: Set<CodeRecord>
  /** Its arrays that still have live places. */
  readonly arrays: Set<TaskArray>
  /** The array ids it may use: of its latest two leases. */
  readonly leases: { readonly first: ArrayId; readonly count: number }[]
  readonly relays: AskedRelays
  /** Its questions for copies that were not answered, and how many values they still wait for. */
  readonly replications: Set<Replication>
  replicated: number
  /** The units of limits that it waits for or has, by its own numbers. */
  readonly unitRequests: Map<number, UnitRequest>
  readonly outbox: ClientOutbox
  /** When it was last told that tasks finished, and when it will be of those in its outbox if it is in `state.clientsWithNews`. */
  toldNewsAtMs: number
  newsDueMs: number
  /** Is it in `state.clientsToFlush`? */
  isDirty: boolean
}

/** May the client use this array id? */
export function hasLease(client: ClientRecord, id: ArrayId): boolean {
  return client.leases.some(({ first, count }) => id >= first && id < first + count)
}
