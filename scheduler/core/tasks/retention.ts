/**
 * Who still needs a key. A value stays while a client holds its future or a wanted dependant has no outcome yet; work
 * that a client detached goes on until it has an outcome; a
 * record stays, beyond that, while a dependant has one, for a lost value is made again from its inputs. What nobody
 * needs goes at once, with all that only it needed. Chains may be long, so there is a work list and no recursion.
 */
import { assert } from '../../../common/assert.js'
import { arrayOf, indexOf, outputOf, type TaskId } from '../../../protocol/ids.js'
import type { ClientRecord } from '../clients/client-record.js'
import { withdraw } from '../placing/ahead.js'
import { abandon } from '../placing/assignment.js'
import { endNesting, isKeptByParent, tellParentEnded } from './nesting.js'
import { endProgress } from './progress.js'
import { endAwaiting } from '../placing/roots.js'
import { noteChange } from '../data/spread.js'
import { outboxOf, readyQueueOf, workerOutboxOf, type SchedulerState } from '../state.js'
import { uncountInputs } from './stages.js'
import { endStream } from './streams.js'
import { HELD, WANTED, leavePlace, templateAt, type TaskArray } from './task-array.js'
import { isHolder, isPending, moveTo, outputCountOf, RELEASED, type Failure, type Task } from './task.js'
import { forgetTask as leaveTemplate } from './templates.js'
import { leaveWaiters } from './waiters.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** So many that go leave some 70 MB of garbage. */
const MANY_TASKS = 250_000
/** The fewer there are, the less collecting costs: while more than this part of as many still have a record, it waits. */
const MOST_LEFT = 1 / 8
/** Of twice as many the garbage is twice as much: it is collected beside more. */
const MOST_LEFT_OF_TWICE = 1 / 4

/** Does a client hold a future of it, or want it to go on without one; or the scheduler, because it is published? */
export function isHeld(task: Task): boolean {
  if ((task.array.flags[task.index]! & HELD) !== 0 || task.isDetached || task.publications > 0) return true
  return task.aliases?.some(({ array, index }) => (array.flags[index]! & HELD) !== 0) ?? false
}

export function isNeeded(task: Task): boolean {
  return task.pendingDependants > 0 || isHeld(task)
}

/** A client lets go of one future. */
export function releaseFuture(state: SchedulerState, array: TaskArray, index: number): void {
  if ((array.flags[index]! & HELD) === 0) return
  const task = array.tasks[index]
  forgo(state, array, index)
  if (task === undefined) {
    // It never ran and has no record: nothing but its place in the array is left to give back.
    const template = templateAt(array, index)
    template.statistics.tasks.ready--
    leaveTemplate(state, template)
    leaveArray(state, array, index)
    return
  }
  letGo(state, task)
}

/** The client is told nothing more of the future. The task stays: the caller sees to what becomes of it. */
export function forgo(state: SchedulerState, array: TaskArray, index: number): void {
  array.flags[index] = 0
  const task = array.tasks[index]
  if (task !== undefined && (task.array !== array || task.index !== index)) removeAlias(state, task, array, index)
}

/** A client lets go of everything. */
export function releaseAll(state: SchedulerState, client: ClientRecord): void {
  for (const array of [...client.arrays]) {
    if (isKeptByParent(state, array)) {
      for (let index = 0; index < array.flags.length; index++) array.flags[index]! &= ~WANTED
      continue
    }
    for (let index = 0; index < array.flags.length; index++) releaseFuture(state, array, index)
  }
}

/** Lets go of what tasks submitted that have ended, and of what those submitted. */
export function releaseEndedNestings(state: SchedulerState): void {
  for (let ended = state.endedNestings.pop(); ended !== undefined; ended = state.endedNestings.pop()) {
    for (const { array, first, count } of ended.broods) {
      for (let index = first; index < first + count; index++) {
        tellParentEnded(state, array, index)
        releaseFuture(state, array, index)
      }
    }
  }
}

/** The task may not be needed any more: then its value goes, and perhaps its record, and the same for its inputs. */
export function letGo(state: SchedulerState, task: Task): void {
  const work = [task]
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    if (isNeeded(next)) continue
    if (next.state.type !== 'released') dropOutcome(state, next, work)
    if (next.dependants === 0) forget(state, next, work)
  }
}

/** Its dependants have an outcome, or were let go: it has one reason less to keep its inputs' values. */
export function noLongerPending(state: SchedulerState, task: Task): void {
  endStream(state, task)
  if (state.nestings.size > 0) endNesting(state, task)
  endProgress(state, task)
  for (const input of task.inputs) {
    input.pendingDependants--
    assert(input.pendingDependants >= 0, 'a task has fewer than no dependants')
    if (input.pendingDependants > 0) continue
    endAwaiting(state, input)
    letGo(state, input)
  }
}

