/** Which worker has which task, and the load this makes: kept as tasks come and go, never counted up. */
import { giveBack, take, touch } from './demand.js'
import { spendUnits } from './limits.js'
import type { SchedulerState } from '../state.js'
import { rankAgain, readyQueueOf, workerOutboxOf } from '../state.js'
import type { Attempt, TaskId } from '../../../protocol/ids.js'
import { argumentBytesOf, furtherThreadsOf, moveTo, nextAttempt, resumeAttempt, type Task } from '../tasks/task.js'
import { hoards, type WorkerRecord } from '../workers/worker-record.js'

/** Sends a ready task to the worker, as a new attempt. */
export function assign(state: SchedulerState, task: Task, worker: WorkerRecord, patienceUs = 0): void {
  sendTo(state, task, worker)
  if (patienceUs > 0) {
    worker.patientTemplate = task.template
    worker.patient.set(task, patienceUs)
    worker.patientUs += task.template.statistics.meanUs ?? 0
  }
  give(state, task, worker)
  const { demand } = task.template
  if (demand !== undefined && demand.needs.limits.length > 0) spendUnits(state, demand.needs)
  if (task.waiters.length > 0) state.withNews.add(worker)
}

/** The worker hears of a new attempt of the task when the turn ends. */
export function sendTo(state: SchedulerState, task: Task, worker: WorkerRecord): void {
  nextAttempt(task)
  workerOutboxOf(state, worker).addTask(task)
}

/** The worker has this attempt of a ready task already: it was sent there by another scheduler. */
export function adopt(state: SchedulerState, task: Task, worker: WorkerRecord, attempt: Attempt): void {
  resumeAttempt(task, attempt)
  readyQueueOf(state, task.template).markStale()
  give(state, task, worker)
}

/** From here on the task counts as one of the worker's. */
export function give(state: SchedulerState, task: Task, worker: WorkerRecord): void {
  worker.processingState ??= Object.freeze({ type: 'processing', worker })
  moveTo(task, worker.processingState)
  worker.processing.add(task)
  if (task.inputs.length > 0) state.consuming++
  worker.argumentBytes += argumentBytesOf(task)
  const { demand, statistics } = task.template
  if (demand?.needs.threads === 0) worker.ioTasks++
  else if (statistics.meanUs === undefined) worker.untimed++
  else setQueued(state, worker, worker.queuedUs + statistics.meanUs)
  if (demand !== undefined) take(state, demand, worker)
  reorder(state, worker)
}

/** The task has left the worker. The caller moves it on, and calls `reorder` once for all tasks of a message. */
export function unassign(state: SchedulerState, task: Task, worker: WorkerRecord): void {
  if (!worker.processing.delete(task)) return
  freeLeft(state, task, worker)
  if (worker.recalled.size > 0) endRecall(state, worker, task)
  if (worker.patient.size > 0 && worker.patient.delete(task)) {
    const leftUs = worker.patientUs - (task.template.statistics.meanUs ?? 0)
    worker.patientUs = worker.patient.size === 0 ? 0 : Math.max(0, leftUs)
  }
  // One that waits for its children uses nothing up, and is not counted.
  const isSuspended = worker.suspended.size > 0 && worker.suspended.delete(task)
  if (task.inputs.length > 0 && !isSuspended) state.consuming--
  worker.argumentBytes -= argumentBytesOf(task)
  const { demand, statistics } = task.template
  if (demand?.needs.threads === 0) worker.ioTasks -= isSuspended ? 0 : 1
  else if (statistics.meanUs === undefined) worker.untimed--
  else setQueued(state, worker, worker.queuedUs - statistics.meanUs)
  if (isSuspended) worker.extraSlots += furtherThreadsOf(task)
  if (demand !== undefined) giveBack(state, demand, worker)
  if (worker.processing.size === 0 || worker.queuedUs < 0) recountLoad(state, worker)
}

