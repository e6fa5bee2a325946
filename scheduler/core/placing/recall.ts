/**
 * Work that was sent ahead and has not started goes where it can start sooner: while a thread would stand idle, and nothing
 * that it could run is here, tasks are asked back from workers that have more than their threads can run. A worker keeps
 * what has started, and says so. What comes back is placed as any ready task.
 *
 * A task is asked back by the same reckoning that places it, with a margin: so it does not come back to where it was.
 */
import type { TaskId } from '../../../protocol/ids.js'
import type { Pulse } from '../../../protocol/messages/worker.js'
import { inputsUs } from './placement.js'
import { workerOutboxOf, type SchedulerState } from '../state.js'
import { noteStarted, type Task } from '../tasks/task.js'
import { recordOf } from '../tasks/task-array.js'
import {
  hasIdleThread,
  idleThreadsOf,
  isHeldUp,
  loadOf,
  queueOf,
  NOT_HELD_UP,
  RECALL_US,
  type WorkerRecord,
} from '../workers/worker-record.js'

/** A task that runs for so long holds up those behind it, however long others of its function take. */
const HELD_UP_MS = 500
/** Of those behind one that takes long, so many are asked back at once. */
const MANY = 1_024
/** A task that was sent so often stays, so that none goes to and fro, whatever holds it up. */
const MAX_STARTS = 4
/** So many workers with something to spare, and so many that may have idle threads, are looked at in a turn. */
const MAX_SEEN = 8

/** At the end of a turn, when all that is ready and could be placed has been. */
export function recallForIdle(state: SchedulerState): void {
  if (state.hoarders.size === 0) return
  const idlest = state.open.peek()
  if (idlest === undefined || !hasIdleThread(idlest)) return
  let hands = idleThreads(state) - state.recallsUnderWay
  for (const hoarder of firstOf(state.hoarders)) {
    if (hands <= 0) return
    hands -= recallFrom(state, hoarder, { idlest, hands })
    // Others come first the next time, so that all are looked at in the end.
    state.hoarders.delete(hoarder)
    state.hoarders.add(hoarder)
  }
}

/** The worker says what it runs, and for how long. */
export function noteHeldUp(state: SchedulerState, worker: WorkerRecord, { running, runningForMs }: Pulse): void {
  worker.heldUpBy = NOT_HELD_UP
  const long = running.flatMap((id, i) => ((runningForMs[i] ?? 0) >= HELD_UP_MS ? (recordOf(state, id) ?? []) : []))
  worker.heldUpBy = long.filter(({ template }) => template.demand?.needs.threads !== 0)
  // A thread may be at a task that nobody wants any more: then nobody will hear of its end.
  if (worker.heldUpBy.length < worker.join.threads) worker.heldUpBy = NOT_HELD_UP
}

/** The worker says that these have started. They are not asked back again. */
export function onTasksKept(state: SchedulerState, worker: WorkerRecord, tasks: readonly TaskId[]): void {
  for (const id of tasks) {
    const task = recordOf(state, id)
    if (task !== undefined && worker.processing.has(task)) noteStarted(task)
    if (task === undefined || worker.recalled.get(task) !== 'asked') continue
    worker.recalled.set(task, 'kept')
    state.recallsUnderWay--
  }
}

/** Asks back the tasks sent last, as many as there are hands, threads do not run, and would start sooner elsewhere. */
function recallFrom(
  state: SchedulerState,
  hoarder: WorkerRecord,
  { idlest, hands }: { readonly idlest: WorkerRecord; readonly hands: number },
): number {
  const { recalled, join } = hoarder
  const tasks = unsuspended(hoarder).slice(Math.max(0, join.threads - hoarder.extraSlots))
  const heldUp = isHeldUp(hoarder)
  const most = heldUp ? MANY : hands
  // They may begin before what is ahead of its inputs there.
  let leftUs = heldUp ? Infinity : queueOf(hoarder)
  let count = 0
  for (let task = tasks.pop(); task !== undefined && count < most; task = tasks.pop()) {
    if (recalled.has(task) || task.attempt >= MAX_STARTS || task.template.demand !== undefined) continue
    const { meanUs = 0 } = task.template.statistics
    leftUs -= meanUs / join.threads
    const thereUs = loadOf(idlest) + RECALL_US + inputsUs(task, idlest)
    if (thereUs >= leftUs + inputsUs(task, hoarder)) continue
    recalled.set(task, 'asked')
    state.recallsUnderWay++
    workerOutboxOf(state, hoarder).addRecalled(task.id)
    count++
  }
  return count
}

/** Those that take a thread, or wait for one. */
function unsuspended({ processing, suspended }: WorkerRecord): Task[] {
  const tasks = [...processing]
  return suspended.size === 0 ? tasks : tasks.filter((task) => !suspended.has(task))
}

function firstOf(hoarders: ReadonlySet<WorkerRecord>): WorkerRecord[] {
  const first: WorkerRecord[] = []
  for (const hoarder of hoarders) {
    first.push(hoarder)
    if (first.length === MAX_SEEN) break
  }
  return first
}

/** Of the least loaded workers. */
function idleThreads({ open }: SchedulerState): number {
  let count = 0
  for (const worker of open.nearTop(MAX_SEEN)) count += idleThreadsOf(worker)
  return count
}
