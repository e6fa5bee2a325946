/**
 * What workers report of tasks. Every report names the attempt it belongs to (see `attempts`).
 */
import { ownBytes, startOf } from '../../../common/packed.js'
import { unreachable } from '../../../common/assert.js'
import type { TaskId } from '../../../protocol/ids.js'
import type {
  InputsMissing,
  OutputsFinished,
  TaskExited,
  TaskFailed,
  TasksFinished,
  TasksReturned,
  TasksTimedOut,
} from '../../../protocol/messages/worker.js'
import type { HeardFromWorker } from '../events.js'
import { enlist, noteDuration, noteNews } from '../placing/ahead.js'
import { abandon, forgetLeft, recountLoad, reorder, unassign } from '../placing/assignment.js'
import { currentTask, lateHolding, makerOf, taskOfReport } from './attempts.js'
import { onTasksStopped } from './cancel.js'
import { onSuspension } from './nesting.js'
import { faultOfReport, finishOutputs, isProducer } from './on-outputs.js'
import { failTask, finishTask } from './outcome.js'
import { isNeeded } from './retention.js'
import { loseCopy, startOver } from './recovery.js'
import { onAttached, onTasksHeld } from '../durable/reattach.js'
import { noteHeldUp, onTasksKept } from '../placing/recall.js'
import { onRelayMessage } from '../data/relays.js'
import { endRun } from './retries.js'
import { loseScattered, onScattered, retryScatters } from '../data/scatter.js'
import { onTaskProgressed } from './progress.js'
import { onStreamChunk } from './streams.js'
import { endCopying, endResting, noteChange, onCopyMissing } from '../data/spread.js'
import { readyQueueOf, workerOutboxOf, type SchedulerState } from '../state.js'
import { recordOf } from './task-array.js'
import { addHolder, isHolder, isPending, keyOf, outputCountOf, startNumber, type Failure, type Task } from './task.js'
import type { FunctionStatistics } from './template.js'
import type { WorkerRecord } from '../workers/worker-record.js'
import { onTold } from '../views/inquiry.js'
import { onLeaving } from '../workers/leaving.js'
import { onView, review } from '../workers/reconcile.js'
import { refuseWorker } from '../workers/on-worker.js'

/** So many times a value may turn out not to be where it should; then the task fails instead of trying for ever. */
const MAX_MISSES = 10
/** So many times a task whose input could not be fetched is tried elsewhere before that input is made again. */
const PATIENT_MISSES = 2
/** Weight of the newest message in the mean of a function's time. */
const NEW_MEAN_WEIGHT = 0.3
/** A change of a mean by this part of itself makes loads counted with the old one wrong. */
const MUCH = 0.2
/** With so few tasks a worker's load is counted afresh after every report. */
const CHEAP_TO_RECOUNT = 64

export function onWorkerMessage(state: SchedulerState, worker: WorkerRecord, message: HeardFromWorker): void {
  worker.heardAtMs = state.nowMs
  switch (message.type) {
    case 'tasks-finished': {
      const fault = onTasksFinished(state, worker, message)
      if (fault !== undefined) return refuseWorker(state, worker, fault)
      break
    }
    case 'outputs-finished': {
      const fault = onOutputsFinished(state, worker, message)
      if (fault !== undefined) return refuseWorker(state, worker, fault)
      break
    }
    case 'task-failed':
      onTaskFailed(state, worker, message)
      break
    case 'task-exited':
      onTaskExited(state, worker, message)
      break
    case 'tasks-returned':
      onTasksReturned(state, worker, message)
      break
    case 'tasks-kept':
      onTasksKept(state, worker, message.tasks)
      break
    case 'inputs-missing':
      onInputsMissing(state, worker, message)
      break
    case 'tasks-held':
      onTasksHeld(state, worker, message)
      break
    case 'attached':
      onAttached(state, worker)
      break
    case 'copies-held':
      for (let i = 0; i < message.tasks.length; i++) {
        const sizeBytes = message.sizes[i] ?? 0
        state.totals.movedBytes += sizeBytes
        worker.receivedBytes += sizeBytes
        addCopy(state, worker, message.tasks[i]!, sizeBytes)
      }
      // A worker that is back told of runs first, and of some as of runs that are of no account.
      worker.outbox.spare((id) => {
        const found = recordOf(state, id)?.state
        return found?.type === 'in-memory' && isHolder(found, worker)
      })
      break
    case 'values-lost':
      for (const id of message.tasks) onValueLost(state, worker, id)
      break
    case 'pulse':
      worker.pulse = message
      worker.pulseAtMs = state.nowMs
      noteHeldUp(state, worker, message)
      review(state, worker, message)
      if (worker.copies.resting.size > 0) {
        endResting(state, worker)
        retryScatters(state)
      }
      break
    case 'leaving':
      onLeaving(state, worker)
      break
    case 'copies-missing':
      for (const id of message.tasks) onCopyMissing(state, id, worker)
      break
    case 'stream-chunk':
      onStreamChunk(state, worker, message)
      break
    case 'task-progressed':
      onTaskProgressed(state, worker, message)
      break
    case 'tasks-timed-out':
      onTasksTimedOut(state, worker, message)
      break
    case 'tasks-suspended':
    case 'tasks-resumed':
      onSuspension(state, worker, message)
      break
    case 'tasks-stopped':
      onTasksStopped(state, worker, message)
      break
    case 'told':
      onTold(state, worker, message)
      break
    case 'view':
      onView(state, worker, message)
      break
    case 'open-relay':
    case 'accept-relay':
    case 'close-relay':
      onRelayMessage(state, { type: 'worker', record: worker }, message)
      break
    case 'join':
      break // The session turns the first one into an event of its own; a second one says nothing new.
    default:
      unreachable(message)
  }
  reorder(state, worker)
  noteNews(state, worker)
}

