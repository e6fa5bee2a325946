/**
 * Tasks that wait for tasks which they submitted. Such a task leaves its batch, its thread runs others, and it goes on
 * beside them when what it waits for is there: its slot is free while it waits, and taken again when it goes on.
 */
import { present } from '../../common/assert.js'
import { entryOf, ownBytes } from '../../common/packed.js'
import { outputOf, type Attempt, type TaskId } from '../../protocol/ids.js'
import { STOP_GRACE_MS } from '../../protocol/limits.js'
import type { Stopper } from '../../protocol/messages/common.js'
import { leaveStops, openTask, watchRun } from './batch.js'
import { learn } from './estimates.js'
import type { WorkerEvent } from './events.js'
import type { WorkerInstruction } from './instructions.js'
import { forgetTask, returnTask } from './let-go.js'
import { holdValue, keepIfHeld } from './on-transfer.js'
import type { WorkerState } from './state.js'
import type { Stop, StopCause } from './stopping.js'
import { GONE, moveTo, type Lent, type Task } from './task.js'

type Event<T extends WorkerEvent['type']> = Extract<WorkerEvent, { readonly type: T }>

export type LentTask = Task & { readonly state: Lent }

/** By what the tasks that are lent are found: two attempts of one task may be. */
export function labelOf(task: TaskId, attempt: Attempt): string {
  return `${task} ${attempt}`
}

export function findLent(state: WorkerState, task: TaskId, attempt: Attempt): LentTask | undefined {
  return state.lent.size === 0 ? undefined : state.lent.get(labelOf(task, attempt))
}

/** How many slots are taken by tasks that are lent and go on. */
export function resumedCount({ lent }: WorkerState): number {
  let count = 0
  for (const { state } of lent.values()) if (!state.isAwaiting) count++
  return count
}

export function onTaskLent(state: WorkerState, event: Event<'task-lent'>, out: WorkerInstruction[]): void {
  const { nowMs, ranMs, canTerminate } = event
  const batch = present(state.batches[event.thread], 'the batch of a thread')
  const task = present(openTask(batch, event.place), 'the task that is lent')
  const isWanted = task.state.type === 'batched'
  const { timeoutMs } = task.template
  batch.open--
  if (!isWanted) batch.abandoned--
  if (batch.recalled?.delete(task) === true && isWanted) state.report.addKept(task)
  const stop = leaveStops(batch, task)
  const lent: Lent = {
    type: 'lent',
    isAwaiting: true,
    isWanted,
    wasAwaiting: false,
    resumedAtMs: nowMs,
    timesOutAtMs: isWanted && timeoutMs > 0 ? nowMs + timeoutMs - (ranMs ?? 0) : Infinity,
    stop,
    stopAtMs: stop === undefined ? Infinity : nowMs + stop.graceMs,
    canTerminate,
    isTerminating: false,
  }
  moveTo(task, lent)
  state.lent.set(labelOf(task.task, task.attempt), task as LentTask)
  if (stop !== undefined) ask(task as LentTask, stop.cause, out)
  state.report.noteAwaiting(task)
  if (batch.isTimed) watchRun(batch, nowMs)
}

export function onLentAwaits(state: WorkerState, { task: id, attempt, isAwaiting, nowMs }: Event<'lent-awaits'>): void {
  const task = findLent(state, id, attempt)
  if (task === undefined) return
  task.state.isAwaiting = isAwaiting
  if (!isAwaiting) task.state.resumedAtMs = nowMs
  state.report.noteAwaiting(task)
}

export function onLentEnded(state: WorkerState, event: Event<'lent-ended'>, out: WorkerInstruction[]): void {
  const task = findLent(state, event.task, event.attempt)
  if (task === undefined) return
  const { outcomes } = event
  const { outputs } = task.template
  const isWanted = close(state, task, 'signal')
  const threw = outcomes.threw.get(0)
  if (threw !== undefined) {
    const error = ownBytes(entryOf(outcomes.values, 0))
    const { task: id, attempt } = task
    const isFinal = threw === 'final'
    if (isWanted) out.push({ type: 'send', message: { type: 'task-failed', task: id, attempt, error, isFinal } })
    return
  }
  const durationUs = Math.max(0, outcomes.durationsUs[0]!)
  let allBytes = 0
  outcomes.sizes.forEach((sizeBytes, i) => {
    const id = outputs === 0 ? task.task : outputOf(task.task, i)
    allBytes += sizeBytes
    if (isWanted) holdValue(state, id, sizeBytes)
    else keepIfHeld(state, id, sizeBytes)
  })
  learn(task.template, durationUs, allBytes)
  if (!isWanted) return
  if (outputs > 0) state.report.addOutputs(task, outcomes, 0, durationUs)
  else state.report.addFinished(task, allBytes, outcomes.values, 0, durationUs)
}

/** What it waits for won't come: it starts again, as a new attempt. What its code still does is nobody's business. */
export function onLentOrphaned(
  state: WorkerState,
  { task: id, attempt, nowMs }: Event<'lent-orphaned'>,
  out: WorkerInstruction[],
): void {
  const task = findLent(state, id, attempt)
  if (task?.state.isWanted !== true) return
  // Whoever takes the scheduler's place sees that nobody has it.
  if (state.link.type === 'absent') forgetTask(state, task)
  else returnTask(state, task)
  stopLent(task, { cause: 'dropped', graceMs: STOP_GRACE_MS }, nowMs, out)
}

