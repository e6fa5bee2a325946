/**
 * The worker's core: decides which task runs in which thread, what is fetched from whom, and what the scheduler hears.
 * Synchronous and deterministic; it reads no clock, and the bytes of values are not its business.
 */
import { unreachable } from '../../common/assert.js'
import { growBatch, nextOverdueMs, startBatches, startIoTasks, takeBackTails } from './dispatch.js'
import type { WorkerEvent } from './events.js'
import type { WorkerInstruction } from './instructions.js'
import { onLentAwaits, onLentEnded, onLentLost, onLentOrphaned, onTaskLent } from './lending.js'
import { holdBack, onLeave, onPulse, onSchedulerLost, tellView } from './on-link.js'
import { answerAwaits, giveUpOwn, onValuesAwaited } from './on-await.js'
import {
  onSpillFailed,
  onValueLoaded,
  onValueServed,
  onValueSpilled,
  onValueUnreadable,
  planCollection,
  planSpills,
} from './on-memory.js'
import { onSchedulerMessage } from './on-scheduler-message.js'
import { onBatchCut, onBatchEnded, onTasksEnded, onThreadExited } from './on-thread.js'
import {
  askForInputs,
  onCodeRefused,
  onValuesLocated,
  onValuePut,
  onValuesFetched,
  onValuesMissing,
  onValuesUnreachable,
} from './on-transfer.js'
import { measureMemory, pausedUntilMs, watchPause } from './pause.js'
import { onTaskReported } from './progress.js'
import { onStreamChunk } from './streaming.js'
import { abort, advanceStopping, giveUpAll, nextStopMs, onStopAsked } from './stopping.js'
import { createWorkerState, type WorkerConfig, type WorkerState } from './state.js'
import { lookAtRuns, nextLookMs, onRunLookedAt } from './time-outs.js'

/** With so few inputs on their way for each thread, the scheduler is to hear at once what became of tasks: it may have more. */
const FEW_FETCHES = 4

/** Applies one event. */
export function handleEvent(state: WorkerState, event: WorkerEvent): WorkerInstruction[] {
  const out: WorkerInstruction[] = []
  if (state.link.type === 'closed') return out
  switch (event.type) {
    case 'scheduler-message':
      onSchedulerMessage(state, event.message, event.nowMs, out)
      break
    case 'scheduler-lost':
      onSchedulerLost(state, event.nowMs, out)
      break
    case 'tasks-ended':
      onTasksEnded(state, event, out)
      break
    case 'stream-chunk':
      onStreamChunk(state, event, out)
      break
    case 'task-reported':
      onTaskReported(state, event, out)
      break
    case 'task-lent':
      onTaskLent(state, event, out)
      break
    case 'lent-awaits':
      onLentAwaits(state, event)
      break
    case 'lent-orphaned':
      onLentOrphaned(state, event, out)
      break
    case 'lent-ended':
      onLentEnded(state, event, out)
      break
    case 'lent-lost':
      onLentLost(state, event, out)
      break
    case 'batch-ended':
      onBatchEnded(state, event)
      break
    case 'batch-cut':
      onBatchCut(state, event, out)
      break
    case 'stop-asked':
      onStopAsked(state, event, out)
      break
    case 'run-looked-at':
      onRunLookedAt(state, event, out)
      break
    case 'thread-exited':
      onThreadExited(state, event, out)
      break
    case 'values-fetched':
      onValuesFetched(state, event.tasks, event.sizes)
      break
    case 'value-put':
      onValuePut(state, event.task, event.sizeBytes)
      break
    case 'values-missing':
      onValuesMissing(state, event.holder, event.tasks, out)
      break
    case 'values-located':
      onValuesLocated(state, event)
      break
    case 'values-awaited':
      onValuesAwaited(state, event, out)
      break
    case 'await-ended':
      state.awaits.remove(event.question)
      break
    case 'values-unreachable':
      onValuesUnreachable(state, event)
      break
    case 'value-spilled':
      onValueSpilled(state, event.task, event.file, out)
      break
    case 'spill-failed':
      onSpillFailed(state, event, out)
      break
    case 'value-loaded':
      onValueLoaded(state, event, out)
      break
    case 'value-served':
      onValueServed(state, event.task)
      break
    case 'value-unreadable':
      onValueUnreadable(state, event.task, event.file, out)
      break
    case 'code-refused':
      onCodeRefused(state, event.code, event.error, out)
      break
    case 'leave':
      onLeave(state, out)
      break
    case 'pulse':
      measureMemory(state, event, out)
      state.awaits.beat()
      onPulse(state, event, out)
      break
    default:
      unreachable(event)
  }
  return state.link.type === 'absent' ? holdBack(state, out) : out
}

/** What the events of a turn lead to together: batches for idle threads, fetches, and one report. */
export function endTurn(state: WorkerState, nowMs: number): WorkerInstruction[] {
  const out: WorkerInstruction[] = []
  if (state.link.type === 'closed') return out
  watchPause(state, nowMs)
  startBatches(state, nowMs, out)
  growBatch(state, nowMs, out)
  if (state.ioReady.length > 0) startIoTasks(state, nowMs, out)
  lookAtRuns(state, nowMs, out)
  takeBackTails(state, nowMs, out)
  giveUpOwn(state, out)
  // What goes back for want of an input may have been to make another's here, or a peer's.
  do askForInputs(state, nowMs, out)
  while (giveUpOwn(state, out))
  answerAwaits(state, out)
  const isStuck = advanceStopping(state, nowMs, out)
  if (isStuck) giveUpAll(state)
  if (state.link.type === 'absent' && state.link.keepsWork) state.report.flushDropped(state.held, out)
  else if (!hasMoreSoon(state) || !state.report.mayWait(nowMs)) state.report.flush(state.held, out)
  if (state.isViewAsked) tellView(state, out)
  planSpills(state, nowMs, out)
  planCollection(state, out)
  if (isStuck) abort(state, out)
  return state.link.type === 'absent' ? holdBack(state, out) : out
}

/** Do tasks wait here for others that are being made, so that there will be more to tell? */
function hasMoreSoon({ link, fetches, batches, config, isViewAsked }: WorkerState): boolean {
  if (link.type !== 'joined' || isViewAsked) return false
  return fetches.size >= FEW_FETCHES * config.threads || batches.some((batch) => batch?.makers !== undefined)
}

/** When a turn is due even if nothing happens; `undefined` for never. */
export function nextDeadlineMs(state: WorkerState): number | undefined {
  if (state.link.type === 'closed') return undefined
  const nextMs = Math.min(
    nextOverdueMs(state),
    state.link.type === 'joined' ? state.report.dueMs : Infinity,
    pausedUntilMs(state),
    nextStopMs(state) ?? Infinity,
    nextLookMs(state) ?? Infinity,
  )
  return nextMs === Infinity ? undefined : nextMs
}

/** A core with a state of its own, as a shell's event loop drives it. */
export class WorkerMachine {
  readonly state: WorkerState

  constructor(config: WorkerConfig) {
    this.state = createWorkerState(config)
  }

  handleEvent(event: WorkerEvent): readonly WorkerInstruction[] {
    return handleEvent(this.state, event)
  }

  endTurn(nowMs: number): readonly WorkerInstruction[] {
    return endTurn(this.state, nowMs)
  }

  nextDeadlineMs(): number | undefined {
    return nextDeadlineMs(this.state)
  }
}

export function createWorkerMachine(config: WorkerConfig): WorkerMachine {
  return new WorkerMachine(config)
}
