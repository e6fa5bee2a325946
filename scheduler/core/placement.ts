/**
 * Which worker runs a task: the one where it would start first, counting what it has to do already and what it would
 * have to fetch. Only the holders of the inputs and the least loaded worker are looked at, so a decision costs the same
 * among ten workers and among a thousand.
 */
import { present } from '../../common/assert.js'
import { hasRoom, hasRoomForGuests } from './admission.js'
import { assign } from './assignment.js'
import { areInputsHeld, startOver } from './recovery.js'
import type { SchedulerState } from './state.js'
import type { Task } from './task.js'
import { loadOf, type WorkerRecord } from './worker-record.js'

/** What fetching costs: a fixed part, and a part by size. */
const FETCH_US = 300
const FETCH_BYTES_PER_US = 1_000
/** Once its inputs could not be fetched, a task is drawn to where they are. */
const FETCH_FAILED_FACTOR = 1_000
/** Of an input held in many places, so many holders are looked at. */
const MAX_HOLDERS_SEEN = 8

/** Sends what is ready to whoever has room, until one of the two runs out. */
export function placeReadyTasks(state: SchedulerState): void {
  for (;;) {
    const idlest = state.open.peek()
    if (idlest === undefined || !hasRoom(idlest)) return
    const task = state.ready.next()
    if (task === undefined) return
    if (!areInputsHeld(task)) {
      startOver(state, task) // An input was lost since the task became ready.
      continue
    }
    assign(state, task, task.inputs.length === 0 ? idlest : chooseWorker(task, idlest))
  }
}

/** Parent: owns the loop, every branch and the result. Ties go to the idlest worker, so it is repeatable. */
export function chooseWorker(task: Task, idlest: WorkerRecord): WorkerRecord {
  const heldBytes = new Map<WorkerRecord, number>([[idlest, 0]])
  let allBytes = 0
  for (const { state } of task.inputs) {
    if (state.type !== 'in-memory') continue
    allBytes += state.sizeBytes
    const seen = Math.min(state.holders.length, MAX_HOLDERS_SEEN)
    for (let i = 0; i < seen; i++) {
      const holder = present(state.holders[i], 'a holder')
      heldBytes.set(holder, (heldBytes.get(holder) ?? 0) + state.sizeBytes)
    }
  }
  let best = idlest
  let bestUs = Infinity
  for (const [worker, bytes] of heldBytes) {
    if (worker !== idlest && (worker.isLeaving || !hasRoomForGuests(worker))) continue
    const us = loadOf(worker) + fetchUs(allBytes - bytes) * (1 + task.misses * FETCH_FAILED_FACTOR)
    if (us < bestUs) {
      best = worker
      bestUs = us
    }
  }
  return best
}

/** Leaf: what it takes to fetch so many bytes. */
function fetchUs(bytes: number): number {
  return bytes === 0 ? 0 : FETCH_US + bytes / FETCH_BYTES_PER_US
}
