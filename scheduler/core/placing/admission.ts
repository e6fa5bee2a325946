/**
 * How much a worker is sent ahead. Work stays here as long as it can: a worker holds a few milliseconds of it per
 * thread, or one task, so that a round trip leaves no thread idle and long tasks are not hoarded. What would start sooner
 * elsewhere is asked back (recall.ts).
 */
import type { Template } from '../tasks/template.js'
import { hasIdleThread, takesNothingAhead, type WorkerRecord } from '../workers/worker-record.js'

/** What a worker holds ahead, in microseconds of each of its threads. */
export const LOOK_AHEAD_US = 24_000
/** A thread may have one task ahead that is longer, up to this: beyond, what passes between two tasks is nothing beside them. */
export const ONE_AHEAD_US = 100_000
/** However short its tasks, a worker holds at most this many for each thread. */
export const MAX_AHEAD_PER_THREAD = 4_096
/** However fast its tasks, their arguments take at most this much, beyond those of one task a thread. */
export const MAX_AHEAD_BYTES = 64 * 1024 * 1024

/** Tasks of one template that can wait, if others of it are to come: see patience.ts. */
export interface Row {
  readonly template: Template
  /** How long it may take, in microseconds; 0 if too little is left. */
  readonly us: number
}

/**
 * May it be sent another task, which may be one of a row? Always, while a thread would be idle; beyond that, only tasks of functions
 * whose time is known, and only until the look-ahead is full. Those there that can wait count only where another of their row comes.
 */
export function hasRoom(worker: WorkerRecord, row?: Row): boolean {
  const { threads } = worker.join
  if (hasIdleThread(worker)) return true
  if (takesNothingAhead(worker)) return false
  if (worker.argumentBytes >= MAX_AHEAD_BYTES) return false
  const isOfRow = row !== undefined && takesRow(worker, row)
  const count = worker.processing.size - worker.ioTasks - (isOfRow ? 0 : worker.patient.size)
  if (worker.untimed >= threads || count >= MAX_AHEAD_PER_THREAD * threads) return false
  const queuedUs = worker.queuedUs - (isOfRow ? 0 : worker.patientUs)
  // One row in the thread, and one ahead.
  const lookAheadUs = isOfRow ? Math.max(LOOK_AHEAD_US, 2 * row.us) : LOOK_AHEAD_US
  if (queuedUs + worker.aheadUs < lookAheadUs * threads) return true
  return count < 2 * threads && queuedUs < ONE_AHEAD_US * threads
}

/**
 * Do its tasks stand in one line with those that wait there? These are of one priority. What is too little for a row goes before
 * those of other functions. And a task that waits for tasks of its own is to have a thread soon when it goes on.
 */
export function takesRow({ patient, patientTemplate, suspended }: WorkerRecord, { template, us }: Row): boolean {
  if (suspended.size > 0) return false
  if (patient.size === 0 || patientTemplate === template) return true
  return us > 0 && patientTemplate?.priority === template.priority
}

/** May it be sent more than its share, because what the task needs is there? */
export function hasRoomForGuests(worker: WorkerRecord): boolean {
  const { threads } = worker.join
  if (hasIdleThread(worker)) return true
  if (takesNothingAhead(worker)) return false
  if (worker.untimed >= threads || worker.argumentBytes >= MAX_AHEAD_BYTES) return false
  const count = worker.processing.size - worker.ioTasks - worker.patient.size
  return count < 2 * MAX_AHEAD_PER_THREAD * threads && worker.queuedUs - worker.patientUs < 4 * LOOK_AHEAD_US * threads
}
