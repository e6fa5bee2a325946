/** Streams on their way through a worker: what they give goes to the scheduler at once, and what was taken to the thread. */
import type { StreamTaken } from '../../protocol/messages/worker.js'
import type { WorkerEvent } from './events.js'
import type { WorkerInstruction } from './instructions.js'
import type { WorkerState } from './state.js'

export function onStreamChunk(
  state: WorkerState,
  { task, attempt, index, value }: Extract<WorkerEvent, { readonly type: 'stream-chunk' }>,
  out: WorkerInstruction[],
): void {
  // Of one that nobody wants any more nothing is told.
  if (state.tasks.get(task)?.attempt !== attempt) return
  out.push({ type: 'send', message: { type: 'stream-chunk', task, attempt, index, value } })
}

export function onStreamTaken(
  state: WorkerState,
  { task, attempt, taken }: StreamTaken,
  out: WorkerInstruction[],
): void {
  if (state.tasks.get(task)?.attempt === attempt) out.push({ type: 'tell-taken', task, attempt, taken })
}
