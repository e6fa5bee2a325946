/**
 * A scheduler took the place of one that died: for a while it starts nothing, and waits for the workers that its journal
 * names. Each says what it holds and what it runs, so that nothing is done again that somebody has, and no task is sent to a
 * second worker while the first is at it. What nobody came back with after that while is made again, as after any loss.
 */
import { attempt, type TaskId } from '../../../protocol/ids.js'
import { REATTACH_MS } from '../../../protocol/limits.js'
import { adoptAhead, enlist, mayBeAhead, workerOf } from '../placing/ahead.js'
import { adopt } from '../placing/assignment.js'
import { mayAdopt } from '../placing/demand.js'
import { hasUnits } from '../placing/limits.js'
import { tellWanted } from '../tasks/outcome.js'
import { fateByInputs, remake, startOver } from '../tasks/recovery.js'
import { freeUnlessHeld } from '../tasks/retention.js'
import { retryScatters } from '../data/scatter.js'
import type { SchedulerState } from '../state.js'
import { findTask } from '../tasks/task-array.js'
import { isAtHand } from '../tasks/task.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** Those that the journal names may come back from now on. */
export function beginReattaching(state: SchedulerState, nowMs: number): void {
  state.reattachUntilMs = state.awaitedWorkers.size > 0 ? nowMs + REATTACH_MS : nowMs
}

/** Is it too early to start anything? */
export function isReattaching({ reattachUntilMs }: SchedulerState): boolean {
  return reattachUntilMs !== undefined
}

/** The worker has these tasks, or has outcomes of them to tell. Those that run nowhere else are its own again. */
export function onTasksHeld(
  state: SchedulerState,
  worker: WorkerRecord,
  { tasks, attempts }: { readonly tasks: readonly TaskId[]; readonly attempts: readonly number[] },
): void {
  tasks.forEach((id, i) => {
    const task = findTask(state, id)
    const held = attempts[i] ?? 1
    // What was sent since has a higher number; and one that was told farewell has nothing.
    const isOurs = held >= Math.max(1, task?.attempt ?? 1) && !worker.isDismissed
    const isTaken = isOurs && task !== undefined && mayAdopt(task.template, worker, (demand) => hasUnits(state, demand))
    if (isTaken && task.state.type === 'ready') {
      adopt(state, task, worker, attempt(held))
    } else if (isTaken && mayBeAhead(task)) {
      // It runs, so its inputs were there: of them, others have yet to tell.
      adoptAhead(state, task, worker, attempt(held))
      if (worker.isLeaving) enlist(state, task)
    } else if (task === undefined || workerOf(task.state) !== worker) freeUnlessHeld(state, id, worker)
  })
}

/** The worker has said all that it has. */
export function onAttached(state: SchedulerState, worker: WorkerRecord): void {
  worker.isAttached = true
  state.awaitedWorkers.delete(worker.join.incarnation)
}

/** Everybody is back, or has had the time: what nobody has is made again, and work goes on. Called when a turn ends. */
export function endReattaching(state: SchedulerState): void {
  const { reattachUntilMs, awaitedWorkers, nowMs } = state
  if (reattachUntilMs === undefined || (awaitedWorkers.size > 0 && nowMs < reattachUntilMs)) return
  state.reattachUntilMs = undefined
  for (const worker of awaitedWorkers.values()) state.journal?.add({ type: 'worker-went', worker })
  awaitedWorkers.clear()
  for (const array of [...state.arrays.values()]) {
    for (const task of [...array.tasks]) {
      // It had begun when an input failed, and nobody came back with it.
      if (task?.state.type === 'ready' && fateByInputs(task) !== undefined) startOver(state, task)
      if (task?.state.type !== 'in-memory' || task.array !== array) continue
      const { page } = task.state
      if (isAtHand(task.state)) tellWanted(state, task)
      else if (page?.bytes === undefined || task.pendingDependants > 0) remake(state, task)
    }
  }
  retryScatters(state)
}
