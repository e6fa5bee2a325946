/** The worker's place in the cluster: it joins, loses its scheduler, or leaves; and its heartbeat. */
import type { TaskId, WorkerId } from '../../protocol/ids.js'
import { MAX_VIEWED_VALUES } from '../../protocol/limits.js'
import { runningTask } from './batch.js'
import type { WorkerEvent } from './events.js'
import type { WorkerInstruction } from './instructions.js'
import { dropValue, forgetTask, isRunning, returnUnstarted, takeBackAll } from './let-go.js'
import { pauseReason } from './memory.js'
import { Attempts } from './report-columns.js'
import { findUnwanted } from './lending.js'
import type { WorkerState } from './state.js'
import { dropTask, findTimedOut, forgetStops } from './stopping.js'
import type { Task } from './task.js'

/** Tells the scheduler what is here of the time before: first what runs or has an outcome to tell, then outcomes and values. */
export function onJoined(
  state: WorkerState,
  { worker, keepsState }: { readonly worker: WorkerId; readonly keepsState: boolean },
  out: WorkerInstruction[],
): void {
  if (state.link.type !== 'absent') return
  state.link = { type: 'joined', worker, keepsState }
  state.taskCount = 0
  const { report, unsaid } = state
  const had = new Attempts()
  for (const task of state.tasks.values()) had.add(task)
  for (const failed of unsaid) had.add(failed)
  report.addUntold(had)
  if (had.tasks.length > 0) {
    out.push({ type: 'send', message: { type: 'tasks-held', tasks: had.tasks, attempts: had.attempts } })
  }
  for (const message of unsaid) out.push({ type: 'send', message })
  unsaid.length = 0
  for (const [task, sizeBytes] of state.held.entries) report.addCopy(task, sizeBytes)
  for (const task of state.lent.values()) report.noteAwaiting(task)
  report.flush(state.held, out)
  if (keepsState) out.push({ type: 'send', message: { type: 'attached' } })
}

/** Tells what is here, behind what this turn has to tell of it. */
export function tellView(state: WorkerState, out: WorkerInstruction[]): void {
  state.isViewAsked = false
  const had = new Attempts()
  for (const task of findTimedOut(state)) had.add(task)
  for (const task of state.tasks.values()) had.add(task)
  const values: TaskId[] = []
  for (const value of state.held.tasks) {
    if (values.length === MAX_VIEWED_VALUES) break
    values.push(value)
  }
  const left = new Attempts()
  for (const task of findUnwanted(state)) left.add(task)
  const { tasks, attempts } = had
  const leftovers = { leftovers: left.tasks, leftoverAttempts: left.attempts }
  out.push({ type: 'send', message: { type: 'view', tasks, attempts, ...leftovers, values } })
}

/** Nobody is there to be told anything: failures wait until somebody is, and of the rest the report has what matters then. */
export function holdBack(state: WorkerState, out: readonly WorkerInstruction[]): WorkerInstruction[] {
  return out.filter((instruction) => {
    if (instruction.type !== 'send') return true
    const { message } = instruction
    if (message.type === 'task-failed' || message.type === 'task-exited') state.unsaid.push(message)
    return false
  })
}

/**
 * Nobody is there to take results. If another scheduler will go on with this one's work, what runs and what is held stays for
 * it; what has not started is its to send again. Else the next one knows nothing of these tasks: they are stopped. Who was to
 * go by order of the lost one stays with what it has: the client that asked for it asks again.
 */
export function onSchedulerLost(state: WorkerState, nowMs: number, out: WorkerInstruction[]): void {
  const { link } = state
  // A scheduler may die before it says a word: then the worker waits on.
  const keepsWork =
    link.type === 'absent' ? link.keepsWork : (link.type === 'joined' || link.type === 'leaving') && link.keepsState
  if (link.type === 'leaving' && !(keepsWork && link.isRetired)) {
    close(state, out)
    return
  }
  state.link = { type: 'absent', keepsWork }
  forgetStops(state)
  if (keepsWork) for (const task of state.tasks.values()) forgetUnlessKept(state, task, nowMs, out)
  if (!keepsWork) forgetWork(state, nowMs, out)
  forgetNumbers(state)
}

