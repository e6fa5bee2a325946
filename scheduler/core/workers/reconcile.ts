/**
 * Do scheduler and worker agree on what the worker has? Every change of that is a message, so they do, unless there is a bug of
 * ours. A task that the worker was to begin, and has not begun from one heartbeat to the next, makes the scheduler ask; and so
 * do values that lie there when nothing runs. A link keeps the order of what it carries, so the answer tells of all that was
 * sent before the question: a task that is not in it is lost, and starts again; an attempt that nobody wants and that is not in
 * it takes nothing there any more; a value that nobody counts on in two answers is freed. A value that is missing is noticed by
 * whoever fetches it, and made again then. What runs there at two heartbeats, and is no task of the worker any more, is freed once
 * more, or stopped if the value is elsewhere; and again if that changes nothing, but ever more rarely: it may be what nothing can
 * stop.
 */
import { attempt, type Attempt, type TaskId } from '../../../protocol/ids.js'
import { RECONCILE_MS, STOP_GRACE_MS } from '../../../protocol/limits.js'
import type { Pulse, View } from '../../../protocol/messages/worker.js'
import { workerOf } from '../placing/ahead.js'
import { attemptLabel, endLingeringAs, unassign } from '../placing/assignment.js'
import { workerOutboxOf, type SchedulerState } from '../state.js'
import { startOver } from '../tasks/recovery.js'
import { recordOf } from '../tasks/task-array.js'
import { isHolder, type Task } from '../tasks/task.js'
import type { WorkerRecord } from './worker-record.js'

/** What of a worker was looked at. */
export interface Review {
  /** The oldest of its tasks that had not begun at the latest heartbeat, and which attempt that was. */
  oldest: Task | undefined
  oldestAttempt: number
  /** The oldest attempt that nobody wanted, and that took of the worker all the same, at the latest heartbeat; but for `goOn`. */
  lingering: string | undefined
  /** Those that the worker said go on: it is not asked about them again. */
  goOn: ReadonlySet<string>
  /** How many values lay there at the latest heartbeat, when nothing ran; else -1. */
  quietCount: number
  /** So many are as they should be, as long as nothing runs and none is freed; -1 when that is not known. */
  rightCount: number
  /** While it is asked: the tasks that it had then, and attempts that nobody wanted. */
  asked: { readonly tasks: ReadonlyMap<Task, Attempt>; readonly lingering: readonly string[] } | undefined
  /** Values that it named last, and that nobody counted on: an order to free them may have crossed with that. */
  suspects: ReadonlySet<TaskId>
  /** What ran there at the latest heartbeat for nobody, and at how many in a row. */
  strays: ReadonlyMap<TaskId, number>
  /** It is not asked again before that. */
  nextMs: number
}

export function newReview(): Review {
  const nobody = { goOn: new Set<string>(), suspects: new Set<TaskId>(), strays: new Map<TaskId, number>() }
  const nothing = { quietCount: -1, rightCount: -1, asked: undefined, nextMs: -Infinity }
  return { oldest: undefined, oldestAttempt: 0, lingering: undefined, ...nothing, ...nobody }
}

/** Is there something that should have moved since the last heartbeat? */
export function review(state: SchedulerState, worker: WorkerRecord, pulse: Pulse): void {
  const { review: seen, processing } = worker
  const lingering = findUnheard(worker)
  endStrays(state, worker, pulse)
  const oldest = findUnbegun(worker, pulse)
  const isUnbegun = oldest !== undefined && oldest === seen.oldest && oldest.attempt === seen.oldestAttempt
  const isStuck = isUnbegun || (lingering !== undefined && lingering === seen.lingering)
  const quietCount = isQuiet(worker) ? pulse.storedCount : -1
  if (quietCount < 0) seen.rightCount = -1
  const isUnknown = quietCount > 0 && quietCount === seen.quietCount && quietCount !== seen.rightCount
  seen.oldest = oldest
  seen.oldestAttempt = oldest?.attempt ?? 0
  seen.lingering = lingering
  seen.quietCount = quietCount
  if (!isStuck && !isUnknown) return
  if (seen.asked !== undefined || state.nowMs < seen.nextMs || !worker.isAttached) return
  const tasks = new Map(Array.from(processing, (task) => [task, task.attempt]))
  seen.asked = { tasks, lingering: [...worker.lingering.keys()] }
  workerOutboxOf(state, worker).add({ type: 'ask-view' })
}

/** The oldest attempt that nobody wants and of which the worker has not said that it goes on. */
function findUnheard({ lingering, review: { goOn } }: WorkerRecord): string | undefined {
  for (const label of lingering.keys()) if (!goOn.has(label)) return label
  return undefined
}

