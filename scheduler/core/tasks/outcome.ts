/** A task has an outcome: whoever waits for it is told, its dependants go on, fail or are skipped, its inputs may go. */
import { leaveFailure, letGo, noLongerPending } from './retention.js'
import { confirm, withdraw } from '../placing/ahead.js'
import { beginAwaiting, hurryLastInput } from '../placing/roots.js'
import { SKIPPED } from '../data/inline-cache.js'
import { noteChange } from '../data/spread.js'
import type { WorkerRecord } from '../workers/worker-record.js'
import { outboxOf, readyQueueOf, type SchedulerState } from '../state.js'
import { HELD, WANTED, type TaskArray } from './task-array.js'
import { taskId, type TaskId } from '../../../protocol/ids.js'
import type { ErrorCode } from '../../../protocol/errors.js'
import { SKIPPED_VALUE } from '../../../protocol/skipped.js'
import {
  errorRuleOf,
  isPending,
  keyOf,
  moveTo,
  noteStarted,
  outputCountOf,
  READY,
  RELEASED,
  type Failure,
  type InMemory,
  type Task,
} from './task.js'
import { leaveWaiters, takeWaiters } from './waiters.js'

/** The value of a pending task is there. */
export function finishTask(state: SchedulerState, task: Task, value: InMemory): void {
  const wasWaiting = task.state.type === 'waiting'
  if (task.state.type === 'delayed') state.delayed.remove(task.state)
  state.journal?.addFinished(task.id, value)
  moveTo(task, value)
  if (value.holders.length === 0 && value.page !== undefined) value.page.lone++
  if (task.pendingDependants > 0) beginAwaiting(state, task)
  noteChange(state, task.id)
  if (wasWaiting) leaveWaiters(task)
  task.misses = 0
  task.staysBack = false
  task.failures = 0
  noteStarted(task)
  noLongerPending(state, task)
  for (const waiter of takeWaiters(task)) arriveAt(state, waiter)
  tell(state, task)
  task.isDetached = false
  letGo(state, task)
}

/** An input of the task is there. */
function arriveAt(state: SchedulerState, waiter: Task): void {
  if (waiter.state.type !== 'waiting') return
  waiter.state.missing--
  if (waiter.state.missing === 0) {
    if (!confirm(state, waiter)) makeReady(state, waiter)
  } else if (waiter.state.missing === 1) hurryLastInput(state, waiter)
}

/**
 * An input of a task without an outcome failed, and it is not to run then: its value, or that of each of its outputs, is
 * `undefined`. What needs it goes on.
 */
export function skipTask(state: SchedulerState, task: Task): void {
  if (task.state.type === 'ready') readyQueueOf(state, task.template).markStale()
  else if (task.state.type === 'waiting') withdraw(state, task)
  else if (task.state.type === 'released') {
    for (const input of task.inputs) if (input.pendingDependants++ === 0) beginAwaiting(state, input)
    moveTo(task, { type: 'waiting', missing: 0, ahead: undefined })
  }
  const count = outputCountOf(task)
  if (count === 0) {
    finishTask(state, task, skipped())
    return
  }
  const { array, index } = task
  endProducer(state, task)
  for (let i = 1; i <= count; i++) {
    const output = array.tasks[index + i]
    if (output?.state.type === 'waiting') finishTask(state, output, skipped())
  }
}

/** One for each task: who was given the value is noted in it. */
function skipped(): InMemory {
  return { type: 'in-memory', holders: NOBODY, sizeBytes: SKIPPED_VALUE.length, page: SKIPPED, start: 0 }
}

const NOBODY: readonly WorkerRecord[] = Object.freeze([])

