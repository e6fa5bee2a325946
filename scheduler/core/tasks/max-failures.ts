/**
 * Calls of `map` that stop after so many failures. Such a call has a template of its own: its failures are counted there, and
 * when they are too many, the rest of its tasks is cancelled, what runs of it too, and what still comes.
 */
import { abandon } from '../placing/assignment.js'
import { isOthersToo, NeedsOfOthers } from './cancel.js'
import { failTask } from './outcome.js'
import { freeAttempt } from './retention.js'
import type { SchedulerState } from '../state.js'
import { expandWith, HELD, type Segment, type TaskArray } from './task-array.js'
import { isPending, type Task } from './task.js'
import type { Template } from './template.js'

/** Cancels what is left of calls that failed too often. Done when a turn ends: its events may have failed many tasks. */
export function stopMaps(state: SchedulerState): void {
  for (const template of state.mapsToStop) stopMap(state, template)
  state.mapsToStop.clear()
}

/** New tasks: those of a call that was stopped go the same way. */
export function stopLatecomers(state: SchedulerState, { runs }: Segment): void {
  for (const { template } of runs) if (template.stop !== undefined) state.mapsToStop.add(template)
}

/** Looks at all arrays: this is rare, and a list for each call would cost every task. */
function stopMap(state: SchedulerState, template: Template): void {
  const needs = new NeedsOfOthers(state)
  for (const array of [...state.arrays.values()]) {
    for (const segment of array.segments) {
      let start = 0
      for (const run of segment.runs) {
        if (run.template === template) stopRun(state, needs, segment, { template, start, end: run.end })
        start = run.end
      }
    }
  }
}

function stopRun(
  state: SchedulerState,
  needs: NeedsOfOthers,
  segment: Segment,
  { template, start, end }: { readonly template: Template; readonly start: number; readonly end: number },
): void {
  const { array, first } = segment
  for (let place = start; place < end; place++) {
    const task = taskAt(array, first + place) ?? unopened(segment, place, template)
    if (task === undefined || !isPending(task) || isOthersToo(task, array.client, needs)) continue
    if (task.state.type === 'processing') {
      const { worker } = task.state
      abandon(state, task, worker)
      freeAttempt(state, task, worker)
    }
    failTask(state, task, template.stop!)
  }
}

/** Not an output, which fails with the task that makes it, and not one that stands for another's. */
function taskAt(array: TaskArray, index: number): Task | undefined {
  const task = array.tasks[index]
  const isOwn = task?.array === array && task.index === index && task.producer === undefined
  return isOwn ? task : undefined
}

function unopened(segment: Segment, place: number, template: Template): Task | undefined {
  const index = segment.first + place
  const { tasks, flags } = segment.array
  return tasks[index] !== undefined || (flags[index]! & HELD) === 0 ? undefined : expandWith(segment, place, template)
}