/** The worker says what it has. */
export function onView(state: SchedulerState, worker: WorkerRecord, view: View): void {
  const { tasks, attempts, values } = view
  const { review: seen } = worker
  const { asked } = seen
  if (asked === undefined) return
  seen.asked = undefined
  seen.nextMs = state.nowMs + RECONCILE_MS
  const had = new Map(tasks.map((id, i) => [id, attempt(attempts[i] ?? 1)]))
  let lost = 0
  for (const [task, sent] of asked.tasks) {
    if (!worker.processing.has(task) || task.attempt !== sent || had.get(task.id) === sent) continue
    lost++
    unassign(state, task, worker)
    startOver(state, task)
  }
  const ended = endUnheard(state, worker, asked.lingering, view)
  seen.goOn = new Set(asked.lingering.filter((label) => worker.lingering.has(label)))
  // While something runs, values come and go, and nothing is known of them.
  const isAtRest = isQuiet(worker)
  const uncounted = isAtRest ? findUncounted(state, worker, values) : []
  const useless = uncounted.filter((id) => seen.suspects.has(id))
  for (const id of useless) workerOutboxOf(state, worker).addFree(id)
  seen.suspects = new Set(uncounted.filter((id) => !seen.suspects.has(id)))
  if (seen.suspects.size > 0) seen.nextMs = state.nowMs
  else if (isAtRest) seen.rightCount = values.length - useless.length
  const repaired = lost + ended + useless.length
  state.totals.repaired += repaired
  if (repaired > 0) tellRepaired(state, worker, { lost, ended, freed: useless.length })
}

/** Of attempts that nobody wanted when it was asked, those that the worker does not know have ended, or never came there. */
function endUnheard(
  state: SchedulerState,
  worker: WorkerRecord,
  asked: readonly string[],
  { tasks, attempts, leftovers, leftoverAttempts }: View,
): number {
  if (asked.length === 0) return 0
  const known = new Set(tasks.map((id, i) => attemptLabel(id, attempts[i] ?? 1)))
  leftovers.forEach((id, i) => known.add(attemptLabel(id, leftoverAttempts[i] ?? 1)))
  let count = 0
  for (const label of asked) {
    if (known.has(label) || !endLingeringAs(state, worker, label)) continue
    count++
  }
  return count
}

/**
 * What runs there for nobody may be about to hear of that. If it runs on it is told again, at the second heartbeat, the fourth, the
 * eighth, and so on. Not told are attempts that are being stopped in their own time. Of tasks whose values are there or
 * elsewhere the attempt is stopped and nothing freed: an order to free it would drop a copy too, which the worker has, or may be
 * fetching just now. Nobody copies streams.
 */
function endStrays(state: SchedulerState, worker: WorkerRecord, { running, attempts }: Pulse): void {
  const { review: seen, stopping } = worker
  if (running.length === 0 && seen.strays.size === 0) return
  const stopped = new Set(Array.from(stopping.values(), ({ task }) => task))
  const strays = new Map<TaskId, number>()
  running.forEach((id, i) => {
    const task = recordOf(state, id)
    if (stopped.has(id) || (task !== undefined && workerOf(task.state) === worker)) return
    const count = (seen.strays.get(id) ?? 0) + 1
    strays.set(id, count)
    if (count === 1 || !Number.isInteger(Math.log2(count))) return
    const outbox = workerOutboxOf(state, worker)
    if (task === undefined || !mayBeCopied(state, task)) outbox.addFree(id)
    else outbox.add({ type: 'stop-tasks', tasks: [id], attempts: [attempts[i] ?? 1], graceMs: STOP_GRACE_MS })
  })
  seen.strays = strays
}

function mayBeCopied({ copying }: SchedulerState, { id, state, template }: Task): boolean {
  return (state.type === 'in-memory' && !template.rules.isStream) || copying.has(id)
}

/** Does nothing run there, and will nothing soon? */
function isQuiet({ processing, ahead }: WorkerRecord): boolean {
  return processing.size + ahead.size === 0
}

/** Nobody counts on these values of the worker, and none of them is being brought there, or copied. */
function findUncounted(state: SchedulerState, worker: WorkerRecord, values: readonly TaskId[]): TaskId[] {
  return values.filter((id) => {
    const task = recordOf(state, id)
    if (task?.state.type === 'in-memory' && isHolder(task.state, worker)) return false
    return !state.scatters.has(id) && !state.copying.has(id)
  })
}

function findUnbegun({ processing, suspended }: WorkerRecord, { running }: Pulse): Task | undefined {
  if (processing.size === 0) return undefined
  const begun = new Set(running)
  for (const task of processing) if (!begun.has(task.id) && !suspended.has(task)) return task
  return undefined
}

function tellRepaired(
  { orders }: SchedulerState,
  { join }: WorkerRecord,
  { lost, ended, freed }: { readonly lost: number; readonly ended: number; readonly freed: number },
): void {
  const parts: string[] = []
  if (lost > 0) parts.push(`${lost} of its tasks were lost, and start again`)
  if (ended > 0) parts.push(`${ended} that nobody wants had ended unheard, and take nothing any more`)
  if (freed > 0) parts.push(`${freed} values there are of no use to anybody, and are freed`)
  orders.push({ type: 'tell-repaired', reason: `worker ${join.name}: ${parts.join('; ')}` })
}
