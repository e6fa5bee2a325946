/**
 * Roots, the tasks without inputs, make new values; their consumers use values up. So that roots don't run ahead of their
 * consumers, a ready consumer comes before any root (ready-queue.ts), the last root that a consumer misses comes before
 * other roots, and while consumers run, roots are held back as soon as the values that wait for consumers take a good part
 * of the cluster's memory. When no consumer runs, only a root can bring things on: then roots go, whatever is held. What tasks
 * submit is not held back: its parent runs, and waits for it.
 */
import { isRoot } from './ready-queue.js'
import { readyQueueOf, type SchedulerState } from '../state.js'
import type { Task } from '../tasks/task.js'

/** Of all workers' memory limits. Workers begin to write values to disk at 60 % of theirs. */
export const AWAITED_SHARE = 0.4
/** With more inputs it is not worth looking for the one that a task misses. */
const MAX_INPUTS_SEEN = 8

export function mayTakeRoots({ awaitedBytes, memoryLimitBytes, consuming }: SchedulerState): boolean {
  return consuming === 0 || awaitedBytes <= memoryLimitBytes * AWAITED_SHARE
}

/** The value has its first consumer that has no outcome, or has come while it has one. */
export function beginAwaiting(state: SchedulerState, { state: value }: Task): void {
  if (value.type === 'in-memory') state.awaitedBytes += value.sizeBytes
}

/** The value's last consumer has an outcome, or the value is gone while it has one. */
export function endAwaiting(state: SchedulerState, { state: value }: Task): void {
  if (value.type === 'in-memory') state.awaitedBytes -= value.sizeBytes
}

/** The task misses one input. If that is a root which nobody has started, it comes first. */
export function hurryLastInput(state: SchedulerState, { inputs }: Task): void {
  if (inputs.length > MAX_INPUTS_SEEN) return
  for (const input of inputs) {
    if (input.state.type === 'ready' && isRoot(input)) readyQueueOf(state, input.template).hurry(input)
  }
}