/** The task fails, and with it every task that waits for its value, and theirs; but for those that go on without it. */
export function failTask(state: SchedulerState, task: Task, failure: Failure): void {
  const isCancelled = failure.code === 'ERR_HEDDLE_TASK_CANCELLED'
  if (!isCancelled && isCulprit(task, failure)) state.errors.note(task, failure, state.nowMs, false)
  const work = [task]
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    if (next.state.type === 'failed') continue
    const wasPending = isPending(next)
    const wasWaiting = next.state.type === 'waiting'
    if (next.state.type === 'ready') readyQueueOf(state, next.template).markStale()
    else if (next.state.type === 'delayed') state.delayed.remove(next.state)
    else if (next.state.type === 'waiting') withdraw(state, next)
    state.journal?.addFailed(next.id, failure)
    moveTo(next, { type: 'failed', failure })
    if (next.inputs.length > 0) joinVictims(state, next, failure)
    noteChange(state, next.id)
    if (wasWaiting) leaveWaiters(next)
    // Totals count runs: the outputs of one that fails are no further failures, and what was cancelled is none.
    if (next.producer === undefined && isCancelled) state.totals.cancelled++
    else if (next.producer === undefined) {
      countFailure(state, next)
      if (next.template.rules.maxFailures > 0) countForStop(state, next)
    }
    const waiters = takeWaiters(next)
    if (state.reattachUntilMs === Infinity) for (const waiter of waiters) awaitRecord(state, waiter)
    for (const waiter of waiters) {
      if (waiter.state.type === 'waiting' && errorRuleOf(waiter) === 'fail') work.push(waiter)
    }
    tell(state, next)
    next.isDetached = false
    if (wasPending) noLongerPending(state, next)
    // The others go on, and may be the last that needs this failure.
    for (const waiter of waiters) {
      const rule = errorRuleOf(waiter)
      if (rule === 'pass-error') arriveAt(state, waiter)
      else if (rule === 'skip' && waiter.state.type === 'waiting') skipTask(state, waiter)
    }
    letGo(state, next)
  }
}

/**
 * A journal is read, which names every task that failed or was skipped with an input. One that it does not name went on: it had begun
 * ahead of news of that input, or had the value before this was lost, which a snapshot does not tell. A worker may come back with it, or
 * with its value; else it fails once all are back (reattach.ts). Outputs go with what makes them.
 */
function awaitRecord(state: SchedulerState, waiter: Task): void {
  if (waiter.state.type !== 'waiting' || waiter.producer !== undefined || errorRuleOf(waiter) === 'pass-error') return
  makeReady(state, waiter)
  leaveWaiters(waiter)
}

/** Was it left to a record of its own, for an input of it failed by what was read? */
export function awaitsRecord({ reattachUntilMs }: SchedulerState, task: Task): boolean {
  if (reattachUntilMs !== Infinity || task.state.type !== 'ready' || errorRuleOf(task) === 'pass-error') return false
  return task.inputs.some(({ state }) => state.type === 'failed')
}

/** A journal says why the task failed, which had failed with another of its inputs by what was read before. */
export function changeFailure(state: SchedulerState, task: Task, failure: Failure): void {
  if (task.state.type !== 'failed') return
  leaveFailure(state, task, task.state.failure)
  moveTo(task, RELEASED)
  if (failure.code !== 'ERR_HEDDLE_TASK_CANCELLED' && isCulprit(task, failure)) {
    state.errors.note(task, failure, state.nowMs, false)
  }
  moveTo(task, { type: 'failed', failure })
  if (task.inputs.length > 0) joinVictims(state, task, failure)
}

/** Others fail because it did, later too: they are no failures of their own. */
function isCulprit(task: Task, { culpritKey }: Failure): boolean {
  return culpritKey === '' || culpritKey === keyOf(task)
}

/** It may have failed with others, for want of an input. */
function joinVictims(state: SchedulerState, task: Task, failure: Failure): void {
  const victims = state.victims.get(failure)
  if (victims === undefined) state.victims.add(failure, new Set([task]))
  else victims.add(task)
}

/** One of the tasks of a call that stops after so many failures. */
function countForStop(state: SchedulerState, task: Task): void {
  const { template } = task
  template.failures++
  const { maxFailures } = template.rules
  if (template.failures < maxFailures || template.stop !== undefined) return
  const key = keyOf(task)
  const count = maxFailures === 1 ? 'a task' : `${maxFailures} tasks`
  const reason = `It was cancelled because ${count} of the same call failed, as its maxFailures says; the last one is ${key}.`
  template.stop = refusal('ERR_HEDDLE_TASK_CANCELLED', reason, key)
  state.mapsToStop.add(template)
}

