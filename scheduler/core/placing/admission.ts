/**
 * How much a worker is sent ahead. Work stays here as long as it can: a worker holds a few milliseconds of it per
 * thread, or one task, so that a round trip leaves no thread idle and long tasks are not hoarded. What would start sooner
 * elsewhere is asked back (recall.ts).
 */
import { hasIdleThread, takesNothingAhead, type WorkerRecord } from '../workers/worker-record.js'

/** What a worker holds ahead, in microseconds of each of its threads. */
export const LOOK_AHEAD_US = 24_000
/** A thread may have one task ahead that is longer, up to this: beyond, what passes between two tasks is nothing beside them. */
export const ONE_AHEAD_US = 100_000
/** However short its tasks, a worker holds at most this many for each thread. */
export const MAX_AHEAD_PER_THREAD = 4_096
/** However fast its tasks, their arguments take at most this much, beyond those of one task a thread. */
export const MAX_AHEAD_BYTES = 64 * 1024 * 1024

/**
 * May it be sent another task? Always, while a thread would be idle; beyond that, only tasks of functions whose time is
 * known, and only until the look-ahead is full. Tasks that can wait are no hindrance.
 */
export function hasRoom(worker: WorkerRecord): boolean {
  const { threads } = worker.join
  if (hasIdleThread(worker)) return true
  if (takesNothingAhead(worker)) return false
  if (worker.argumentBytes >= MAX_AHEAD_BYTES) return false
  const count = worker.processing.size - worker.ioTasks - worker.patient.size
  if (worker.untimed >= threads || count >= MAX_AHEAD_PER_THREAD * threads) return false
  const queuedUs = worker.queuedUs - worker.patientUs
  if (queuedUs + worker.aheadUs < LOOK_AHEAD_US * threads) return true
  return count < 2 * threads && queuedUs < ONE_AHEAD_US * threads
}

/** May it be sent another task that can wait, in a row that takes so long? It may have one row in the thread, and one ahead. */
export function hasRoomForPatient(worker: WorkerRecord, patienceUs: number): boolean {
  const { threads } = worker.join
  if (hasIdleThread(worker)) return true
  if (takesNothingAhead(worker)) return false
  if (worker.untimed >= threads || worker.argumentBytes >= MAX_AHEAD_BYTES) return false
  const count = worker.processing.size - worker.ioTasks
  return count < MAX_AHEAD_PER_THREAD * threads && worker.queuedUs + worker.aheadUs < 2 * patienceUs * threads
}

/** May it be sent more than its share, because what the task needs is there? */
export function hasRoomForGuests(worker: WorkerRecord): boolean {
  const { threads } = worker.join
  if (hasIdleThread(worker)) return true
  if (takesNothingAhead(worker)) return false
  if (worker.untimed >= threads || worker.argumentBytes >= MAX_AHEAD_BYTES) return false
  const count = worker.processing.size - worker.ioTasks
  return count < 2 * MAX_AHEAD_PER_THREAD * threads && worker.queuedUs < 4 * LOOK_AHEAD_US * threads
}
