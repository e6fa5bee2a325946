/**
 * Failed tasks run again because a client asks for it: those that it names, the inputs that they failed for, and whatever
 * failed for the same reasons. What of these failed for another reason too fails again at once.
 */
import { arrayOf, indexOf, taskId, type TaskId } from '../../../protocol/ids.js'
import type { ClientRecord } from '../clients/client-record.js'
import { taskOfFuture } from './cancel.js'
import { tellOne } from './outcome.js'
import { wakeAll } from './recovery.js'
import { leaveFailure } from './retention.js'
import { noteChange } from '../data/spread.js'
import { outboxOf, type SchedulerState } from '../state.js'
import { HELD, type TaskArray } from './task-array.js'
import { moveTo, RELEASED, type Task } from './task.js'

export function onRetry(state: SchedulerState, client: ClientRecord, ids: readonly TaskId[]): void {
  const failed = new Set<Task>()
  for (const id of ids) {
    const task = taskOfFuture(state, client, id)
    if (task?.state.type === 'failed') failed.add(task)
    // Somebody else had it run again meanwhile, and what became of that may have crossed with the question.
    else if (task !== undefined) tellOne(state, task, state.arrays.get(arrayOf(id))!, indexOf(id))
  }
  runAgain(state, failed)
}

/** These, which failed, and what goes with them. */
export function runAgain(state: SchedulerState, failed: Set<Task>): void {
  addFailedInputs(failed)
  for (const task of [...failed]) {
    if (task.state.type !== 'failed') continue
    for (const victim of state.victims.get(task.state.failure) ?? []) failed.add(victim)
  }
  for (const task of failed) {
    const { state: before } = task
    if (before.type !== 'failed' || !mayRunAgain(task)) {
      failed.delete(task)
      continue
    }
    leaveFailure(state, task, before.failure)
    moveTo(task, RELEASED)
    noteChange(state, task.id)
    // It begins afresh: what it was blamed for before does not count.
    task.deaths = 0
    task.misses = 0
    task.failures = 0
    task.isOverdue = false
  }
  tellRetried(state, failed)
  wakeAll(state, [...failed])
}

/** It failed; and it is no stream, whose reader has had its values, and the error at their end. */
export function mayRunAgain({ state, template }: Task): boolean {
  return state.type === 'failed' && !template.rules.isStream
}

/** Adds what failed of all that the tasks need. Between a task and the culprit there may be others that were let go. */
function addFailedInputs(failed: Set<Task>): void {
  const seen = new Set(failed)
  // What this adds is looked at by the same loop.
  for (const task of seen) {
    if (task.state.type === 'failed') failed.add(task)
    for (const input of task.inputs) {
      if (input.state.type === 'failed' || input.state.type === 'released') seen.add(input)
    }
  }
}

/** Each client in one message. */
function tellRetried(state: SchedulerState, tasks: ReadonlySet<Task>): void {
  const told = new Map<ClientRecord, TaskId[]>()
  const add = (array: TaskArray, index: number): void => {
    if ((array.flags[index]! & HELD) === 0) return
    const ids = told.get(array.client)
    if (ids === undefined) told.set(array.client, [taskId(array.id, index)])
    else ids.push(taskId(array.id, index))
  }
  for (const task of tasks) {
    add(task.array, task.index)
    for (const { array, index } of task.aliases ?? []) add(array, index)
  }
  for (const [client, ids] of told) outboxOf(state, client).addRetried(ids)
}
