/**
 * Which task this thread runs. Entering a task is a few assignments; its record is made only when somebody asks for it.
 *
 * A task that waits for tasks which it submitted is lent: others run meanwhile, and it goes on between them. So once
 * `heddle/task` is loaded, which is all that can tell, tasks are told apart by their asynchronous context; and so are tasks
 * that share a thread from the start.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { generatedKey } from '../../protocol/ids.js'
import type { TaskRoute } from '../../client/in-task.js'
import type { BatchHost, BatchRequest } from './batch.js'
import type { LaneWriter } from './lane.js'
import type { Lending, SharedParent } from './lending.js'
import type { Reporter } from './reporter.js'

/** What a task can know of itself. */
export interface TaskIdentity {
  readonly key: string
  readonly name: string
  readonly attempt: number
  readonly worker: string
}

/** Where a task that runs stands, and what it has asked for. */
export interface RunningTask {
  readonly type: 'alone'
  readonly batch: BatchRequest
  readonly place: number
  readonly lane: LaneWriter
  readonly host: BatchHost
  isOver: boolean
  /** Of `task.signal`, once it was read. */
  controller: AbortController | undefined
  /** Of `task.client()`, once it was called. */
  lending: Lending | undefined
  /** Of `task.report()`, once it was called. */
  reporter: Reporter | undefined
  /** Fails a task that is lent, for an exception that nobody caught. */
  fail: ((error: unknown) => void) | undefined
}

/** A task that shares its thread with others that run at the same time. */
export interface TaskAmongOthers {
  readonly type: 'among-others'
  readonly identity: TaskIdentity
  readonly slot: number
  readonly parent: SharedParent
  /** How what it submits reaches the cluster. */
  readonly route: TaskRoute | undefined
  readonly signal: () => AbortSignal
  readonly reporter: () => Reporter
  readonly controller: AbortController
  /** Takes an exception that nothing else caught for its outcome. */
  readonly fail: (error: unknown) => void
  isOver: boolean
}

let currentBatch: BatchRequest | undefined
let currentPlace = 0
let currentLane: LaneWriter | undefined
let currentHost: BatchHost | undefined
/** The record of the current task, if somebody asked for it. */
let current: RunningTask | undefined
let contexts: AsyncLocalStorage<RunningTask | TaskAmongOthers | undefined> | undefined

/** The task at `place` of `batch` runs from now on. */
export function enterTask(batch: BatchRequest, place: number, lane: LaneWriter, host: BatchHost): void {
  currentBatch = batch
  currentPlace = place
  currentLane = lane
  currentHost = host
  current = undefined
}

/** The task that was entered is the current one no more. */
export function leaveTask(): void {
  currentBatch = undefined
  if (current !== undefined && current.lending?.isLent !== true) current.isOver = true
  current = undefined
}

/** From now on each task is known by its context. Those that have begun are when they next ask. */
export function tellTasksApart(): void {
  contexts ??= new AsyncLocalStorage()
}

/** Calls what makes the current task. */
export function callTask(run: (...args: readonly unknown[]) => unknown, args: readonly unknown[]): unknown {
  const task = contexts === undefined ? undefined : enteredTask()
  return contexts === undefined || task === undefined ? run(...args) : contexts.run(task, run, ...args)
}

/** What is called here is code of this task. */
export function inTask<T>(task: RunningTask | TaskAmongOthers, call: () => T): T {
  contexts ??= new AsyncLocalStorage()
  return contexts.run(task, call)
}

/** What is called here is no part of the task that may have led to it. */
export function outsideTasks<T>(call: () => T): T {
  return contexts === undefined ? call() : contexts.run(undefined, call)
}

/** The record of the task that was entered, if somebody asked for it. */
export function knownTask(): RunningTask | undefined {
  return current
}

/** The task whose code asks, over or not, if tasks are told apart. */
export function taskOfContext(): RunningTask | TaskAmongOthers | undefined {
  return contexts?.getStore()
}

/** The task whose code asks, if one does. */
export function runningTask(): RunningTask | TaskAmongOthers | undefined {
  const own = contexts?.getStore()
  if (own !== undefined) return own.isOver ? undefined : own
  const task = enteredTask()
  if (task !== undefined) contexts?.enterWith(task)
  return task
}

/** What the task whose code asks knows of itself, if one does. */
export function currentTask(): TaskIdentity | undefined {
  const task = runningTask()
  if (task === undefined) return undefined
  return task.type === 'alone' ? identityOf(task.batch, task.place) : task.identity
}

/** What the task at `place` of `batch` can know of itself. */
export function identityOf(batch: BatchRequest, place: number): TaskIdentity {
  const { name } = batch.templates[batch.templateOf[place]!]!
  return {
    key: batch.keys.get(place) ?? generatedKey(name, batch.taskIds[place]!),
    name,
    attempt: batch.starts?.get(place) ?? batch.attempts[place]!,
    worker: batch.worker,
  }
}

/** The record of the task that was entered, made now if it has none. */
export function enteredTask(): RunningTask | undefined {
  if (currentBatch === undefined || currentLane === undefined || currentHost === undefined) return undefined
  current ??= {
    type: 'alone',
    batch: currentBatch,
    place: currentPlace,
    lane: currentLane,
    host: currentHost,
    isOver: false,
    controller: undefined,
    lending: undefined,
    reporter: undefined,
    fail: undefined,
  }
  return current
}
