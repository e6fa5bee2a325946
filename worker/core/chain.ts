/**
 * Chains of tasks: one whose missing inputs are all made by tasks of the batch that is being put together goes along, behind
 * them. The thread hands the values on itself, so that a chain of short tasks costs the main thread one batch and not one each.
 *
 * Where a maker gives no value there, the thread ends its batch before the first task that needs it; what it did not start
 * is ready again, and whether its inputs are here is looked at as for any task that is taken.
 */
import { assert } from '../../common/assert.js'
import { ARRAY_CAPACITY, type TaskId } from '../../protocol/ids.js'
import { leftUs, type Batch, type Taken } from './batch.js'
import { BATCH_US, shareOfBatchUs } from './estimates.js'
import { missingInputs } from './on-run-tasks.js'
import type { WorkerState } from './state.js'
import type { Task } from './task.js'

/** So long what is wanted waits for more of its kind. A message costs two main threads a tenth of that each, or more. */
const TOGETHER_US = 1_000
/** What a worker must have left to do until it has been sent more: it tells the scheduler, and puts together what comes. */
const ROUND_TRIP_US = 3_000
/** What a thread must have left behind the middle of a chain for that to be told of there. */
const MIN_BEHIND_US = 1_000
/** A thread that has more left is not given more. */
const GROW_BELOW_US = BATCH_US / 2
/** A batch of more is not added to: its outcomes take room in the lane, and a record here each, until it ends. */
const MAX_GROWN_TASKS = 4 * ARRAY_CAPACITY
/** Nor is one that has run for longer: between batches a thread collects, hears of what its tasks left open, and may be replaced. */
const MAX_GROWN_MS = 100

/** The tasks that a batch is being made of, in the order in which its thread runs them, and what may go along with them. */
export class Chain {
  readonly #state: WorkerState
  readonly #tasks: Task[]
  readonly #before: readonly Task[]
  /** Whose values a task behind them can have. */
  readonly #coming = new Set<TaskId>()
  /** Which of the tasks make inputs of later ones. */
  readonly makers = new Set<TaskId>()

  /** `before`: what the thread has to run before them. */
  constructor(state: WorkerState, tasks: Task[], before: readonly Task[] = []) {
    this.#state = state
    this.#tasks = tasks
    this.#before = before
    for (const task of before) this.#expect(task)
    for (const task of tasks) this.#expect(task)
  }

