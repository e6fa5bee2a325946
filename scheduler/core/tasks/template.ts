/** What many tasks share: a function, constants, options; and the statistics of each function. */
import type { CodeHash, TaskId, TemplateId } from '../../../protocol/ids.js'
import type { DefineCode } from '../../../protocol/messages/common.js'
import type { StateCounts } from '../../../protocol/messages/status.js'
import type { Rules } from '../../../protocol/messages/rules.js'
import type { Demand } from '../placing/demand.js'
import type { Failure } from './task.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** A function's figures, kept as its tasks move and never counted up afterwards. */
export interface FunctionStatistics {
  readonly name: string
  readonly tasks: { -readonly [K in keyof StateCounts]: number }
  /** How many inputs its tasks have, by the function that these are of; of tasks that have a record. See stages.ts. */
  readonly inputs: Map<FunctionStatistics, number>
  finished: number
  failed: number
  /** Moving average of the time a run takes in its thread, in microseconds; `undefined` before the first. */
  meanUs: number | undefined
  /** How many templates refer to it. */
  templates: number
}

/** Code that a client defined. It stays while templates refer to it, or its client is there. */
export interface CodeRecord {
  readonly define: DefineCode
  users: number
}

export interface Template {
  /** The scheduler's own number, which workers know it by. */
  readonly id: TemplateId
  readonly name: string
  readonly code: CodeHash
  readonly exportName: string
  readonly constants: Uint8Array
  readonly constantInputs: readonly TaskId[]
  readonly priority: number
  /** How many outputs each of its tasks has, in places of their own; 0 when the task itself has the value. */
  readonly outputs: number
  /** With those that need the same of a worker; `undefined` when that is one thread. */
  readonly demand: Demand | undefined
  readonly rules: Rules
  readonly statistics: FunctionStatistics
  /** Its one task never runs: a client brings the value. See scatter.ts. */
  readonly isScattered: boolean
  /** Tasks, with and without a record, that have this template. */
  tasks: number
  /** Workers that it was sent to, which must hear when it goes. */
  readonly knownBy: Set<WorkerRecord>
  /** So many of its tasks failed, if it has a `maxFailures`; and why the others are cancelled, once they are too many. */
  failures: number
  stop: Failure | undefined
  /** Its client is there and may submit more tasks with it. */
  isOpen: boolean
}
