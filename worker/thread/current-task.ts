/**
 * Which task this thread runs. One runs at a time: an asynchronous one is awaited before the next one starts. Entering a
 * task is three assignments; its key and the rest are worked out only when somebody asks. Where tasks run among others,
 * whoever runs them says whose code it is that asks.
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

/** A task that shares its thread with others that run at the same time. */
export interface TaskAmongOthers {
  readonly identity: TaskIdentity
  readonly slot: number
  readonly signal: () => AbortSignal
}

let findAmongOthers: (() => TaskAmongOthers | undefined) | undefined
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

/** `find` gives the task whose code it is called from, if one's is. */
export function knowTasksAmongOthers(find: () => TaskAmongOthers | undefined): void {
  findAmongOthers = find
}

/** The task among others that runs now, if one does. */
export function taskAmongOthers(): TaskAmongOthers | undefined {
  return findAmongOthers?.()
}

/** The task that runs now, if one does. */
export function currentTask(): TaskIdentity | undefined {
  const among = findAmongOthers?.()
  if (among !== undefined) return among.identity
  return currentBatch === undefined ? undefined : identityOf(currentBatch, currentPlace)
}

/** What the task at `place` of `batch` can know of itself. */
export function identityOf(batch: BatchRequest, place: number): TaskIdentity {
  const { name } = batch.templates[batch.templateOf[place]!]!
  return {
    key: batch.keys.get(place) ?? generatedKey(name, batch.taskIds[place]!),
    name,
    attempt: attempt(batch.attempts[place]!),
    worker: batch.worker,
  }
}
