/**
 * Tasks whose slots must become free, whatever they do: they were cancelled, nobody wants them any more, or they run for
 * too long. What has not started goes at once. For what may run, its thread is first kept from starting more, so that
 * nothing but that task can be hit; then it is asked to end, if it took `task.signal`; then its thread is terminated; and
 * when even that has no effect, native code holds it, and the process goes.
 */
import type { Stopper } from '../../protocol/messages/common.js'
import type { Attempt, TaskId } from '../../protocol/ids.js'
import { KILL_AFTER_MS, STOP_GRACE_MS } from '../../protocol/limits.js'
import type { StopTasks } from '../../protocol/messages/worker.js'
import { isOpen, type Batch } from './batch.js'
import type { WorkerEvent } from './events.js'
import type { WorkerInstruction } from './instructions.js'
import { forgetTask, letTaskGo, returnTask } from './let-go.js'
import {
  advanceLentStops,
  findLent,
  findLentOverdue,
  forgetLentStops,
  nextLentMs,
  report as reportLent,
  stopLent,
  type LentTask,
} from './lending.js'
import type { WorkerState } from './state.js'
import type { Task } from './task.js'

/**
 * Why a task is to stop, and so who hears of it: `dropped`, nobody; `timed-out`, the scheduler, that it failed; `cancelled`,
 * the scheduler, how its slot became free.
 */
export type StopCause = 'dropped' | 'timed-out' | 'cancelled'

/** A task that is to stop. A later cause takes the place of an earlier one in the order above. */
export interface Stop {
  readonly cause: StopCause
  /** What the task has to end by itself once it was told. */
  readonly graceMs: number
}

/** How the task that a thread runs is being stopped. */
export interface Stopping {
  readonly task: Task
  /** `asked`: the shell looks whether the task can be told. `told`: it was. `terminating`: its thread is being ended. */
  stage: 'asked' | 'told' | 'terminating'
  /** What comes next is due then. */
  deadlineMs: number
  /** Could its thread be terminated? */
  canTerminate: boolean
  /** Did it take its signal? */
  isListening: boolean
}

export function onStopTasks(
  state: WorkerState,
  { tasks, attempts, graceMs }: StopTasks,
  nowMs: number,
  out: WorkerInstruction[],
): void {
  tasks.forEach((id, i) => {
    const attempt = attempts[i] as Attempt
    const task = findAttempt(state, id, attempt)
    const lent = findLent(state, id, attempt)
    if (lent !== undefined) endLent(state, lent, { cause: 'cancelled', graceMs }, nowMs, out)
    else if (task === undefined) state.report.addStopped({ task: id, attempt }, 'none')
    else cancelTask(state, task, graceMs, out)
  })
}

function cancelTask(state: WorkerState, task: Task, graceMs: number, out: WorkerInstruction[]): void {
  const batch = isOpen(task.state) ? task.state.batch : undefined
  forgetTask(state, task)
  if (batch === undefined) state.report.addStopped(task, 'queue')
  else stop(batch, task, { cause: 'cancelled', graceMs }, out)
}

/** Nobody wants the task any more. It may be about to end, so it has its grace even if it can't be told. */
export function dropTask(state: WorkerState, task: Task, nowMs: number, out: WorkerInstruction[]): void {
  const lent = findLent(state, task.task, task.attempt)
  if (lent !== undefined) return endLent(state, lent, { cause: 'dropped', graceMs: STOP_GRACE_MS }, nowMs, out)
  const batch = isOpen(task.state) ? task.state.batch : undefined
  letTaskGo(state, task)
  if (batch !== undefined) stop(batch, task, { cause: 'dropped', graceMs: STOP_GRACE_MS }, out)
}

/** The task has had its time. It has failed, whatever it still does. */
export function endTaskInTime(state: WorkerState, batch: Batch, task: Task, out: WorkerInstruction[]): void {
  forgetTask(state, task)
  stop(batch, task, { cause: 'timed-out', graceMs: STOP_GRACE_MS }, out)
}

