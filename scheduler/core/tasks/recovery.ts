/**
 * From a released record to work under way: of a new task, or of one whose value was lost and must be made again,
 * with whatever of its inputs is gone too. Chains may be long, so there is a work list and no recursion.
 */
import { failTask, makeReady, skipTask } from './outcome.js'
import { isWithheld } from '../clients/client-record.js'
import { letStart } from '../clients/missing.js'
import { endProgress } from './progress.js'
import { failureOfWait } from './queue-time-outs.js'
import { isNeeded, letGo } from './retention.js'
import { noteChange } from '../data/spread.js'
import { noteWaiter, withdrawWaiters } from '../placing/ahead.js'
import { beginAwaiting, endAwaiting } from '../placing/roots.js'
import type { SchedulerState } from '../state.js'
import { failureOfBroken, hasGiven } from './streams.js'
import {
  errorRuleOf,
  isAtHand,
  isReadyFor,
  isWaitOver,
  keyOf,
  moveTo,
  RELEASED,
  removeHolder,
  type Failure,
  type Task,
} from './task.js'
import { joinWaiters } from './waiters.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** Sets a released task going, and those released inputs that it needs, and theirs. */
export function wake(state: SchedulerState, task: Task): void {
  wakeAll(state, [task])
}

/** What is to become of a task with an input that failed: it fails for the same reason, or is skipped; or it goes on. */
export function fateByInputs(task: Task): Failure | 'skip' | undefined {
  for (const { state } of task.inputs) {
    if (state.type !== 'failed') continue
    const rule = errorRuleOf(task)
    if (rule === 'pass-error') return undefined
    return rule === 'skip' ? rule : state.failure
  }
  return undefined
}

/**
 * Takes a task (processing, delayed, or ready) to where its inputs allow: ready, waiting for inputs that are being made again,
 * skipped, or failed with one of them.
 */
export function startOver(state: SchedulerState, task: Task): void {
  const fate = hasGiven(state, task) ? failureOfBroken(task) : whyNot(state, task)
  if (fate === 'skip') return skipTask(state, task)
  if (fate !== undefined) return failTask(state, task, fate)
  endProgress(state, task)
  withdrawWaiters(state, task)
  if (task.state.type === 'delayed') state.delayed.remove(task.state)
  const toWake: Task[] = []
  const missing = awaitInputs(state, task, toWake)
  if (missing > 0) moveTo(task, { type: 'waiting', missing, ahead: undefined })
  else if (task.state.type !== 'ready') makeReady(state, task)
  wakeAll(state, toWake)
}

function whyNot(state: SchedulerState, task: Task): Failure | 'skip' | undefined {
  return fateByInputs(task) ?? (isWaitOver(task) ? failureOfWait(state, task) : undefined)
}

/** A copy of the value turned out to be gone. If it was the last one, and somebody needs it, it is made again. */
export function loseCopy(state: SchedulerState, task: Task, holder: WorkerRecord): void {
  if (task.state.type !== 'in-memory') return
  removeHolder(task.state, holder)
  noteChange(state, task.id)
  if (isAtHand(task.state)) return
  const { page } = task.state
  // The scheduler's own copy answers clients, but workers can't fetch it: it is enough while no task needs the value.
  if (page?.bytes !== undefined && task.pendingDependants === 0) return
  // Who is not back yet may have one too: see reattach.ts.
  if (state.reattachUntilMs === undefined) remake(state, task)
}

/** Gives up a value that can't be had any more, and has it made again if somebody needs it. */
export function remake(state: SchedulerState, task: Task): void {
  loseValue(state, task)
  if (isNeeded(task)) wake(state, task)
  else letGo(state, task)
}

/** As `wake`, for many. The list is used up. */
export function wakeAll(state: SchedulerState, work: Task[]): void {
  for (let task = work.pop(); task !== undefined; task = work.pop()) {
    // What needed it may have failed since it came onto the list, for want of another input.
    if (task.state.type !== 'released' || !isNeeded(task)) continue
    const fate = fateByInputs(task)
    if (fate !== undefined) {
      if (fate === 'skip') skipTask(state, task)
      else failTask(state, task, fate)
      continue
    }
    if (task.template.isScattered) {
      failTask(state, task, failureOfLost(task))
      continue
    }
    for (const input of task.inputs) if (input.pendingDependants++ === 0) beginAwaiting(state, input)
    if (!isWithheld(task.array.client, task)) letStart(state, task.inputs)
    const missing = awaitInputs(state, task, work)
    if (missing > 0) moveTo(task, { type: 'waiting', missing, ahead: undefined })
    else makeReady(state, task)
  }
}

/** Enters the task with each input that is not as it needs it. Returns how many; appends those that nobody works on. */
function awaitInputs(state: SchedulerState, task: Task, toWake: Task[]): number {
  let missing = 0
  for (const input of task.inputs) {
    if (isReadyFor(task, input)) continue
    // While workers may still come back with it, nothing is made again: see reattach.ts.
    if (state.reattachUntilMs !== undefined && input.state.type === 'in-memory') continue
    missing++
    joinWaiters(input, task)
    noteWaiter(state, input)
    if (input.state.type === 'in-memory') loseValue(state, input)
    if (input.state.type === 'released') toWake.push(input)
  }
  return missing
}

/** Whoever reads the journal is to know it: what clients say of a task means another thing while it has no outcome. */
function loseValue(state: SchedulerState, task: Task): void {
  state.journal?.addLost(task.id)
  giveUpValue(state, task)
}

/** Gives up the scheduler's view of a value, and its own copy. The caller moves the task on. */
export function giveUpValue(state: SchedulerState, task: Task): void {
  if (task.state.type !== 'in-memory') return
  if (task.pendingDependants > 0) endAwaiting(state, task)
  state.inline.release(task.state)
  if (task.silent !== undefined) task.silent = undefined
  moveTo(task, RELEASED)
  noteChange(state, task.id)
}

/** A scattered value came from a client, and nothing here can make it again. */
export function failureOfLost(task: Task): Failure {
  const key = keyOf(task)
  const reason =
    `The scattered value ${key} was only on workers that are gone, or was released before it was needed again; ` +
    'scatter it once more, or with { broadcast: true }.'
  return { error: new Uint8Array(0), code: 'ERR_HEDDLE_WORKER_LOST', reason, worker: '', attempt: 0, culpritKey: key }
}
