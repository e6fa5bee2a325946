/**
 * Clients cancel tasks: the tasks fail at once, and with them what needs their values; what a worker runs of them is
 * stopped there. The client hears how each slot became free, once all are.
 */
import { arrayOf, indexOf, type TaskId } from '../../../protocol/ids.js'
import type { Cancel } from '../../../protocol/messages/client.js'
import type { Stopper } from '../../../protocol/messages/common.js'
import type { TasksStopped } from '../../../protocol/messages/worker.js'
import { enlist } from '../placing/ahead.js'
import { abandon, attemptLabel, endLingering, reorder } from '../placing/assignment.js'
import type { ClientRecord } from '../clients/client-record.js'
import { childrenOf } from './nesting.js'
import { awaitsRecord, failTask } from './outcome.js'
import { dropScatter, forgo, releaseFuture } from './retention.js'
import { outboxOf, workerOutboxOf, type SchedulerState } from '../state.js'
import { findTask, HELD } from './task-array.js'
import { isPending, keyOf, startNumber, type Failure, type Task } from './task.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** One question of a client, until all its tasks have stopped. */
interface Cancellation {
  readonly client: ClientRecord
  readonly request: number
  readonly stoppedBy: Stopper[]
  /** How many of its tasks have not stopped. */
  open: number
}

/** An attempt that a worker was told to stop. */
export interface Stop {
  readonly cancellation: Cancellation
  readonly task: TaskId
  /** Its place in the question; -1 of one that was submitted by another of them. */
  readonly place: number
  readonly attempt: number
}

export function onCancel(
  state: SchedulerState,
  client: ClientRecord,
  { request, tasks, graceMs, error }: Cancel,
): void {
  const cancellation: Cancellation = { client, request, stoppedBy: tasks.map(() => 'none'), open: 0 }
  const stops: Stops = new Map()
  const needs = new NeedsOfOthers(state)
  tasks.forEach((id, place) => {
    const array = state.arrays.get(arrayOf(id))
    const index = indexOf(id)
    if (array?.client !== client || (array.flags[index]! & HELD) === 0) return
    const task = array.tasks[index]
    // In a journal that is read, what another of these tasks led to has a record of its own, and may be no failure.
    const hasOutcome = task !== undefined && (!isPending(task) || awaitsRecord(state, task.producer ?? task))
    if (task !== undefined && (hasOutcome || isOthersToo(task, client, needs))) {
      releaseFuture(state, array, index)
      return
    }
    cancellation.stoppedBy[place] = 'queue'
    // Without a record it was never looked at, and nothing can need it.
    if (task === undefined) {
      state.totals.cancelled++
      releaseFuture(state, array, index)
      return
    }
    const runner = enlistRunner(state, task)
    const { attempt } = runner ?? task
    const worker = runner?.state.type === 'processing' ? runner.state.worker : undefined
    if (task.template.isScattered) dropScatter(state, task)
    const ancestor = task.producer ?? task
    // They are found first: with its outcome it lets go of them.
    const descendants = state.nestings.size === 0 ? [] : descendantsOf(state, ancestor, needs)
    if (worker !== undefined && runner === task) abandon(state, task, worker)
    forgo(state, array, index)
    failTask(state, task, cancelled(task, error))
    // The task that other outputs are still wanted of goes on.
    if (!isPending(ancestor)) for (const child of descendants) cancelChild(state, child, { cancellation, error, stops })
    if (runner === undefined || worker === undefined || worker.processing.has(runner)) return
    orderStop(stops, worker, runner, { cancellation, place, attempt })
  })
  for (const [worker, order] of stops) workerOutboxOf(state, worker).add({ type: 'stop-tasks', ...order, graceMs })
  if (cancellation.open === 0) answer(state, cancellation)
}

/** What workers are told to stop. */
type Stops = Map<WorkerRecord, { readonly tasks: TaskId[]; readonly attempts: number[] }>

function orderStop(
  stops: Stops,
  worker: WorkerRecord,
  { id }: Task,
  stop: Pick<Stop, 'cancellation' | 'place' | 'attempt'>,
): void {
  let order = stops.get(worker)
  if (order === undefined) stops.set(worker, (order = { tasks: [], attempts: [] }))
  order.tasks.push(id)
  order.attempts.push(stop.attempt)
  worker.stopping.set(attemptLabel(id, stop.attempt), { ...stop, task: id })
  stop.cancellation.open++
}

/** What a task has submitted, and what that has, as far as nobody else holds it. */
function descendantsOf(state: SchedulerState, ancestor: Task, needs: NeedsOfOthers): Task[] {
  const found: Task[] = []
  const parents = [ancestor]
  for (let next = parents.pop(); next !== undefined; next = parents.pop()) {
    const nesting = state.nestings.get(next.id)
    for (const child of nesting === undefined ? [] : childrenOf(nesting)) {
      if (isOthersToo(child, child.array.client, needs)) continue
      found.push(child)
      parents.push(child.producer ?? child)
    }
  }
  return found
}

/** The task goes with one that submitted it. What has not begun is let go of when the turn ends. */
function cancelChild(
  state: SchedulerState,
  child: Task,
  { cancellation, error, stops }: { cancellation: Cancellation; error: Uint8Array; stops: Stops },
): void {
  const runner = enlistRunner(state, child)
  if (runner?.state.type !== 'processing') return
  const { worker } = runner.state
  const { attempt } = runner
  if (runner === child) abandon(state, child, worker)
  failTask(state, child, cancelled(child, error))
  if (!worker.processing.has(runner)) orderStop(stops, worker, runner, { cancellation, place: -1, attempt })
}