/** Returns what is wrong with the report, or `undefined` when it was taken. */
function onTasksFinished(state: SchedulerState, worker: WorkerRecord, message: TasksFinished): string | undefined {
  const { tasks, attempts, sizes, values } = message
  if (sizes.length !== tasks.length || values.ends.length !== tasks.length) return 'its columns differ in length'
  const current: Task[] = []
  const places: number[] = []
  for (let i = 0; i < tasks.length; i++) {
    const task = makerOf(state, worker, tasks[i]!, attempts[i] ?? 1)
    if (task === undefined) continue
    if (isProducer(task)) return `it has one value for the ${outputCountOf(task)} outputs of ${keyOf(task)}`
    current.push(task)
    places.push(i)
  }
  // All tasks leave before the first is finished: what that sets off must see the worker's true load.
  for (const task of current) unassign(state, task, worker)
  if (noteTimings(state, worker, message, current) || worker.processing.size <= CHEAP_TO_RECOUNT)
    recountLoad(state, worker)
  let inlineCount = 0
  for (const place of places) if (hasEntry(message, place)) inlineCount++
  const page = inlineCount > 0 ? state.inline.add(ownBytes(values.bytes), inlineCount) : undefined
  state.totals.finished += current.length
  state.finishRate.add(current.length, state.nowMs)
  let resultBytes = 0
  for (let i = 0; i < current.length; i++) {
    const task = current[i]!
    const place = places[i]!
    const isInline = hasEntry(message, place)
    const late = lateHolding(task, worker)
    if (task.state.type !== 'processing' && late === undefined) {
      // Another task of this message was the last that needed it, or it is in there twice.
      if (task.silent?.maker === worker) {
        // Its value was let go where peers have it, and here nobody knew of it.
        task.silent = undefined
        workerOutboxOf(state, worker).addFree(task.id)
      }
      if (isInline && page !== undefined) state.inline.drop(page)
      continue
    }
    task.template.statistics.finished++
    const start = startOf(values, place)
    // Of what came along the size is what came, whatever the report says.
    const sizeBytes = isInline ? values.ends[place]! - start : (sizes[place] ?? 0)
    resultBytes += sizeBytes
    const copy = isInline ? page : undefined
    if (late === undefined) {
      finishTask(state, task, { type: 'in-memory', holders: worker.alone, sizeBytes, page: copy, start })
      continue
    }
    task.silent = undefined
    addHolder(late, worker)
    noteChange(state, task.id)
    if (copy === undefined) continue
    // Another attempt may have given a value of another size: what is said of it is of the first that was told of.
    if (late.page === undefined && late.sizeBytes === sizeBytes) [late.page, late.start] = [copy, start]
    else state.inline.drop(copy)
  }
  state.totals.resultBytes += resultBytes
  return undefined
}

/** The outputs of tasks that have several. Returns what is wrong with the report, or `undefined` when it was taken. */
function onOutputsFinished(state: SchedulerState, worker: WorkerRecord, message: OutputsFinished): string | undefined {
  const { tasks, attempts } = message
  const producers = tasks.map((id, i) => makerOf(state, worker, id, attempts[i] ?? 1))
  const fault = faultOfReport(message, producers)
  if (fault !== undefined) return fault
  const current = producers.filter((task) => task !== undefined)
  for (const task of current) unassign(state, task, worker)
  if (noteTimings(state, worker, message, current) || worker.processing.size <= CHEAP_TO_RECOUNT)
    recountLoad(state, worker)
  state.totals.finished += current.length
  state.finishRate.add(current.length, state.nowMs)
  finishOutputs(state, worker, message, producers)
  return undefined
}

