/**
 * Tasks with a time-out. A thread notes in its lane when such a task began, and nothing else is done about it until the
 * time-out may have passed: then the shell looks how long the task has run, and one that has had its time is stopped.
 * Tasks without a time-out cost nothing.
 */
import { runningTask } from './batch.js'
import type { WorkerEvent } from './events.js'
import type { WorkerInstruction } from './instructions.js'
import type { WorkerState } from './state.js'
import { endLentInTime, endTaskInTime } from './stopping.js'

/** Asks after tasks that may have had their time. */
export function lookAtRuns(state: WorkerState, nowMs: number, out: WorkerInstruction[]): void {
  if (state.lent.size > 0) endLentInTime(state, nowMs, out)
  for (const batch of state.batches) {
    if (batch === undefined || batch.lookAtMs > nowMs) continue
    batch.lookAtMs = Infinity
    const task = runningTask(batch)
    // One that is being stopped already has no more time to lose.
    if (task?.state.type !== 'batched') continue
    if (task.template.isIo) {
      // It began with its batch, beside whatever else its thread does.
      endTaskInTime(state, batch, task, out)
      continue
    }
    batch.lookingAt = task
    out.push({ type: 'look-at-run', thread: batch.thread, place: batch.tasks.indexOf(task) })
  }
}

/** The shell's answer to `look-at-run`. What ended before has been said. */
export function onRunLookedAt(
  state: WorkerState,
  { thread, ranMs, nowMs }: Extract<WorkerEvent, { readonly type: 'run-looked-at' }>,
  out: WorkerInstruction[],
): void {
  const batch = state.batches[thread]
  const task = batch?.lookingAt
  if (batch === undefined || task === undefined) return
  batch.lookingAt = undefined
  if (task.state.type !== 'batched') return
  const { timeoutMs } = task.template
  if (ranMs === undefined) batch.lookAtMs = nowMs + timeoutMs
  else if (ranMs < timeoutMs) batch.lookAtMs = nowMs + timeoutMs - ranMs
  else endTaskInTime(state, batch, task, out)
}

/** When to look next. */
export function nextLookMs({ batches }: WorkerState): number | undefined {
  let nextMs = Infinity
  for (const batch of batches) nextMs = Math.min(nextMs, batch?.lookAtMs ?? Infinity)
  return nextMs === Infinity ? undefined : nextMs
}
