/** What threads say: tasks ended, a batch ended or was cut, a thread died. */
import { assert, present } from '../../common/assert.js'
import { entryOf, ownBytes } from '../../common/packed.js'
import { outputOf } from '../../protocol/ids.js'
import type { Stopper } from '../../protocol/messages/common.js'
import { isOpen, openTask, watchRun, type Batch } from './batch.js'
import { learn } from './estimates.js'
import type { Outcomes, WorkerEvent } from './events.js'
import type { WorkerInstruction } from './instructions.js'
import { holdValue, keepIfHeld } from './on-transfer.js'
import { beginStopping, endStopping, hasTimedOut, noteClosed } from './stopping.js'
import { freeSlot, type WorkerState } from './state.js'
import { GONE, moveTo, READY, type Task } from './task.js'

type Event<T extends WorkerEvent['type']> = Extract<WorkerEvent, { readonly type: T }>

/** Tasks of the batch ran to their end: what they gave is reported, unless nobody wants it. */
export function onTasksEnded(state: WorkerState, event: Event<'tasks-ended'>, out: WorkerInstruction[]): void {
  const { places, threw, durationsUs, sizes, values } = event.outcomes
  const batch = batchOf(state, event.thread)
  batch.runningSinceMs = event.nowMs
  for (let i = 0; i < places.length; i++) {
    const task = present(openTask(batch, places[i]!), 'the task of an outcome')
    const durationUs = Math.max(0, durationsUs[i]!)
    const sizeBytes = sizes[i]!
    const hasThrown = threw.size > 0 && threw.has(i)
    if (task.template.outputs > 0 && !hasThrown) {
      onOutputsEnded(state, batch, task, { outcomes: event.outcomes, first: i, durationUs })
      i += task.template.outputs - 1
      continue
    }
    learn(task.template, durationUs, sizeBytes)
    if (!close(state, batch, task, 'none')) {
      if (!hasThrown) keepIfHeld(state, task.task, sizeBytes)
    } else if (hasThrown) {
      const error = ownBytes(entryOf(values, i))
      const isFinal = threw.get(i) === 'final'
      out.push({
        type: 'send',
        message: { type: 'task-failed', task: task.task, attempt: task.attempt, error, isFinal },
      })
    } else {
      const isMaker = batch.makers?.has(task.task) === true
      const isExpected = isMaker || state.fetches.find(task.task) !== undefined || state.awaits.has(task.task)
      holdValue(state, task.task, sizeBytes)
      state.report.addFinished(task, sizeBytes, values, i, durationUs)
      // What needs it here goes on, whoever hears of it.
      if (!isExpected) state.report.hurry()
    }
  }
  if (batch.isTimed) watchRun(batch, event.nowMs)
  if (batch.middle !== undefined && places.includes(batch.middle)) state.report.hurry()
}

interface EndedOutputs {
  readonly outcomes: Outcomes
  /** The place of the first output in the columns. */
  readonly first: number
  readonly durationUs: number
}

/** A task with several outputs ran: each is held as a value of its own. */
function onOutputsEnded(
  state: WorkerState,
  batch: Batch,
  task: Task,
  { outcomes, first, durationUs }: EndedOutputs,
): void {
  const { outputs } = task.template
  assert(first + outputs <= outcomes.places.length, `task ${task.task} has fewer outputs than it should`)
  const isWanted = close(state, batch, task, 'none')
  let allBytes = 0
  for (let i = 0; i < outputs; i++) {
    const output = outputOf(task.task, i)
    const sizeBytes = outcomes.sizes[first + i]!
    allBytes += sizeBytes
    if (isWanted) holdValue(state, output, sizeBytes)
    else keepIfHeld(state, output, sizeBytes)
  }
  learn(task.template, durationUs, allBytes)
  if (isWanted) state.report.addOutputs(task, outcomes, first, durationUs)
}

