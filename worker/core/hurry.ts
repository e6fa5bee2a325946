/** Batches that somebody comes to wait for while they run. */
import type { TaskId } from '../../protocol/ids.js'
import type { WorkerInstruction } from './instructions.js'
import type { WorkerState } from './state.js'

/** Somebody wants to hear of the task as soon as it has ended: if others of its batch are still to end, its thread rings behind each. */
export function hurryBatchOf({ tasks }: WorkerState, task: TaskId, out: WorkerInstruction[]): void {
  const known = tasks.get(task)?.state
  if (known?.type !== 'batched') return
  const { batch } = known
  if (batch.isHurried || batch.open === 1) return
  batch.isHurried = true
  out.push({ type: 'hurry-batch', thread: batch.thread })
}
