/** The tasks that need one: no task has a list of them, so some are looked through for those who look at it. */
import { MAX_EXPLAINED, MAX_LOOKED_THROUGH } from '../../../protocol/limits.js'
import type { Task } from './task.js'

/** The first of them, among the tasks that were submitted after it. What waits for it is found in any case. */
export function dependantsOf(task: Task): Task[] {
  const found = new Set<Task>()
  const wanted = Math.min(task.dependants, MAX_EXPLAINED)
  for (const waiter of task.waiters) {
    if (found.size >= wanted) break
    if (waiter.state.type === 'waiting') found.add(waiter) // Some were let go meanwhile.
  }
  let looked = 0
  for (const { id, tasks } of task.array.client.arrays) {
    if (id < task.array.id) continue
    if (looked++ >= MAX_LOOKED_THROUGH) break
    for (const other of tasks) {
      if (found.size >= wanted || looked++ >= MAX_LOOKED_THROUGH) return [...found]
      if (other?.inputs.includes(task) === true) found.add(other)
    }
  }
  return [...found]
}