/** As the others, of a task whose thread runs others. */
function endLent(state: WorkerState, task: LentTask, wanted: Stop, nowMs: number, out: WorkerInstruction[]): void {
  forgetTask(state, task)
  stopLent(task, wanted, nowMs, out)
}

/** Tasks whose threads run others, and that have had their time. */
export function endLentInTime(state: WorkerState, nowMs: number, out: WorkerInstruction[]): void {
  for (const task of findLentOverdue(state, nowMs)) {
    endLent(state, task, { cause: 'timed-out', graceMs: STOP_GRACE_MS }, nowMs, out)
  }
}

function stop(batch: Batch, task: Task, wanted: Stop, out: WorkerInstruction[]): void {
  batch.stops ??= new Map()
  const known = batch.stops.get(task)
  if (known === undefined || wanted.cause === 'cancelled') batch.stops.set(task, wanted)
  const { stopping } = batch
  // Now it is to go at once, unless it was told that it is to end.
  if (stopping?.task === task && stopping.stage === 'told' && !stopping.isListening) stopping.deadlineMs = -Infinity
  if (batch.tail === 'given') batch.tail = 'wanted'
  else if (batch.tail === 'cut') beginStopping(batch, out)
}

/** The scheduler is gone, and the next one asked for nothing: what is being stopped is nobody's business any more. */
export function forgetStops(state: WorkerState): void {
  const { batches } = state
  forgetLentStops(state)
  for (const batch of batches) {
    for (const [task, { graceMs }] of batch?.stops ?? []) batch?.stops?.set(task, { cause: 'dropped', graceMs })
  }
}

/** The thread starts no more of its batch: if what it runs now is to stop, it is asked to. */
export function beginStopping(batch: Batch, out: WorkerInstruction[]): void {
  if (batch.stops === undefined || batch.stopping !== undefined) return
  for (const [task, { cause }] of batch.stops) {
    if (!isOpen(task.state)) continue
    batch.stopping = { task, stage: 'asked', deadlineMs: Infinity, canTerminate: true, isListening: false }
    if (task.template.isIo) out.push({ type: 'ask-io-to-stop', slot: batch.thread, cause })
    else out.push({ type: 'ask-to-stop', thread: batch.thread, place: batch.tasks.indexOf(task), cause })
    return
  }
}

/** The shell's answer to `ask-to-stop`. The task may have ended just before. */
export function onStopAsked(
  state: WorkerState,
  { thread, wasTold, canTerminate, nowMs }: Extract<WorkerEvent, { readonly type: 'stop-asked' }>,
  out: WorkerInstruction[],
): void {
  const batch = state.batches[thread]
  const stopping = batch?.stopping
  if (batch === undefined || stopping?.stage !== 'asked') return
  if (!isOpen(stopping.task.state)) {
    // It had ended, and only word of it was under way: what the thread runs now is another's, and must not be hit.
    batch.stopping = undefined
    report(state, batch, stopping.task, 'none')
    beginStopping(batch, out)
    return
  }
  const { cause, graceMs } = batch.stops!.get(stopping.task)!
  stopping.canTerminate = canTerminate
  stopping.isListening = wasTold
  stopping.stage = 'told'
  const hasGrace = wasTold || cause === 'dropped'
  stopping.deadlineMs = hasGrace ? nowMs + graceMs : nowMs
  if (!hasGrace) endGrace(state, batch, stopping, nowMs, out)
}

/** Goes on where a grace has ended. Returns true when this process can't go on: native code holds one of its threads. */
export function advanceStopping(state: WorkerState, nowMs: number, out: WorkerInstruction[]): boolean {
  let isStuck = false
  for (const batch of state.batches) {
    const stopping = batch?.stopping
    if (batch === undefined || stopping === undefined || stopping.deadlineMs > nowMs) continue
    if (stopping.stage === 'told') endGrace(state, batch, stopping, nowMs, out)
    else if (stopping.stage === 'terminating') isStuck = true
  }
  return state.lent.size > 0 ? advanceLentStops(state, nowMs, KILL_AFTER_MS, out) || isStuck : isStuck
}