export function countFailure(state: SchedulerState, task: Task): void {
  task.template.statistics.failed++
  state.totals.failed++
}

/**
 * A task with several outputs ran, or was skipped: they have the values, and it has none. The caller finishes those that wait
 * for it.
 */
export function endProducer(state: SchedulerState, producer: Task): void {
  const wasWaiting = producer.state.type === 'waiting'
  if (producer.state.type === 'delayed') state.delayed.remove(producer.state)
  producer.failures = 0
  noteStarted(producer)
  moveTo(producer, RELEASED)
  noteChange(state, producer.id)
  if (wasWaiting) leaveWaiters(producer)
  takeWaiters(producer)
  noLongerPending(state, producer)
}

/** Why a task fails that was not taken. */
export function refusal(code: ErrorCode, reason: string, key = ''): Failure {
  return { error: new Uint8Array(0), code, reason, worker: '', attempt: 0, culpritKey: key }
}

export function inputReleased(key?: string): Failure {
  const reason = 'A future among the arguments was released before this task was submitted; keep it until then.'
  return refusal('ERR_HEDDLE_RELEASED', reason, key)
}

/** The task's inputs are all in memory: it enters the ready queue. */
export function makeReady(state: SchedulerState, task: Task): void {
  moveTo(task, READY)
  readyQueueOf(state, task.template).addTask(task)
}

/** A client waits for this value: it is answered now, or when the task has an outcome. */
export function wantValue(state: SchedulerState, array: TaskArray, index: number): void {
  array.flags[index]! |= WANTED
  const task = array.tasks[index]
  if (task !== undefined) tellOne(state, task, array, index)
}

/** Tells everyone who holds a future of the task. */
function tell(state: SchedulerState, task: Task): void {
  tellOne(state, task, task.array, task.index)
  if (task.aliases === undefined) return
  for (const { array, index } of task.aliases) tellOne(state, task, array, index)
}

/** Tells the client of one future, if the task has an outcome. */
export function tellOne(state: SchedulerState, task: Task, array: TaskArray, index: number): void {
  const flags = array.flags[index]!
  if ((flags & HELD) === 0) return
  const id = taskId(array.id, index)
  const isWanted = (flags & WANTED) !== 0
  if (task.state.type === 'failed') {
    array.flags[index] = HELD
    outboxOf(state, array.client).addFailed(id, task.state.failure)
  } else if (task.state.type === 'in-memory') {
    if (isWanted && mayComeBack(state, task.state)) return
    array.flags[index] = HELD
    if (isWanted) tellValue(state, array, id, task, task.state)
    else outboxOf(state, array.client).addFinished(id)
  }
}

/** Answers those who asked for the value while workers might still come back with it. */
export function tellWanted(state: SchedulerState, task: Task): void {
  const places = [task, ...(task.aliases ?? [])]
  for (const { array, index } of places) if ((array.flags[index]! & WANTED) !== 0) tellOne(state, task, array, index)
}

/** Nobody has the value now, and not all workers are back that may have it: see reattach.ts. */
function mayComeBack({ reattachUntilMs }: SchedulerState, { holders, page }: InMemory): boolean {
  return reattachUntilMs !== undefined && holders.length === 0 && page?.bytes === undefined
}

/** The value itself if the scheduler has it, else where it is. */
function tellValue(state: SchedulerState, array: TaskArray, id: TaskId, task: Task, value: InMemory): void {
  const outbox = outboxOf(state, array.client)
  if (value.page?.bytes !== undefined) {
    outbox.addValue(id, value.page.bytes, value.start, value.start + value.sizeBytes)
    return
  }
  const holders = value.holders.map(({ join }) => join.address)
  const workers = value.holders.map(({ id: worker }) => worker)
  outbox.add({ type: 'located', task: id, heldAs: task.id, sizeBytes: value.sizeBytes, holders, workers })
}
