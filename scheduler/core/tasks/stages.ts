/**
 * Which functions take values of which: the arrows between the stages of a graph, for people who look at it. They are counted
 * as records of tasks come and go, so that nobody goes through the tasks to draw them.
 */
import type { Task } from './task.js'
import type { FunctionStatistics } from './template.js'

/** The task has a record now. What is an output has its producer for its only input, and is no step of its own. */
export function countInputs({ inputs, template, producer }: Task): void {
  if (producer === undefined) addInputs(template.statistics, inputs, 1)
}

/** Its record goes. */
export function uncountInputs({ inputs, template, producer }: Task): void {
  if (producer === undefined) addInputs(template.statistics, inputs, -1)
}

function addInputs({ inputs: counts }: FunctionStatistics, inputs: readonly Task[], by: 1 | -1): void {
  for (let start = 0, end = 0; start < inputs.length; start = end) {
    // Most inputs of a task are of one function, and stand side by side.
    const { statistics } = inputs[start]!.template
    while (end < inputs.length && inputs[end]!.template.statistics === statistics) end++
    const count = (counts.get(statistics) ?? 0) + by * (end - start)
    if (count === 0) counts.delete(statistics)
    else counts.set(statistics, count)
  }
}