/** What has not started is not kept, nor are streams: values on their way were lost, and their readers know. */
function forgetUnlessKept(state: WorkerState, task: Task, nowMs: number, out: WorkerInstruction[]): void {
  if (!isRunning(task)) forgetTask(state, task)
  else if (task.template.isStream) dropTask(state, task, nowMs, out)
  else if (task.state.type === 'lent') task.state.wasAwaiting = false
}

/**
 * The worker was asked to go. It may once nothing that it runs is awaited and others have what only it holds: then the
 * scheduler says farewell.
 */
export function onLeave(
  state: WorkerState,
  out: WorkerInstruction[],
  { reason, isRetired = false }: { readonly reason?: string; readonly isRetired?: boolean } = {},
): void {
  const { link } = state
  if (link.type === 'absent') close(state, out)
  if (link.type === 'leaving' && !isRetired) state.link = { ...link, isRetired }
  if (link.type !== 'joined') return
  state.link = { ...link, type: 'leaving', isRetired, reason }
  out.push({ type: 'send', message: { type: 'leaving' } })
  returnUnstarted(state)
}

/** Nothing here is wanted any more, by anyone. */
export function onRestart(state: WorkerState, out: WorkerInstruction[]): void {
  state.link = { type: 'closed' }
  out.push({ type: 'restart' })
}

export function onFarewell(state: WorkerState, out: WorkerInstruction[]): void {
  close(state, out)
}

export function onPulse(
  state: WorkerState,
  { nowMs, memoryBytes, cpuSeconds }: Extract<WorkerEvent, { readonly type: 'pulse' }>,
  out: WorkerInstruction[],
): void {
  if (state.link.type === 'absent') return
  const batches = state.batches.filter((batch) => batch !== undefined && batch.open > 0)
  const running = batches.map((batch) => ({ task: runningTask(batch!)!, sinceMs: batch!.runningSinceMs }))
  for (const task of state.lent.values()) {
    if (task.state.isWanted && !task.state.isAwaiting) running.push({ task, sinceMs: task.state.resumedAtMs })
  }
  const begun = new Attempts()
  for (const { task } of running) begun.add(task)
  out.push({
    type: 'send',
    message: {
      type: 'pulse',
      memoryBytes,
      cpuSeconds,
      storedCount: state.held.count,
      storedBytes: state.held.sizeBytes,
      spilledBytes: state.spills.diskBytes,
      pausedBy: pauseReason(state) ?? '',
      isDiskFull: state.isDiskFull,
      isHoldingBack: state.heldBackBytes > 0,
      running: begun.tasks,
      attempts: begun.attempts,
      runningForMs: running.map(({ sinceMs }) => Math.max(0, Math.round(nowMs - sinceMs))),
    },
  })
}

function close(state: WorkerState, out: WorkerInstruction[]): void {
  const reason = state.link.type === 'leaving' ? state.link.reason : undefined
  state.link = { type: 'closed' }
  out.push({ type: 'close', reason })
}

function forgetWork(state: WorkerState, nowMs: number, out: WorkerInstruction[]): void {
  for (const task of state.tasks.values()) dropTask(state, task, nowMs, out)
  for (const task of state.held.tasks) dropValue(state, task)
  state.report.forgetNews()
  state.unsaid.length = 0
  takeBackAll(state)
}

/** What only this scheduler's numbers name: templates and peers are numbered anew by the next. Nobody waits for its orders. */
function forgetNumbers(state: WorkerState): void {
  state.fetches.forgetOrders()
  state.templates.clear()
  state.refusedCode.clear()
  state.peers.clear()
  state.isViewAsked = false
  state.unreachable.clear()
}