function hasEntry({ values }: TasksFinished, place: number): boolean {
  return (values.ends[place] ?? 0) > startOf(values, place)
}

/**
 * Times come summed up by template; the tasks tell which function each template is of. Returns true when a mean moved
 * much.
 */
function noteTimings(
  state: SchedulerState,
  worker: WorkerRecord,
  { timings }: Pick<TasksFinished, 'timings'>,
  tasks: readonly Task[],
): boolean {
  if (timings.length === 0 || tasks.length === 0) return false
  let hasMovedMuch = false
  const statistics = new Map<number, FunctionStatistics>()
  let last: number | undefined
  for (const { template } of tasks) {
    if (template.id === last) continue
    last = template.id
    statistics.set(template.id, template.statistics)
  }
  for (const { template, count, totalUs } of timings) {
    const figures = statistics.get(template)
    if (figures === undefined || count === 0) continue
    const meanUs = Math.max(1, totalUs / count)
    const { meanUs: before } = figures
    figures.meanUs = before === undefined ? meanUs : before + (meanUs - before) * NEW_MEAN_WEIGHT
    if (before !== undefined) noteDuration(state, worker, { statistics: figures, us: meanUs, beforeUs: before })
    if (before === undefined || Math.abs(figures.meanUs - before) > before * MUCH) hasMovedMuch = true
  }
  return hasMovedMuch
}

function onTaskFailed(state: SchedulerState, worker: WorkerRecord, message: TaskFailed): void {
  const task = currentTask(state, worker, message.task, message.attempt)
  if (task === undefined) return
  unassign(state, task, worker)
  const failure: Failure = { ...failureOf(task, worker), error: ownBytes(message.error), code: '', reason: '' }
  endRun(state, task, failure, message.isFinal ? 'final' : 'failed')
}

function onTaskExited(state: SchedulerState, worker: WorkerRecord, message: TaskExited): void {
  const task = currentTask(state, worker, message.task, message.attempt)
  if (task === undefined) return
  unassign(state, task, worker)
  const failure = { ...failureOf(task, worker), error: NO_ERROR }
  if (message.isOutOfMemory) {
    const reason = `Task ${keyOf(task)} ran out of memory on ${worker.join.name}: ${message.reason}.`
    endRun(state, task, { ...failure, code: 'ERR_HEDDLE_OUT_OF_MEMORY', reason })
  } else {
    endRun(state, task, { ...failure, code: 'ERR_HEDDLE_TASK_EXITED', reason: message.reason })
  }
}

function onTasksTimedOut(state: SchedulerState, worker: WorkerRecord, { tasks, attempts, goOn }: TasksTimedOut): void {
  const goingOn = new Set(goOn)
  for (let i = 0; i < tasks.length; i++) {
    const id = tasks[i]!
    const attempt = attempts[i] ?? 1
    const goesOn = goingOn.has(i)
    // What goes on keeps what it takes, also if it was let go of while word of it was under way.
    const task = goesOn ? taskOfReport(state, worker, id, attempt) : currentTask(state, worker, id, attempt)
    if (task === undefined) continue
    if (goesOn) abandon(state, task, worker)
    else unassign(state, task, worker)
    const code = 'ERR_HEDDLE_TASK_TIMEOUT'
    const reason =
      `Task ${keyOf(task)} ran longer than its timeoutMs of ${task.template.rules.timeoutMs} on ${worker.join.name}, ` +
      'and was stopped; give it more time, or less to do.'
    endRun(state, task, { ...failureOf(task, worker), error: NO_ERROR, code, reason })
  }
}

function onTasksReturned(state: SchedulerState, worker: WorkerRecord, message: TasksReturned): void {
  const begun = new Set(message.begun)
  message.tasks.forEach((id, i) => giveBack(state, worker, id, message.attempts[i], begun.has(i)))
}

/** The worker does not have it any more. */
function giveBack(state: SchedulerState, worker: WorkerRecord, id: TaskId, attempt = 1, hasBegun = false): void {
  const task = currentTask(state, worker, id, attempt)
  if (task === undefined) return
  if (!hasBegun) task.unstarted++
  unassign(state, task, worker)
  startOver(state, task)
}

