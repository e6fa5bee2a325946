/**
 * Which task this thread runs. One runs at a time: an asynchronous one is awaited before the next one starts. Entering a
 * task is two assignments; its key and the rest are worked out only when somebody asks.
 */
import { attempt, generatedKey } from '../../protocol/ids.js'
import type { BatchRequest } from './batch.js'

/** What a task can know of itself. */
export interface TaskIdentity {
  readonly key: string
  readonly name: string
  readonly attempt: number
  readonly worker: string
}

let currentBatch: BatchRequest | undefined
let currentPlace = 0

/** The task at `place` of `batch` runs from now on. */
export function enterTask(batch: BatchRequest, place: number): void {
  currentBatch = batch
  currentPlace = place
}

/** No task runs any more. */
export function leaveTask(): void {
  currentBatch = undefined
}

/** The task that runs now, if one does. */
export function currentTask(): TaskIdentity | undefined {
  return currentBatch === undefined ? undefined : identityOf(currentBatch, currentPlace)
}

function identityOf(batch: BatchRequest, place: number): TaskIdentity {
  const { name } = batch.templates[batch.templateOf[place]!]!
  return {
    key: batch.keys.get(place) ?? generatedKey(name, batch.taskIds[place]!),
    name,
    attempt: attempt(batch.attempts[place]!),
    worker: batch.worker,
  }
}
