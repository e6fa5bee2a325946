/**
 * What failed by its own doing, and is tried again: tasks whose code threw, that took their thread along, or that had their
 * time. Only such failures count here; what goes wrong around a task (a worker that dies, an input that can't be had) is no
 * failure of the task, and has limits of its own. Until its delay is over a task is `delayed`, and keeps its inputs.
 */
import type { Rng } from '../../../common/rng.js'
import type { RetryRules } from '../../../protocol/messages/rules.js'
import { withdrawWaiters } from '../placing/ahead.js'
import { failTask } from './outcome.js'
import { execute } from '../workers/post-mortem.js'
import { endProgress } from './progress.js'
import { startOver } from './recovery.js'
import type { SchedulerState } from '../state.js'
import { hasGiven } from './streams.js'
import { moveTo, noteStarted, type Delayed, type Failure, type Task } from './task.js'

/** A run of the task failed. It is tried again, unless it has had its tries or the error is `final`. */
export function endRun(state: SchedulerState, task: Task, failure: Failure, end: 'failed' | 'final' = 'failed'): void {
  const { rules, stop } = task.template
  const { retries } = rules
  // The call it is of was stopped in this very turn: it is one of the rest.
  if (stop !== undefined) return failTask(state, task, stop)
  // A stream that gave values can't give them again.
  if (end === 'final' || task.failures >= retries.count || hasGiven(state, task)) {
    failTask(state, task, failure)
    return
  }
  task.failures++
  noteStarted(task)
  keepTries(state, task)
  state.totals.retried++
  state.errors.note(task, failure, state.nowMs, true)
  const delayMs = delayOf(retries, task.failures, state.rng)
  if (delayMs === 0) {
    startOver(state, task)
    return
  }
  endProgress(state, task)
  withdrawWaiters(state, task)
  const delayed: Delayed = { type: 'delayed', task, dueMs: state.nowMs + delayMs, heapPlace: -1 }
  moveTo(task, delayed)
  state.delayed.push(delayed)
}

/** How often the task was tried outlives the scheduler. */
export function keepTries({ journal }: SchedulerState, { id, failures, deaths, attempt, unstarted }: Task): void {
  journal?.add({ type: 'tried', task: id, failures, deaths, attempt, unstarted })
}

/** Those whose delay is over go on. */
export function wakeDelayed(state: SchedulerState): void {
  for (let next = state.delayed.peek(); next !== undefined && next.dueMs <= state.nowMs; next = state.delayed.peek()) {
    if (next.condemned === undefined) startOver(state, next.task)
    else execute(state, next.condemned)
  }
}

/** After so many failures, in whole milliseconds. */
export function delayOf(
  { delayMs, isExponential, maxDelayMs, jitterThousandths }: RetryRules,
  failures: number,
  rng: Rng,
): number {
  const full = Math.min(maxDelayMs, isExponential ? delayMs * 2 ** (failures - 1) : delayMs)
  return jitterThousandths === 0 ? full : Math.round(full * (1 - (jitterThousandths / 1_000) * rng.next()))
}
