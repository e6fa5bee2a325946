/** How a worker process ended, as its nanny saw it: the process that takes its place brings this along. */
import { integer, list, optional, record, text, type Infer } from '../schema.js'

export const workerDeath = record({
  /** Of the process that ended. */
  pid: integer,
  /** Nothing when a signal ended it, or nobody saw how. */
  exitCode: optional(integer),
  /** As in `SIGKILL`; empty when none ended it, or nobody saw how. */
  signal: text,
  /** The most memory that it was seen to take; 0 when nobody looked. */
  peakMemoryBytes: integer,
  /** The last that it and its tasks logged, the oldest first. */
  lines: list(text),
})
export type WorkerDeath = Infer<typeof workerDeath>
