/**
 * Which task this thread runs. One runs at a time: an asynchronous one is awaited before the next one starts. Entering a
 * task is three assignments; its key and the rest are worked out only when somebody asks.
 */
import { attempt, generatedKey } from '../../protocol/ids.js'
import type { BatchRequest } from './batch.js'
import type { LaneWriter } from './lane.js'

/** What a task can know of itself. */
export interface TaskIdentity {
  readonly key: string
  readonly name: string
  readonly attempt: number
  readonly worker: string
}

/** Where the task that runs stands. */
export interface RunningTask {
  readonly batch: BatchRequest
  readonly place: number
  readonly lane: LaneWriter
}

let currentBatch: BatchRequest | undefined
let currentPlace = 0
let currentLane: LaneWriter | undefined

/** The task at `place` of `batch` runs from now on. */
export function enterTask(batch: BatchRequest, place: number, lane: LaneWriter): void {
  currentBatch = batch
  currentPlace = place
  currentLane = lane
}

/** No task runs any more. */
export function leaveTask(): void {
  currentBatch = undefined
}

/** Where the task that runs now stands, if one does. */
export function runningTask(): RunningTask | undefined {
  if (currentBatch === undefined || currentLane === undefined) return undefined
  return { batch: currentBatch, place: currentPlace, lane: currentLane }
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
