/** What a task that runs reports of itself goes to the scheduler at once: its thread sees to it that this is not often. */
import type { WorkerEvent } from './events.js'
import type { WorkerInstruction } from './instructions.js'
import type { WorkerState } from './state.js'

export function onTaskReported(
  state: WorkerState,
  { task, attempt, fraction, note }: Extract<WorkerEvent, { readonly type: 'task-reported' }>,
  out: WorkerInstruction[],
): void {
  // It may have ended, or be wanted no more.
  if (state.tasks.get(task)?.attempt !== attempt) return
  out.push({ type: 'send', message: { type: 'task-progressed', task, attempt, fraction, note } })
}
