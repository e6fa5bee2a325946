/**
 * What is found out about a worker's death for a task that fails with it. The nanny of the worker saw how the process ended,
 * and says so by the process that takes its place; until that joins, or is waited for long enough, the task is condemned and
 * has no outcome yet.
 */
import { formatBytes } from '../../../common/units.js'
import { POST_MORTEM_MS } from '../../../protocol/limits.js'
import type { Join } from '../../../protocol/messages/worker.js'
import type { WorkerDeath } from '../../../protocol/messages/worker-death.js'
import { withdrawWaiters } from '../placing/ahead.js'
import { failTask } from '../tasks/outcome.js'
import { endProgress } from '../tasks/progress.js'
import type { SchedulerState } from '../state.js'
import { hasGiven } from '../tasks/streams.js'
import { keyOf, moveTo, startNumber, type Delayed, type Failure, type Task } from '../tasks/task.js'
import type { WorkerRecord } from './worker-record.js'

/** Tasks that fail with one worker process. */
export interface Condemned {
  readonly worker: WorkerRecord
  /** Why its connection ended. */
  readonly why: string
  readonly tasks: Delayed[]
}

/** The task has been there at more deaths than it may. */
export function condemn(state: SchedulerState, task: Task, worker: WorkerRecord, why: string): void {
  const { join } = worker
  if (!join.isWatched || worker.isLeaving || hasGiven(state, task)) {
    failTask(state, task, failureOf(task, { worker, why, tasks: [] }))
    return
  }
  let condemned = state.condemned.get(join.incarnation)
  if (condemned?.worker !== worker) {
    forgetOthers(state)
    condemned = { worker, why, tasks: [] }
    state.condemned.set(join.incarnation, condemned)
  }
  endProgress(state, task)
  withdrawWaiters(state, task)
  const delayed: Delayed = { type: 'delayed', task, dueMs: state.nowMs + POST_MORTEM_MS, condemned, heapPlace: -1 }
  moveTo(task, delayed)
  state.delayed.push(delayed)
  condemned.tasks.push(delayed)
}

/** All their tasks were cancelled, or let go. */
function forgetOthers({ condemned: all }: SchedulerState): void {
  for (const [incarnation, { tasks }] of all) {
    if (tasks.every((delayed) => delayed.task.state !== delayed)) all.delete(incarnation)
  }
}

/** A worker is there that takes the place of another, or is the same after all. */
export function onSuccessor(state: SchedulerState, { incarnation, lastDeath }: Join): void {
  const condemned = state.condemned.get(incarnation)
  if (condemned !== undefined) execute(state, condemned, lastDeath)
}

/** Nobody came who could say more. */
export function execute(state: SchedulerState, condemned: Condemned, death?: WorkerDeath): void {
  const { join } = condemned.worker
  state.condemned.delete(join.incarnation)
  const found = death?.pid === join.pid ? death : undefined
  for (const delayed of condemned.tasks) {
    const { task } = delayed
    // It may have been cancelled, or let go.
    if (task.state !== delayed) continue
    state.delayed.remove(delayed)
    failTask(state, task, failureOf(task, condemned, found))
  }
}

function failureOf(task: Task, { worker, why }: Condemned, found?: WorkerDeath): Failure {
  const key = keyOf(task)
  const { join, pulse } = worker
  const seen = { pid: join.pid, exitCode: undefined, signal: '', peakMemoryBytes: 0, lines: [], ...found }
  const death = { ...seen, peakMemoryBytes: Math.max(seen.peakMemoryBytes, pulse?.memoryBytes ?? 0) }
  const last = death.lines.at(-1)
  const reason =
    `Task ${key} was running while ${task.deaths === 1 ? 'a worker' : `${task.deaths} workers`} died, the last one ${join.name} ` +
    `(${describe(death, why)}); ${last === undefined ? 'see the log of that worker for what killed it' : `the last that it logged was “${last}”`}.`
  return {
    error: new Uint8Array(0),
    code: 'ERR_HEDDLE_WORKER_LOST',
    reason,
    worker: join.name,
    attempt: startNumber(task),
    culpritKey: key,
    death,
  }
}

function describe({ exitCode, signal, peakMemoryBytes }: WorkerDeath, why: string): string {
  const parts = [why.replace(/\.$/, '')]
  if (signal !== '') parts.push(`it was ended by ${signal}`)
  else if (exitCode !== undefined) parts.push(`it ended with exit code ${exitCode}`)
  if (peakMemoryBytes > 0) parts.push(`it took ${formatBytes(peakMemoryBytes)} of memory at most`)
  return parts.join('; ')
}