function endGrace(state: WorkerState, batch: Batch, stopping: Stopping, nowMs: number, out: WorkerInstruction[]): void {
  if (!stopping.canTerminate) {
    // It ends when it ends. Its outcome is dropped, and nobody waits for its slot.
    report(state, batch, stopping.task, 'abandoned')
    batch.stopping = undefined
    return
  }
  stopping.stage = 'terminating'
  stopping.deadlineMs = nowMs + KILL_AFTER_MS
  out.push({ type: 'terminate', thread: batch.thread })
}

/** A task of the batch has an outcome, or went back. The one that is being stopped is reported when its slot is free. */
export function noteClosed(state: WorkerState, batch: Batch, task: Task, stoppedBy: Stopper): void {
  if (batch.stops?.has(task) === true && batch.stopping?.task !== task) report(state, batch, task, stoppedBy)
}

/** The slot is free. */
export function endStopping(state: WorkerState, batch: Batch, how: 'ended' | 'exited'): void {
  const { stopping } = batch
  if (stopping === undefined) return
  batch.stopping = undefined
  const byItself = stopping.stage === 'asked' ? 'none' : 'signal'
  report(state, batch, stopping.task, how === 'exited' ? 'thread' : byItself)
}

/** When the next grace ends. */
export function nextStopMs(state: WorkerState): number | undefined {
  let nextMs = nextLentMs(state)
  for (const batch of state.batches) nextMs = Math.min(nextMs, batch?.stopping?.deadlineMs ?? Infinity)
  return nextMs === Infinity ? undefined : nextMs
}

/** Will the scheduler hear that the task failed, once its slot is free? */
export function hasTimedOut({ stops }: Batch, task: Task): boolean {
  return stops?.get(task)?.cause === 'timed-out'
}

/** Tasks that had their time, and of which the scheduler hears once their slots are free: until then it counts on them. */
export function findTimedOut({ batches, lent }: WorkerState): Task[] {
  const found: Task[] = []
  for (const batch of batches) {
    for (const [task, { cause }] of batch?.stops ?? []) if (cause === 'timed-out') found.push(task)
  }
  for (const task of lent.values()) if (task.state.stop?.cause === 'timed-out') found.push(task)
  return found
}

/** What else ran or waited here goes back, with no blame: it is not why this process ends. */
export function giveUpAll(state: WorkerState): void {
  for (const task of state.tasks.values()) returnTask(state, task)
  for (const batch of state.batches) {
    for (const task of [...(batch?.stops?.keys() ?? [])])
      if (hasTimedOut(batch!, task)) report(state, batch!, task, 'process')
  }
  for (const task of state.lent.values()) if (task.state.stop?.cause === 'timed-out') reportLent(state, task, 'process')
}

/** Nothing else frees the slot. */
export function abort(state: WorkerState, out: WorkerInstruction[]): void {
  state.link = { type: 'closed' }
  const reason = 'A stopped task did not end with its thread: native code holds it. The worker process ends with it.'
  out.push({ type: 'abort', reason })
}

function report(state: WorkerState, batch: Batch, task: Task, stoppedBy: Stopper): void {
  const cause = batch.stops?.get(task)?.cause
  batch.stops?.delete(task)
  if (cause === 'cancelled') state.report.addStopped(task, stoppedBy)
  else if (cause === 'timed-out') state.report.addTimedOut(task, stoppedBy === 'abandoned')
}

/** Also one that was let go of, and may run all the same. */
function findAttempt(state: WorkerState, id: TaskId, attempt: Attempt): Task | undefined {
  const known = state.tasks.get(id)
  if (known !== undefined) return known.attempt === attempt ? known : undefined
  for (const batch of state.batches) {
    const task = batch?.tasks.find((each) => each.task === id && each.attempt === attempt)
    if (task !== undefined && isOpen(task.state)) return task
  }
  return undefined
}