/** Drops the value or the work under way. The record stays. */
function dropOutcome(state: SchedulerState, task: Task, work: Task[]): void {
  const { state: before } = task
  const wasPending = isPending(task)
  switch (before.type) {
    case 'in-memory':
      for (const worker of before.holders) workerOutboxOf(state, worker).addFree(task.id)
      state.inline.release(before)
      break
    case 'processing':
      abandon(state, task, before.worker)
      freeAttempt(state, task, before.worker)
      break
    case 'delayed':
      state.delayed.remove(before)
      break
    case 'ready':
      readyQueueOf(state, task.template).markStale()
      break
    case 'waiting':
      if (task.template.isScattered) dropScatter(state, task)
      if (before.ahead !== undefined) withdraw(state, task)
      break
    case 'failed':
      leaveFailure(state, task, before.failure)
      break
    case 'released':
      break
  }
  task.failures = 0
  moveTo(task, RELEASED)
  noteChange(state, task.id)
  if (before.type === 'waiting') leaveWaiters(task)
  if (!wasPending) return
  endStream(state, task)
  if (state.nestings.size > 0) endNesting(state, task)
  endProgress(state, task)
  for (const input of task.inputs) {
    input.pendingDependants--
    if (input.pendingDependants > 0) continue
    endAwaiting(state, input)
    work.push(input)
  }
}

/** The task is not failed any more. */
export function leaveFailure(state: SchedulerState, task: Task, failure: Failure): void {
  state.errors.leave(task)
  const victims = state.victims.get(failure)
  if (victims?.delete(task) === true && victims.size === 0) state.victims.delete(failure)
}

/** The worker may be at the task, or done and its report under way. What it has of earlier attempts stays. */
export function freeAttempt(state: SchedulerState, task: Task, worker: WorkerRecord): void {
  workerOutboxOf(state, worker).addFree(task.id)
  for (let i = 0; i < outputCountOf(task); i++) freeUnlessHeld(state, outputOf(task.id, i), worker)
}

/** Frees what the worker may hold of the task, unless the scheduler counts on that. */
export function freeUnlessHeld(state: SchedulerState, id: TaskId, worker: WorkerRecord): void {
  const task = state.arrays.get(arrayOf(id))?.tasks[indexOf(id)]
  if (task?.state.type === 'in-memory' && isHolder(task.state, worker)) return
  workerOutboxOf(state, worker).addFree(id)
}

/** Nobody is to bring this value any more. A worker that it still reaches says so, and is told to free it. */
export function dropScatter(state: SchedulerState, task: Task): void {
  for (const worker of state.scatters.get(task.id)?.holders ?? []) workerOutboxOf(state, worker).addFree(task.id)
  endScatter(state, task)
}

/** The client need not keep its value any more. */
export function endScatter(state: SchedulerState, task: Task): void {
  const scatter = state.scatters.get(task.id)
  if (scatter === undefined) return
  state.scatters.delete(task.id)
  state.homelessScatters.delete(scatter)
  for (const holder of scatter.holders) holder.scatters.delete(scatter)
  scatter.target?.scatters.delete(scatter)
  scatter.spread.scatter = undefined
  noteChange(state, task.id)
  const { client } = task.array
  // The client is the last to have the value, and is heard again, where what it said or what came of it may be lost.
  if (state.journal !== undefined) state.whenKept.push({ client, message: { type: 'scattered', tasks: [task.id] } })
  else outboxOf(state, client).addScattered(task.id)
}

function forget(state: SchedulerState, task: Task, work: Task[]): void {
  assert(task.state.type === 'released', 'a task is forgotten that still has an outcome')
  const { array, index, template } = task
  if (array.tasks[index] !== task) return // It was on the work list twice.
  array.tasks[index] = undefined
  state.records.kept--
  state.records.gone++
  template.statistics.tasks.released--
  if (task.explicitKey !== undefined && state.keys.get(task.explicitKey) === task) state.keys.delete(task.explicitKey)
  leaveTemplate(state, template)
  leaveArray(state, array, index)
  uncountInputs(task)
  for (const input of task.inputs) {
    input.dependants--
    if (input.dependants === 0) work.push(input)
  }
}

function removeAlias(state: SchedulerState, task: Task, array: TaskArray, index: number): void {
  task.aliases = task.aliases?.filter((alias) => alias.array !== array || alias.index !== index)
  array.tasks[index] = undefined
  leaveArray(state, array, index)
}

/** One place of the array is free for good. */
function leaveArray(state: SchedulerState, array: TaskArray, index: number): void {
  const left = leavePlace(array, index)
  if (left.live === 0) for (const deadline of left.deadlines ?? []) state.queueDeadlines.remove(deadline)
  if (array.live > 0) return
  for (const { cursor, count, runs } of array.segments) {
    if (cursor < count) readyQueueOf(state, runs[0]!.template).markStale()
  }
  state.arrays.delete(array.id)
  array.client.arrays.delete(array)
}

/**
 * At the end of a turn. The engine expects that as much stays as did when it collected last, in the middle of the work, and lets
 * garbage lie until there is a multiple of that.
 */
export function planCollection({ records, orders }: SchedulerState): void {
  if (records.gone < MANY_TASKS) return
  const mostLeft = records.gone < 2 * MANY_TASKS ? MOST_LEFT : MOST_LEFT_OF_TWICE
  if (records.kept > records.gone * mostLeft) return
  records.gone = 0
  orders.push({ type: 'collect' })
}
