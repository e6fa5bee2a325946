/**
 * Tasks that can wait. While so much of one function is ready that every thread has enough for a while, nobody gains by hearing of
 * each of its tasks as it ends: its thread is busy anyway, and whoever gathers them waits for the last. But to tell of each wakes
 * worker, scheduler and client, which takes them milliseconds of processor time where each wakes from sleep, and tasks of as many
 * milliseconds lose a third of two processors to it.
 *
 * So workers have more of such tasks ahead, run many of them in a row, and tell of these together. Whatever else comes to the worker
 * goes before them: there is room for it beside them, and a thread that has some of them left gives these back. The less there is
 * still to do the shorter such a row is, so that all threads end together.
 */
import { MAX_AHEAD_PER_THREAD } from './admission.js'
import { mayTakeRoots } from './roots.js'
import type { SchedulerState } from '../state.js'
import type { Task } from '../tasks/task.js'
import type { Template } from '../tasks/template.js'

/** So long a row of tasks may take, in microseconds: what somebody who looks on hardly notices. Two of 60 ms are the longest. */
const MAX_PATIENCE_US = 120_000
/** No more is what others may take in a row, too. */
const MIN_PATIENCE_US = 30_000
/** Each thread is to have so many rows before it, of those that are ready alone: what it is sent is a part of what is left. */
const ROWS_READY = 2

/**
 * How long the tasks that are next may take in a row, if nothing but their threads is needed for them and no other client has
 * anything that is as urgent; 0 if they can't wait.
 */
export function patienceUs(state: SchedulerState): number {
  // What needs more than a thread waits until one is free.
  if (state.demands.size > 0) return 0
  const template = state.ready.nextRoot(mayTakeRoots(state))
  if (template === undefined || !mayWait(template)) return 0
  const { meanUs, tasks } = template.statistics
  if (meanUs === undefined) return 0
  const rowsReady = state.config.rowsReady ?? ROWS_READY
  const readyUs = (meanUs * tasks.ready) / state.threads
  // The shortest are told of by the thousand anyway: a worker has no more of them.
  const mostUs = Math.min(readyUs / rowsReady, (meanUs * MAX_AHEAD_PER_THREAD) / 2)
  for (let us = MAX_PATIENCE_US; us >= MIN_PATIENCE_US && us >= 2 * meanUs; us /= 2) if (us <= mostUs) return us
  return 0
}

/** Can this task, in a row that takes so long? Not where others wait for it. */
export function canWait({ template, pendingDependants }: Task, rowUs: number): boolean {
  const { meanUs = Infinity } = template.statistics
  return 2 * meanUs <= rowUs && pendingDependants === 0 && mayWait(template)
}

function mayWait({ outputs, rules, demand, isScattered }: Template): boolean {
  return outputs === 0 && demand === undefined && !isScattered && !rules.isStream && rules.queueTimeoutMs === 0
}
