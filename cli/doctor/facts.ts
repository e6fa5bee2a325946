/** What `heddle doctor` finds out, before anything is said about it. */
import type { ClusterStatus } from '../../protocol/messages/status.js'

/** Of the machine and process that ask. */
export interface HereFacts {
  /** As in `v20.20.0`. */
  readonly nodeVersion: string
  readonly packageVersion: string
  /** How many files and connections this process may have open; `undefined` for no limit, or none that can be read. */
  readonly openFiles: number | undefined
  /** What the machine, or the container around this process, has. */
  readonly memoryBytes: number
  readonly temporaryDirectory: string
  /** What is free where workers keep files by default. */
  readonly temporaryFreeBytes: number
  /** The longest that the event loop of this process was late, over a quarter of a second. */
  readonly loopDelayMs: number
}

/** How fast a value went to a worker and came back. */
export interface Bandwidth {
  readonly upBytesPerS: number
  readonly downBytesPerS: number
}

/** Of a cluster that could be reached. */
export interface ClusterFacts {
  readonly address: string
  /** Half of a round trip is the time that any message takes. */
  readonly roundTripMs: number
  /** How far the scheduler's clock is ahead of the one here. */
  readonly clockAheadMs: number
  /** How exactly that is known. */
  readonly clockErrorMs: number
  readonly status: ClusterStatus
  /** A sentence where it could not be measured. */
  readonly bandwidth: Bandwidth | string
}

export interface Facts {
  readonly here: HereFacts
  /** A sentence when it could not be reached; `undefined` when none was asked about. */
  readonly cluster: ClusterFacts | string | undefined
}