/** The thread is free. What it did not start runs elsewhere. */
export function onBatchEnded(state: WorkerState, { thread, firstUnstarted }: Event<'batch-ended'>): void {
  const batch = batchOf(state, thread)
  cut(state, batch, firstUnstarted)
  assert(batch.open === 0, `thread ${thread} ended its batch, and ${batch.open} of its tasks have no outcome`)
  endStopping(state, batch, 'ended')
  freeSlot(state, thread)
}

/** The answer to `take-back`. It may be late: the batch it speaks of has ended. */
export function onBatchCut(
  state: WorkerState,
  { thread, firstUnstarted }: Event<'batch-cut'>,
  out: WorkerInstruction[],
): void {
  const batch = state.batches[thread]
  if (batch?.tail !== 'asked') return
  cut(state, batch, firstUnstarted)
  beginStopping(batch, out)
}

/** Only the task that ran when the thread died is to blame; others of its batch run again as if nothing had been. */
export function onThreadExited(state: WorkerState, event: Event<'thread-exited'>, out: WorkerInstruction[]): void {
  const batch = state.batches[event.thread]
  if (batch === undefined) return // It died idle.
  // The thread may have died just after the outcome of its task: then that task is not to blame.
  const culprit = event.culprit === undefined ? undefined : openTask(batch, event.culprit)
  const { reason, isOutOfMemory } = event
  if (culprit !== undefined && close(state, batch, culprit, 'thread')) {
    const { task, attempt, template } = culprit
    // A thread's exit code may be any integer. A process's is a byte, and so is what we report.
    const exitCode = event.exitCode & 0xff
    // What filled the heap may be what others of its batch left there: it is tried where it is the first.
    if (isOutOfMemory && event.culprit !== 0 && !template.isStream) state.report.addReturned(culprit, true)
    else out.push({ type: 'send', message: { type: 'task-exited', task, attempt, exitCode, reason, isOutOfMemory } })
  }
  cut(state, batch, 0, event.firstUnstarted)
  endStopping(state, batch, 'exited')
  freeSlot(state, event.thread)
}

/** A task of a batch has an outcome. Returns false when nobody wants that. */
function close(state: WorkerState, batch: Batch, task: Task, stoppedBy: Stopper): boolean {
  const isWanted = task.state.type === 'batched'
  batch.open--
  if (isWanted) state.tasks.delete(task.task)
  else {
    batch.abandoned--
    if (task.template.isCounted && !hasTimedOut(batch, task)) state.report.addReturned(task)
  }
  moveTo(task, GONE)
  state.spills.unpin(task)
  noteClosed(state, batch, task, stoppedBy)
  return isWanted
}

/** Takes the tasks without an outcome from place `first` on out of the batch. Those before `firstUnstarted` had begun. */
function cut(state: WorkerState, batch: Batch, first: number, firstUnstarted = first): void {
  const startsNothing = state.link.type === 'leaving' || state.pause.draining !== 'no'
  const again: Task[] = []
  for (let place = first; place < batch.end; place++) {
    const task = batch.tasks[place]!
    if (!isOpen(task.state)) continue
    // One that ran among others begins anew, and that is for the scheduler to count. A stream may have given values, which
    // must not be given twice: the scheduler knows.
    const hasBegun = task.template.isIo || (task.template.isStream && place < firstUnstarted)
    const isOver = task.state.type === 'abandoned' || hasBegun
    if (isOver || startsNothing || batch.recalled?.has(task) === true) {
      if (close(state, batch, task, 'queue')) state.report.addReturned(task, hasBegun)
      continue
    }
    batch.open--
    moveTo(task, READY)
    again.push(task)
  }
  for (const task of batch.recalled ?? []) if (task.state.type === 'batched') state.report.addKept(task)
  batch.recalled = undefined
  state.ready.pushFront(again)
  batch.end = Math.min(batch.end, first)
  batch.tail = 'cut'
}

function batchOf(state: WorkerState, thread: number): Batch {
  return present(state.batches[thread], 'the batch of a thread')
}