function onInputsMissing(state: SchedulerState, worker: WorkerRecord, message: InputsMissing): void {
  const task = currentTask(state, worker, message.task, message.attempt)
  const holder = state.workers.get(message.holder)
  // What is not made yet nobody could have got: the task waits here for it, and is not sent ahead of it again.
  const isMiss = message.inputs.some((id) => recordOf(state, id)?.state.type === 'in-memory')
  const misses = (task?.misses ?? 0) + (isMiss ? 1 : 0)
  for (const id of message.inputs) {
    const input = recordOf(state, id)
    if (input === undefined || holder === undefined) continue
    // A live holder that could not be reached keeps its copy at first: the task is tried where the copy is.
    if (misses <= PATIENT_MISSES && holder !== worker) continue
    if (input.state.type === 'in-memory' && isHolder(input.state, holder)) workerOutboxOf(state, holder).addFree(id)
    loseCopy(state, input, holder)
  }
  if (task === undefined) return
  unassign(state, task, worker)
  task.unstarted++
  task.misses = misses
  task.staysBack = true
  if (task.misses < MAX_MISSES) {
    startOver(state, task)
    return
  }
  const reason =
    `Task ${keyOf(task)} could not get its inputs in ${MAX_MISSES} attempts; ` +
    'neither at the addresses that "heddle status" shows nor by way of the scheduler; see the log of that worker for why.'
  failTask(state, task, { ...failureOf(task, worker), error: NO_ERROR, code: 'ERR_HEDDLE_WORKER_LOST', reason })
}

/** The worker has the value no more: it could not read it back from its disk. */
function onValueLost(state: SchedulerState, worker: WorkerRecord, id: TaskId): void {
  const scatter = state.scatters.get(id)
  if (scatter !== undefined) loseScattered(state, scatter, worker)
  const task = recordOf(state, id)
  if (task?.state.type === 'in-memory' && isHolder(task.state, worker)) loseCopy(state, task, worker)
}

/** The worker fetched a value, or was brought one, and keeps the copy. */
function addCopy(state: SchedulerState, worker: WorkerRecord, id: TaskId, sizeBytes: number): void {
  if (state.copying.size > 0) endCopying(state, id, worker)
  const scatter = state.scatters.get(id)
  if (scatter !== undefined) {
    // One that may close takes the value along: its client has it still, and brings it to another.
    if (!worker.isDismissed) onScattered(state, scatter, worker)
    return
  }
  const task = recordOf(state, id)
  if (task?.state.type === 'in-memory') {
    if (!isHolder(task.state, worker)) addHolder(task.state, worker)
    noteChange(state, id)
    return
  }
  if (task === undefined || !isPending(task) || !isNeeded(task)) {
    workerOutboxOf(state, worker).addFree(id)
    return
  }
  // The copy came from the worker that makes it, which is still to tell; or the value was believed lost, and here it is.
  enlist(state, task)
  if (task.state.type === 'processing') {
    const { worker: other } = task.state
    // An order to free it would take the copy, or what tasks wait for where it is made. What has not begun again can go back.
    const hasLeft = forgetLeft(task)
    if (other !== worker) {
      task.silent = { maker: other, hasLeft }
      if (task.attempt > 1) workerOutboxOf(state, other).addTakenBack(id)
    }
    abandon(state, task, other)
  } else if (task.state.type === 'ready') readyQueueOf(state, task.template).markStale()
  finishTask(state, task, { type: 'in-memory', holders: worker.alone, sizeBytes, page: undefined, start: 0 })
}

/**
 * A client could not get a value from the worker at this address, though it was told that it is there. If that worker has
 * died the scheduler will hear of it; else the client can't reach it, which is no reason to give the value up. Returns why
 * the client's future fails, or `undefined` when the client is to be told again where the value is.
 */
export function onMissing(task: Task, address: string): Failure | undefined {
  if (task.state.type !== 'in-memory') return undefined
  task.misses++
  if (task.misses < MAX_MISSES) return undefined
  task.misses = 0
  const reason =
    `The value of ${keyOf(task)} could not be fetched in ${MAX_MISSES} attempts, last from ${address}; ` +
    'neither there nor by way of the scheduler; check that this client can reach the workers.'
  const worker = task.state.holders.find(({ join }) => join.address === address)?.join.name ?? ''
  const code = 'ERR_HEDDLE_WORKER_LOST'
  return { error: NO_ERROR, code, reason, worker, attempt: startNumber(task), culpritKey: keyOf(task) }
}

const NO_ERROR = new Uint8Array(0)

function failureOf(task: Task, worker: WorkerRecord): Pick<Failure, 'worker' | 'attempt' | 'culpritKey'> {
  return { worker: worker.join.name, attempt: startNumber(task), culpritKey: keyOf(task) }
}