/** Does anything go on here of which nobody wants the outcome, or may it? */
export function hasUnwantedRuns({ lent, batches }: WorkerState): boolean {
  return lent.size > 0 || batches.some((batch) => batch !== undefined && batch.abandoned > 0)
}

/** What goes on here of which nobody wants the outcome. */
export function findUnwanted({ lent, batches }: WorkerState): Task[] {
  const found: Task[] = [...lent.values()].filter(({ state }) => !state.isWanted)
  for (const batch of batches) {
    if (batch === undefined || batch.abandoned === 0) continue
    found.push(...batch.tasks.filter(({ state }) => state.type === 'abandoned' && state.batch === batch))
  }
  return found
}

/** Does an earlier run under the same number go on here, of which nobody wants the outcome? The two can't be told apart. */
export function hasUnwantedRun({ lent, batches }: WorkerState, { task: id, attempt }: Task): boolean {
  if (lent.size > 0 && lent.has(labelOf(id, attempt))) return true
  for (const batch of batches) {
    if (batch === undefined || batch.abandoned === 0) continue
    if (batch.tasks.some((each) => each.task === id && each.attempt === attempt && each.state.type === 'abandoned'))
      return true
  }
  return false
}

/** Their thread is gone. What it did not run itself into that starts again, as a new attempt, with no blame. */
export function onLentLost(state: WorkerState, event: Event<'lent-lost'>, out: WorkerInstruction[]): void {
  event.tasks.forEach(({ task: id, attempt }, i) => {
    const task = findLent(state, id, attempt)
    if (task === undefined || !close(state, task, 'thread')) return
    if (i > 0 || !event.hasCulprit) {
      state.report.addReturned(task, true)
      return
    }
    const { reason, isOutOfMemory } = event
    const exitCode = event.exitCode & 0xff
    out.push({ type: 'send', message: { type: 'task-exited', task: id, attempt, exitCode, reason, isOutOfMemory } })
  })
}

/** Returns false when nobody wants what came of it. */
function close(state: WorkerState, task: LentTask, stoppedBy: Stopper): boolean {
  const { isWanted, stop } = task.state
  state.lent.delete(labelOf(task.task, task.attempt))
  if (isWanted) state.tasks.delete(task.task)
  else if (task.template.isCounted && stop?.cause !== 'timed-out') state.report.addReturned(task)
  report(state, task, stoppedBy)
  moveTo(task, GONE)
  state.spills.unpin(task)
  return isWanted
}

/** Nobody wants it any more, or it has had its time: it is asked to end, and if it runs its thread is ended after the grace. */
export function stopLent(task: LentTask, stop: Stop, nowMs: number, out: WorkerInstruction[]): void {
  const { state } = task
  if (state.stop !== undefined) {
    if (stop.cause === 'cancelled') state.stop = stop
    return
  }
  state.stop = stop
  state.stopAtMs = nowMs + stop.graceMs
  ask(task, stop.cause, out)
}

function ask({ task, attempt }: LentTask, cause: StopCause, out: WorkerInstruction[]): void {
  out.push({ type: 'ask-lent-to-stop', task, attempt, cause })
}

/** Goes on where a grace has ended. Returns true when a thread can't be ended. */
export function advanceLentStops(
  state: WorkerState,
  nowMs: number,
  killAfterMs: number,
  out: WorkerInstruction[],
): boolean {
  let isStuck = false
  for (const task of state.lent.values()) {
    const { state: lent } = task
    if (lent.stopAtMs > nowMs) continue
    if (lent.isTerminating) isStuck = true
    else if (lent.isAwaiting || !lent.canTerminate) {
      // It takes no slot, and ends when what it waits for has, or nothing can end it. Its outcome is dropped.
      lent.stopAtMs = Infinity
      report(state, task, 'abandoned')
    } else {
      lent.isTerminating = true
      lent.stopAtMs = nowMs + killAfterMs
      out.push({ type: 'terminate-lent', task: task.task, attempt: task.attempt })
    }
  }
  return isStuck
}

/** Those that have had their time. */
export function findLentOverdue({ lent }: WorkerState, nowMs: number): LentTask[] {
  return [...lent.values()].filter(({ state }) => state.isWanted && state.timesOutAtMs <= nowMs)
}

/** When a grace or a task's time ends; `Infinity` for never. */
export function nextLentMs({ lent }: WorkerState): number {
  let nextMs = Infinity
  for (const { state } of lent.values()) nextMs = Math.min(nextMs, state.stopAtMs, dueMs(state))
  return nextMs
}

function dueMs({ isWanted, timesOutAtMs }: Lent): number {
  return isWanted ? timesOutAtMs : Infinity
}

/** The scheduler is gone, and the next one asked for nothing. */
export function forgetLentStops({ lent }: WorkerState): void {
  for (const { state } of lent.values()) if (state.stop !== undefined) state.stop = { ...state.stop, cause: 'dropped' }
}

/** Its slot is free, or it goes on where nothing stops it: whoever asked for that hears of it, once. */
export function report(state: WorkerState, task: LentTask, stoppedBy: Stopper): void {
  const { stop } = task.state
  task.state.stop = undefined
  if (stop?.cause === 'cancelled') state.report.addStopped(task, stoppedBy)
  else if (stop?.cause === 'timed-out') state.report.addTimedOut(task, stoppedBy === 'abandoned')
}
