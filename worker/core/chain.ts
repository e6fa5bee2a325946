/**
 * Chains of tasks: one whose missing inputs are all made by tasks of the batch that is being put together goes along, behind
 * them. The thread hands the values on itself, so that a chain of short tasks costs the main thread one batch and not one each.
 *
 * Where a maker gives no value there, the thread ends its batch before the first task that needs it; what it did not start
 * is ready again, and whether its inputs are here is looked at as for any task that is taken.
 */
import type { TaskId } from '../../protocol/ids.js'
import type { Batch } from './batch.js'
import { shareOfBatchUs } from './estimates.js'
import type { WorkerInstruction } from './instructions.js'
import { missingInputs } from './on-run-tasks.js'
import type { WorkerState } from './state.js'
import type { Task } from './task.js'

/** A task that ends within this time is waited for, and what was wanted before it is told with it. */
const TOGETHER_US = 200

/** The tasks that a batch is being made of, in the order in which its thread runs them. */
export class Chain {
  readonly tasks: Task[] = []
  readonly #threads: number
  readonly #places = new Map<TaskId, Task>()
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
    if (task.template.outputs === 0) this.#places.set(task.task, task)
  }

  /** Those that wait for nothing but tasks in here, one of which is `maker`; of several threads this one takes its part of them. */
  *followers(state: WorkerState, maker: Task): Iterable<Task> {
    if (state.fetches.size === 0 || !this.#places.has(maker.task)) return
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
    if (task.state.type !== 'waiting') return
    for (const input of task.state.missing) state.fetches.stopWaiting(input, task)
    this.#makers ??= new Set()
    for (const input of missingInputs(state, task.inputs, task.failures) ?? []) this.#makers.add(input)
    this.add(task)
  }

  /** One that was here when the task came may have been freed or spilled since. */
  #makesInputsOf(state: WorkerState, { inputs, failures }: Task): boolean {
    for (const input of missingInputs(state, inputs, failures) ?? []) if (!this.#places.has(input)) return false
    return true
  }
}

/**
 * Behind which tasks of a batch its thread rings, for their values are wanted while it runs; `undefined` for none. Where the next
 * ends soon, and is told of as well, the two are told of together: behind the last one the batch ends.
 */
export function wantedPlaces(state: WorkerState, batch: Batch): readonly number[] | undefined {
  const last = batch.tasks.length - 1
  let places: number[] | undefined
  let isWanted = isWantedAtOnce(state, batch, 0)
  for (let place = 0; place < last; place++) {
    const isNextWanted = isWantedAtOnce(state, batch, place + 1)
    const isToldSoon =
      shareOfBatchUs(batch.tasks[place + 1]!.template) <= TOGETHER_US && (isNextWanted || place + 1 === last)
    if (isWanted && !isToldSoon) (places ??= []).push(place)
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

/** A peer wants to hear of tasks as soon as they have ended: of one that is in a batch with others, its thread rings. */
export function hurryBatchOf({ tasks }: WorkerState, task: TaskId, out: WorkerInstruction[]): void {
  const known = tasks.get(task)?.state
  if (known?.type !== 'batched' || !mayHurry(known.batch)) return
  known.batch.isHurried = true
  out.push({ type: 'hurry-batch', thread: known.batch.thread })
}

function mayHurry({ isHurried, tasks }: Batch): boolean {
  return !isHurried && tasks.length > 1
}
