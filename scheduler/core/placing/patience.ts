/**
 * Tasks that can wait. While there is so much of one function to do that every thread has enough for a while, nobody gains by hearing
 * of each of its tasks as it ends: its thread is busy anyway, and whoever gathers them waits for the last. But to tell of each wakes
 * worker, scheduler and client, which takes them milliseconds of processor time where each wakes from sleep, and tasks of as many
 * milliseconds lose a third of two processors to it.
 *
 * So workers have more of such tasks ahead, run a row of them one after another, and tell of these together. Whatever else comes to
 * the worker goes before them: there is room for it beside them, and a thread that has some of them left gives these back. The less
 * there is still to do the shorter a row is, so that all threads end together.
 */
import type { Row } from './admission.js'
import { mayTakeRoots } from './roots.js'
import type { SchedulerState } from '../state.js'
import type { Task } from '../tasks/task.js'
import type { Template } from '../tasks/template.js'

/** So long a row of tasks may take: what somebody who looks on hardly notices. Two of 60 ms are the longest. */
const MAX_ROW_US = 120_000
/** No more is what others may take in a row, too. */
const MIN_ROW_US = 30_000
/**
 * The shortest are told of by the hundred anyway. To have more of them under way than that costs more than it saves: what is known of
 * each is in no cache by the time that it ends.
 */
const MAX_ROW_TASKS = 512
/** Of what is left to do each thread is to have so many rows before it: those that its worker has, and as many more. */
const ROWS_LEFT = 4

/**
 * The row that the next task may be in, with others of its template: if nothing but a thread is needed for it, and no other client
 * has anything that is as urgent.
 */
export function rowOfNext(state: SchedulerState): Row | undefined {
  // What needs more than a thread waits until one is free.
  if (state.demands.size > 0) return undefined
  const template = state.ready.nextRoot(mayTakeRoots(state))
  if (template === undefined || !mayWait(template)) return undefined
  return { template, us: rowUsOf(state, template) }
}

function rowUsOf({ config, threads }: SchedulerState, { statistics: { meanUs, tasks } }: Template): number {
  if (meanUs === undefined) return 0
  const leftUs = (meanUs * (tasks.ready + tasks.processing)) / threads
  const mostUs = Math.min(leftUs / (config.rowsLeft ?? ROWS_LEFT), meanUs * MAX_ROW_TASKS)
  for (let us = MAX_ROW_US; us >= MIN_ROW_US && us >= 2 * meanUs; us /= 2) if (us <= mostUs) return us
  return 0
}

/** Can this one be in the row? Not where others wait for it. */
export function canWait({ template, pendingDependants }: Task, row: Row): boolean {
  return template === row.template && pendingDependants === 0
}

/** Where a time is set, how long ago a task began is to be known; and what gives several values is told of as they come. */
function mayWait({ outputs, rules, demand, isScattered }: Template): boolean {
  if (outputs > 0 || demand !== undefined || isScattered) return false
  return rules.timeoutMs === 0 && rules.queueTimeoutMs === 0 && !rules.isStream
}
