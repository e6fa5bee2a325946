/**
 * Chains of tasks: one whose missing inputs are all made by tasks of the batch that is being put together goes along, behind
 * them. The thread hands the values on itself, so that a chain of short tasks costs the main thread one batch and not one each.
 *
 * Where a maker gives no value there, the thread ends its batch before the first task that needs it; what it did not start
 * is ready again, and whether its inputs are here is looked at as for any task that is taken.
 */
import { assert } from '../../common/assert.js'
import type { TaskId } from '../../protocol/ids.js'
import type { Batch } from './batch.js'
import { shareOfBatchUs } from './estimates.js'
import { missingInputs } from './on-run-tasks.js'
import type { WorkerState } from './state.js'
import type { Task } from './task.js'

/** So long what is wanted waits for more of its kind. A message costs two main threads a tenth of that each, or more. */
const TOGETHER_US = 1_000

/** The tasks that a batch is being made of, in the order in which its thread runs them. */
export class Chain {
  readonly tasks: Task[] = []
  readonly #threads: number
  /** Whose values a task behind them can have. */
  readonly #coming = new Set<TaskId>()
  #makers: Set<TaskId> | undefined

  constructor({ config }: WorkerState) {
    this.#threads = config.threads
  }

  /** Which of the tasks make inputs of later ones, if any do. */
  get makers(): ReadonlySet<TaskId> | undefined {
    return this.#makers
  }

  add(task: Task): void {
    this.tasks.push(task)
    if (task.template.outputs === 0) this.#coming.add(task.task)
  }

  /** Tasks that wait for `maker`, and for nothing that is not made in here: of what waits for it, one thread's part at most. */
  *followers(state: WorkerState, maker: Task): Iterable<Task> {
    if (state.fetches.size === 0 || !this.#coming.has(maker.task)) return
    const waiters = state.fetches.find(maker.task)?.waiters
    if (waiters === undefined) return
    let left = Math.ceil(waiters.size / this.#threads)
    for (const task of waiters) {
      if (left === 0) return
      if (task.template.isIo || !this.#makesInputsOf(state, task)) continue
      left--
      yield task
    }
  }

  /** The task, a follower, goes along: nothing is fetched for it any more. */
  addFollower(state: WorkerState, task: Task): void {
    assert(task.state.type === 'waiting', `task ${task.task} follows its makers, and is ${task.state.type}`)
    for (const input of task.state.missing) state.fetches.stopWaiting(input, task)
    this.#makers ??= new Set()
    for (const input of missingInputs(state, task.inputs, task.failures) ?? []) this.#makers.add(input)
    this.add(task)
  }

  /** One that was here when the task came may have been freed or spilled since. */
  #makesInputsOf(state: WorkerState, { inputs, failures }: Task): boolean {
    for (const input of missingInputs(state, inputs, failures) ?? []) if (!this.#coming.has(input)) return false
    return true
  }
}

/**
 * Behind which tasks of a batch its thread rings, for their values are wanted while it runs; `undefined` for none. What is wanted
 * waits up to `TOGETHER_US` for what is wanted behind it, or for the end of the batch: one message tells of all.
 */
export function wantedPlaces(state: WorkerState, batch: Batch): readonly number[] | undefined {
  if (state.awaits.count === 0 && (state.config.threads === 1 || batch.makers === undefined)) return undefined
  const last = batch.tasks.length - 1
  let places: number[] | undefined
  let heldBackUs = 0
  let isWanted = isWantedAtOnce(state, batch, 0)
  for (let place = 0; place < last; place++) {
    const isNextWanted = isWantedAtOnce(state, batch, place + 1)
    const nextUs = shareOfBatchUs(batch.tasks[place + 1]!.template)
    const mayWait = (isNextWanted || place + 1 === last) && heldBackUs + nextUs <= TOGETHER_US
    if (isWanted && !mayWait) (places ??= []).push(place)
    heldBackUs = isWanted && mayWait ? heldBackUs + nextUs : 0
    isWanted = isNextWanted
  }
  return places
}

/** By a peer, or by tasks that another thread could run while this one runs others that need it. */
function isWantedAtOnce({ awaits, fetches, config }: WorkerState, { tasks, makers }: Batch, place: number): boolean {
  const { task } = tasks[place]!
  if (awaits.count > 0 && awaits.has(task)) return true
  return config.threads > 1 && makers?.has(task) === true && fetches.find(task) !== undefined
}
