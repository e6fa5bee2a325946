/** The worker's place in the cluster: it joins, loses its scheduler, or leaves; and its heartbeat. */
import type { WorkerId } from '../../protocol/ids.js'
import { runningTask } from './batch.js'
import type { WorkerEvent } from './events.js'
import type { WorkerInstruction } from './instructions.js'
import { dropValue, returnUnstarted, takeBackAll } from './let-go.js'
import { pauseReason } from './memory.js'
import type { WorkerState } from './state.js'
import { dropTask, forgetStops } from './stopping.js'

export function onJoined(state: WorkerState, worker: WorkerId): void {
  if (state.link.type !== 'absent') return
  state.link = { type: 'joined', worker }
  for (const [task, sizeBytes] of state.held.entries) state.report.addCopy(task, sizeBytes)
}

/** Nobody is there to take results, and the next scheduler knows nothing of these tasks: they are stopped. */
export function onSchedulerLost(state: WorkerState, out: WorkerInstruction[]): void {
  if (state.link.type === 'leaving') {
    close(state, out)
    return
  }
  state.link = { type: 'absent' }
  forgetAll(state, out)
}

/**
 * The worker was asked to go. It may once nothing that it runs is awaited and others have what only it holds: then the
 * scheduler says farewell.
 */
export function onLeave(state: WorkerState, out: WorkerInstruction[], reason?: string): void {
  if (state.link.type === 'absent') close(state, out)
  if (state.link.type !== 'joined') return
  state.link = { type: 'leaving', worker: state.link.worker, reason }
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
  const running = batches.map((batch) => ({ task: runningTask(batch!)!.task, sinceMs: batch!.runningSinceMs }))
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
      running: running.map(({ task }) => task),
      runningForMs: running.map(({ sinceMs }) => Math.max(0, Math.round(nowMs - sinceMs))),
    },
  })
}

function close(state: WorkerState, out: WorkerInstruction[]): void {
  const reason = state.link.type === 'leaving' ? state.link.reason : undefined
  state.link = { type: 'closed' }
  out.push({ type: 'close', reason })
}

/** Also what only this scheduler's numbers name: templates and peers are numbered anew by the next. */
function forgetAll(state: WorkerState, out: WorkerInstruction[]): void {
  forgetStops(state)
  for (const task of state.tasks.values()) dropTask(state, task, out)
  state.fetches.forgetOrders()
  for (const task of state.held.tasks) dropValue(state, task)
  state.report.forgetNews()
  state.templates.clear()
  state.refusedCode.clear()
  state.peers.clear()
  state.unreachable.clear()
  takeBackAll(state)
}
