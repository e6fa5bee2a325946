/** The ways in which a task leaves this worker without having run, and values leave its store. */
import type { TaskId, WorkerId } from '../../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import type { WorkerInstruction } from './instructions.js'
import { readyQueueOf, type WorkerState } from './state.js'
import { GONE, moveTo, type Task } from './task.js'

/** Forgets a task. One that a thread was given may run all the same; what comes of it is dropped. */
export function forgetTask(state: WorkerState, task: Task): void {
  state.tasks.delete(task.task)
  switch (task.state.type) {
    case 'waiting':
      for (const input of task.state.missing) state.fetches.stopWaiting(input, task)
      moveTo(task, GONE)
      state.spills.unpin(task)
      break
    case 'ready':
      moveTo(task, GONE)
      readyQueueOf(state, task.template).markStale()
      state.spills.unpin(task)
      break
    case 'batched':
      task.state.batch.abandoned++
      moveTo(task, { type: 'abandoned', batch: task.state.batch })
      break
    case 'lent':
      task.state.isWanted = false
      break
    case 'abandoned':
    case 'gone':
      break
  }
}

/** Nobody wants the task any more. If what it takes is counted, the scheduler hears of it once no thread is at it. */
export function letTaskGo(state: WorkerState, task: Task): void {
  forgetTask(state, task)
  if (task.template.isCounted && task.state.type === 'gone') state.report.addReturned(task)
}

/** A thread has it, or has begun it. */
export function isRunning({ state }: Task): boolean {
  return state.type === 'batched' || state.type === 'lent'
}

/** Gives a task back to the scheduler: one that waits or is ready, or one that has begun and can't go on. */
export function returnTask(state: WorkerState, task: Task): void {
  const hasBegun = isRunning(task)
  forgetTask(state, task)
  state.report.addReturned(task, hasBegun)
}

/** Gives back all that no thread has started, and has threads give back what they were given and have not started. */
export function returnUnstarted(state: WorkerState): void {
  for (const task of state.tasks.values()) if (!isRunning(task)) returnTask(state, task)
  takeBackAll(state)
}

/**
 * Also those that wait for tasks of their own: where this is the only worker, nothing else would run these. They begin again
 * elsewhere, and find what they had submitted.
 */
export function returnAwaiting(state: WorkerState): void {
  for (const task of state.tasks.values()) {
    if (task.state.type === 'lent' && task.state.isAwaiting) returnTask(state, task)
  }
}

export function takeBackAll({ batches }: WorkerState): void {
  for (const batch of batches) if (batch?.tail === 'given' && batch.open > 0) batch.tail = 'wanted'
}

/** Gives a task back because `inputs` could not be had from `holder`. */
export function giveBackWithoutInputs(
  state: WorkerState,
  task: Task,
  { inputs, holder }: { readonly inputs: readonly TaskId[]; readonly holder: WorkerId },
  out: WorkerInstruction[],
): void {
  forgetTask(state, task)
  const { task: id, attempt } = task
  out.push({ type: 'send', message: { type: 'inputs-missing', task: id, attempt, inputs, holder } })
}

/**
 * The value is in the shell's store and nobody asked for it under this attempt: out with it, unless it is held under
 * another attempt. Then this is what is held from now on, and it may have another size.
 */
export function dropUnlessHeld(state: WorkerState, task: TaskId, sizeBytes: number): void {
  if (!state.held.has(task)) {
    state.report.addDropped(task)
    noteGarbage(state, sizeBytes)
    return
  }
  state.held.add(task, sizeBytes)
  state.spills.arrived(task, sizeBytes)
}

export function dropValue(state: WorkerState, task: TaskId): void {
  const sizeBytes = state.held.sizeOf(task)
  if (sizeBytes === undefined) return
  state.held.remove(task)
  if (state.spills.find(task)?.place !== 'disk') noteGarbage(state, sizeBytes)
  state.spills.removed(task)
  state.report.addDropped(task)
}

/** Memory that held a value is not used any more. Small values share pages, and are collected as anything else. */
export function noteGarbage(state: WorkerState, sizeBytes: number): void {
  if (sizeBytes > MAX_INLINE_RESULT_BYTES) state.garbageBytes += sizeBytes
}