/**
 * The worker has the task no more, or is told so first: what an older attempt left there goes. While it has the task, an order to
 * free that would end this attempt too. Returns false when there is nothing.
 */
export function freeLeft(state: SchedulerState, task: Task, worker: WorkerRecord): boolean {
  if (!forgetLeft(task)) return false
  workerOutboxOf(state, worker).addFree(task.id)
  return true
}

/** What an older attempt left is not there any more, or counts by now. Returns false when there was nothing. */
export function forgetLeft(task: Task): boolean {
  if (task.hasLeft !== true) return false
  task.hasLeft = false
  return true
}

/** It is not expected back any more: the worker has not got it. */
export function endRecall(state: SchedulerState, { recalled }: WorkerRecord, task: Task): void {
  if (recalled.get(task) === 'asked') state.recallsUnderWay--
  recalled.delete(task)
}

/** The worker's load has changed. */
export function reorder(state: SchedulerState, worker: WorkerRecord): void {
  rankAgain(state, worker)
  touch(state, worker)
  const isHoarding = hoards(worker)
  if (isHoarding === worker.isHoarding) return
  worker.isHoarding = isHoarding
  if (isHoarding) state.hoarders.add(worker)
  else state.hoarders.delete(worker)
}

/** Nobody wants the task any more. It takes of the worker until that says that it is done with the attempt. */
export function abandon(state: SchedulerState, task: Task, worker: WorkerRecord): void {
  unassign(state, task, worker)
  const { demand } = task.template
  if (demand !== undefined) {
    take(state, demand, worker)
    worker.lingering.set(attemptLabel(task.id, task.attempt), demand)
  }
  reorder(state, worker)
}

/** The worker is done with an attempt, which may be one that nobody wants any more. */
export function endLingering(state: SchedulerState, worker: WorkerRecord, id: TaskId, attempt: number): void {
  endLingeringAs(state, worker, attemptLabel(id, attempt))
}

/** As `endLingering`, by its label. Returns false when the attempt takes nothing, as far as is known. */
export function endLingeringAs(state: SchedulerState, worker: WorkerRecord, label: string): boolean {
  const demand = worker.lingering.get(label)
  if (demand === undefined) return false
  worker.lingering.delete(label)
  giveBack(state, demand, worker)
  return true
}

/** The worker is gone, and all that its tasks took with it. What they had of the cluster's limits comes back. */
export function giveBackAll(state: SchedulerState, worker: WorkerRecord): void {
  for (const { template } of worker.processing)
    if (template.demand !== undefined) giveBack(state, template.demand, worker)
  for (const demand of worker.lingering.values()) giveBack(state, demand, worker)
}

/** The estimated time of what the worker has, see `WorkerRecord`. */
export function setQueued(state: SchedulerState, worker: WorkerRecord, us: number): void {
  state.queuedUs += us - worker.queuedUs
  worker.queuedUs = us
}

/** Two attempts of a task may end on one worker at the same time. */
export function attemptLabel(id: TaskId, attempt: number): string {
  return `${id} ${attempt}`
}

/**
 * Counts the load afresh. The mean moves between a task's coming and its going, so the sum drifts; it is set right when
 * that is cheap, when the mean has moved much, or when the sum is plainly wrong.
 */
export function recountLoad(state: SchedulerState, worker: WorkerRecord): void {
  let queuedUs = 0
  worker.untimed = 0
  for (const { template } of worker.processing) {
    const { meanUs } = template.statistics
    if (template.demand?.needs.threads === 0) continue
    if (meanUs === undefined) worker.untimed++
    else queuedUs += meanUs
  }
  setQueued(state, worker, queuedUs)
  worker.patientUs = 0
  for (const { template } of worker.patient.keys()) worker.patientUs += template.statistics.meanUs ?? 0
  worker.aheadUs = 0
  for (const { template } of worker.ahead) worker.aheadUs += template.statistics.meanUs ?? 0
}