  /** Tasks that wait for those in here, and for nothing else; of those that wait for one, a thread's part at most. */
  *followers(): Iterable<Task> {
    for (const maker of this.#before) yield* this.#followersOf(maker)
    // The list grows by those that go along.
    for (const maker of this.#tasks) yield* this.#followersOf(maker)
  }

  *#followersOf(maker: Task): Iterable<Task> {
    const { fetches, config } = this.#state
    const waiters = this.#coming.has(maker.task) ? fetches.find(maker.task)?.waiters : undefined
    if (waiters === undefined) return
    let left = Math.ceil(waiters.size / config.threads)
    for (const task of waiters) {
      if (left === 0) break
      if (task.template.isIo || !this.#makesInputsOf(task)) continue
      left--
      yield task
    }
  }

  /** The task, a follower, goes along: nothing is fetched for it any more. */
  add(task: Task): void {
    assert(task.state.type === 'waiting', `task ${task.task} follows its makers, and is ${task.state.type}`)
    for (const input of task.state.missing) this.#state.fetches.stopWaiting(input, task)
    for (const input of missingInputs(this.#state, task.inputs, task.failures) ?? []) this.makers.add(input)
    this.#tasks.push(task)
    this.#expect(task)
  }

  #expect({ task, template }: Task): void {
    if (template.outputs === 0) this.#coming.add(task)
  }

  /** One that was here when the task came may have been freed or spilled since. */
  #makesInputsOf({ inputs, failures }: Task): boolean {
    for (const input of missingInputs(this.#state, inputs, failures) ?? []) if (!this.#coming.has(input)) return false
    return true
  }
}

/**
 * Where a worker of one thread is to hear of a chain before that has ended, so that its thread is given more in time. If the worker has next
 * to nothing behind it, that is where half of it is done: what the scheduler has sent ahead may be all in it, and told of its first half it
 * sends more while the thread does the second. Of several threads each has a part, and tells of it at a time of its own.
 */
export function middleOf(
  state: WorkerState,
  { tasks, makers }: Batch,
  { estimateUs, hasMore }: Pick<Taken, 'estimateUs' | 'hasMore'>,
): number | undefined {
  if (makers === undefined || state.config.threads > 1 || estimateUs < 2 * MIN_BEHIND_US) return undefined
  if (!hasMore && hasWorkBehind(state)) return undefined
  const mostUs = hasMore ? Math.min(ROUND_TRIP_US, estimateUs / 2) : estimateUs / 2
  let behindUs = 0
  let place = tasks.length - 1
  for (; place > 0; place--) {
    const us = shareOfBatchUs(tasks[place]!.template)
    if (behindUs + us > mostUs) break
    behindUs += us
  }
  return behindUs >= MIN_BEHIND_US ? place : undefined
}

/** Only a worker of one thread adds to its batches: of its chains no other thread could have a part. */
export function canGrow({ config }: WorkerState, { makers, needBytes }: Batch): boolean {
  return config.threads === 1 && makers !== undefined && needBytes === 0
}

/** Is the thread to be given more before its batch ends, so that it goes on at once? */
export function isRunningOut(state: WorkerState, batch: Batch, nowMs: number): boolean {
  if (!canGrow(state, batch) || batch.tail !== 'given' || nowMs < batch.growsAtMs) return false
  if (state.lent.size > 0) return false
  if (batch.tasks.length >= MAX_GROWN_TASKS || nowMs - batch.beganAtMs > MAX_GROWN_MS) return false
  // If nothing is open the batch has ended, and that is about to be told.
  return batch.open > 0 && leftUs(batch, GROW_BELOW_US) <= GROW_BELOW_US
}

/** Has the worker enough to do beside what its thread has? */
function hasWorkBehind({ tasks }: WorkerState): boolean {
  let us = 0
  for (const { state, template } of tasks.values()) {
    if (template.isIo || (state.type !== 'waiting' && state.type !== 'ready')) continue
    us += shareOfBatchUs(template)
    if (us >= ROUND_TRIP_US) return true
  }
  return false
}

/**
 * Behind which tasks of a batch its thread rings, for their values are wanted while it runs; `undefined` for none. What is wanted
 * waits up to `TOGETHER_US` for what is wanted behind it, or for the end of the batch: one message tells of all.
 */
export function wantedPlaces(state: WorkerState, batch: Batch, first = 0): readonly number[] | undefined {
  if (state.awaits.count === 0 && (state.config.threads === 1 || batch.makers === undefined)) {
    return batch.middle === undefined || batch.middle < first ? undefined : [batch.middle]
  }
  const last = batch.tasks.length - 1
  let places: number[] | undefined
  let heldBackUs = 0
  let isWanted = isWantedAtOnce(state, batch, first)
  for (let place = first; place < last; place++) {
    const isNextWanted = isWantedAtOnce(state, batch, place + 1)
    const nextUs = shareOfBatchUs(batch.tasks[place + 1]!.template)
    const mayWait = (isNextWanted || place + 1 === last) && heldBackUs + nextUs <= TOGETHER_US
    if (isWanted && !mayWait) (places ??= []).push(place)
    heldBackUs = isWanted && mayWait ? heldBackUs + nextUs : 0
    isWanted = isNextWanted
  }
  // The end of the batch tells of that, unless more is added.
  if ((isWanted || heldBackUs > 0) && canGrow(state, batch)) (places ??= []).push(last)
  return places
}

/** By a peer, by tasks that another thread could run while this one runs others that need it, or by the scheduler. */
function isWantedAtOnce(
  { awaits, fetches, config }: WorkerState,
  { tasks, makers, middle }: Batch,
  place: number,
): boolean {
  if (place === middle) return true
  const { task } = tasks[place]!
  if (awaits.count > 0 && awaits.has(task)) return true
  return config.threads > 1 && makers?.has(task) === true && fetches.find(task) !== undefined
}