/** The worker's slots are free of these. */
export function onTasksStopped(
  state: SchedulerState,
  worker: WorkerRecord,
  { tasks, attempts, stoppedBy }: TasksStopped,
): void {
  tasks.forEach((id, i) => {
    const stop = worker.stopping.get(attemptLabel(id, attempts[i] ?? 1))
    if (stop !== undefined) settle(state, worker, stop, stoppedBy[i] ?? 'none')
  })
  reorder(state, worker)
}

/** With the worker, all that it was to stop is gone. */
export function endStopsOf(state: SchedulerState, worker: WorkerRecord): void {
  for (const stop of worker.stopping.values()) settle(state, worker, stop, 'process')
}

function settle(state: SchedulerState, worker: WorkerRecord, stop: Stop, stoppedBy: Stopper): void {
  const { cancellation, task, place, attempt } = stop
  worker.stopping.delete(attemptLabel(task, attempt))
  // What goes on where nothing stops it takes what it took until the worker says that it has ended.
  if (stoppedBy !== 'abandoned') endLingering(state, worker, task, attempt)
  if (place >= 0) cancellation.stoppedBy[place] = stoppedBy
  cancellation.open--
  if (cancellation.open === 0) answer(state, cancellation)
}

function answer(state: SchedulerState, { client, request, stoppedBy }: Cancellation): void {
  if (state.clients.get(client.id) !== client) return
  outboxOf(state, client).add({ type: 'cancelled', request, stoppedBy })
}

/** The task of a future that the client holds. */
export function taskOfFuture(state: SchedulerState, client: ClientRecord, id: TaskId): Task | undefined {
  const array = state.arrays.get(arrayOf(id))
  if (array?.client !== client || (array.flags[indexOf(id)]! & HELD) === 0) return undefined
  return findTask(state, id)
}

/** Which task runs for this one, as an ordinary task of its worker: an output is made by another. */
function enlistRunner(state: SchedulerState, task: Task): Task | undefined {
  const runner = task.producer ?? task
  enlist(state, runner)
  return runner.state.type === 'processing' ? runner : undefined
}

/** Does another client hold the task, or wait for something that needs it; or is it published? */
export function isOthersToo(task: Task, client: ClientRecord, needs: NeedsOfOthers): boolean {
  const isHeldBy = ({ array, index }: Pick<Task, 'array' | 'index'>): boolean =>
    array.client !== client && (array.flags[index]! & HELD) !== 0
  if (task.isDetached && task.array.client !== client) return true
  if (task.publications > 0 || isHeldBy(task) || (task.aliases?.some(isHeldBy) ?? false)) return true
  const waiting = task.waiters.filter((waiter) => waiter.state.type === 'waiting')
  if (waiting.some((waiter) => waiter.array.client !== client)) return true
  return needs.has(task, client, task.pendingDependants - waiting.length)
}

/**
 * Needs of a value that is still to be made, of tasks that do not wait for it: those that were sent ahead of it, once their workers have
 * spoken of them, and those that had it before it was lost: they are ready, wait for another try, or for another input. They are looked
 * through once, however many values it is asked for; all records only where those at workers are not all.
 */
export class NeedsOfOthers {
  readonly #state: SchedulerState
  #atWorkers: ReadonlyMap<Task, readonly Task[]> | undefined
  #elsewhere: ReadonlyMap<Task, readonly Task[]> | undefined

  constructor(state: SchedulerState) {
    this.#state = state
  }

  /** Does a client beside this one need the value of the task? There are `count` tasks that need it and do not wait for it. */
  has(task: Task, client: ClientRecord, count: number): boolean {
    if (count === 0) return false
    const { workers, arrays } = this.#state
    this.#atWorkers ??= dependantsAmong(Array.from(workers.values(), ({ processing }) => processing))
    const atWorkers = this.#atWorkers.get(task) ?? []
    if (atWorkers.some(({ array }) => array.client !== client)) return true
    if (count <= atWorkers.length) return false
    this.#elsewhere ??= dependantsAmong(Array.from(arrays.values(), ({ tasks }) => tasks.filter(isElsewhere)))
    return this.#elsewhere.get(task)?.some(({ array }) => array.client !== client) === true
  }
}

function isElsewhere(task: Task | undefined): task is Task {
  return task !== undefined && isPending(task) && task.state.type !== 'processing'
}

/** By what they need, the tasks that need it. */
function dependantsAmong(groups: readonly Iterable<Task>[]): Map<Task, Task[]> {
  const dependants = new Map<Task, Task[]>()
  for (const group of groups) {
    for (const task of group) {
      for (const input of task.inputs) {
        const others = dependants.get(input)
        if (others === undefined) dependants.set(input, [task])
        else others.push(task)
      }
    }
  }
  return dependants
}

function cancelled(task: Task, error: Uint8Array): Failure {
  return {
    error,
    code: 'ERR_HEDDLE_TASK_CANCELLED',
    reason: 'it was cancelled',
    worker: '',
    attempt: startNumber(task),
    culpritKey: keyOf(task),
  }
}
