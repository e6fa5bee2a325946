/** Single tasks and what each needs, for people who look at the graph: while there are few of them. */
import { generatedKey, taskId } from '../../../protocol/ids.js'
import { MAX_GRAPH_TASKS } from '../../../protocol/limits.js'
import type { GraphTask, TaskGraph } from '../../../protocol/messages/watch.js'
import type { SchedulerState } from '../state.js'
import { HELD, templateAt, type TaskArray } from '../tasks/task-array.js'
import { keyOf, type Task } from '../tasks/task.js'

export function taskGraphOf(state: SchedulerState): TaskGraph {
  let count = 0
  for (const { tasks } of state.functions.values()) {
    for (const inState of Object.values(tasks)) count += inState
  }
  // Arrays are no more than tasks are, so what is gone through is bounded, too.
  return { count, tasks: count > MAX_GRAPH_TASKS ? null : listed(state) }
}

function listed(state: SchedulerState): GraphTask[] {
  const places = new Map<Task, number>()
  const found: { readonly task: Task | undefined; readonly told: Omit<GraphTask, 'inputs'> }[] = []
  for (const array of state.arrays.values()) {
    for (let index = 0; index < array.flags.length; index++) {
      const task = array.tasks[index]
      if (task === undefined) {
        if ((array.flags[index]! & HELD) !== 0) found.push({ task, told: unopened(array, index) })
      } else if (!places.has(task)) {
        // Several futures may stand for one.
        places.set(task, found.length)
        const { template, state: at } = task
        found.push({ task, told: { key: keyOf(task), function: template.name, state: at.type } })
      }
    }
  }
  return found.map(({ task, told }) => ({
    ...told,
    inputs: task === undefined ? [] : [...new Set(task.inputs.flatMap((input) => places.get(input) ?? []))],
  }))
}

/** A task without a record: it has no inputs, and is ready. */
function unopened(array: TaskArray, index: number): Omit<GraphTask, 'inputs'> {
  const { name } = templateAt(array, index)
  return { key: generatedKey(name, taskId(array.id, index)), function: name, state: 'ready' }
}
