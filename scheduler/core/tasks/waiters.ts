/**
 * Who waits for a task's value: a list in each input, so that an input's end finds its dependants. What waits no more is not
 * searched for: its entries are swept when they are half of a list.
 */
import { NO_WAITERS } from './task-array.js'
import type { Task } from './task.js'

/** The task waits for this input. */
export function joinWaiters(input: Task, task: Task): void {
  if (input.waiters === NO_WAITERS) input.waiters = []
  else if (input.staleWaiters > 0) sweepWaiters(input)
  input.waiters.push(task)
}

/** The task waits no more. Its entries in its inputs' lists are stale. */
export function leaveWaiters(task: Task): void {
  for (const input of task.inputs) {
    if (input.waiters.length === 0) continue
    input.staleWaiters++
    if (input.staleWaiters * 2 > input.waiters.length) sweepWaiters(input)
  }
}

/** Who waited until now: they are heard of no more. */
export function takeWaiters(task: Task): readonly Task[] {
  const { waiters } = task
  task.waiters = NO_WAITERS
  task.staleWaiters = 0
  return waiters
}

function sweepWaiters(input: Task): void {
  input.waiters = input.waiters.filter((waiter) => waiter.state.type === 'waiting')
  input.staleWaiters = 0
}
