/** What the scheduler says. Late or needless news is an ordinary case here, never an assertion. */
import { unreachable } from '../../common/assert.js'
import { ownBytes } from '../../common/packed.js'
import type { TaskId, TemplateId, WorkerId } from '../../protocol/ids.js'
import type { WorkerTemplate } from '../../protocol/messages/worker.js'
import type { Heard } from './events.js'
import type { WorkerInstruction } from './instructions.js'
import { dropValue, returnTask } from './let-go.js'
import { onFarewell, onJoined, onLeave, onRestart } from './on-link.js'
import { onRunTasks } from './on-run-tasks.js'
import { onFetchCopies, onGiveValues } from './on-transfer.js'
import { dropTask, onStopTasks } from './stopping.js'
import { onStreamTaken } from './streaming.js'
import type { WorkerState } from './state.js'

export function onSchedulerMessage(state: WorkerState, message: Heard, nowMs: number, out: WorkerInstruction[]): void {
  if (state.link.type === 'absent' && message.type !== 'joined') return // Said before it knew us: not for us.
  switch (message.type) {
    case 'joined':
      onJoined(state, message, out)
      break
    case 'define-code':
      state.refusedCode.delete(message.code)
      out.push({ type: 'store-code', define: message })
      break
    case 'define-template':
      defineTemplate(state, message)
      break
    case 'forget-templates':
      for (const template of message.templates) state.templates.delete(template as TemplateId)
      break
    case 'peers':
      message.workers.forEach((worker, i) => state.peers.set(worker as WorkerId, message.addresses[i] ?? ''))
      break
    case 'run-tasks':
      onRunTasks(state, message, nowMs, out)
      break
    case 'give-values':
      onGiveValues(state, message, out)
      break
    case 'free-tasks':
      for (const task of message.tasks) freeTask(state, task, nowMs, out)
      break
    case 'recall':
      for (const task of message.tasks) recallTask(state, task)
      break
    case 'fetch-copies':
      onFetchCopies(state, message)
      break
    case 'stop-tasks':
      onStopTasks(state, message, nowMs, out)
      break
    case 'leave':
      onLeave(state, out, { isRetired: true })
      break
    case 'ask-view':
      state.isViewAsked = true
      break
    case 'restart':
      onRestart(state, out)
      break
    case 'tell':
    case 'take-profile':
      out.push(message)
      break
    case 'stream-taken':
      onStreamTaken(state, message, out)
      break
    case 'farewell':
      onFarewell(state, out)
      break
    default:
      unreachable(message)
  }
}

/**
 * What is kept of it must not keep the whole message: that would also go to a thread with each batch, for a view that is posted takes all the
 * memory that it is of.
 */
function defineTemplate(state: WorkerState, message: WorkerTemplate): void {
  const constants = ownBytes(message.constants)
  state.templates.set(message.template, { ...message, constants, meanUs: undefined, meanBytes: 0 })
}

function freeTask(state: WorkerState, id: TaskId, nowMs: number, out: WorkerInstruction[]): void {
  dropValue(state, id)
  const task = state.tasks.get(id)
  if (task !== undefined) dropTask(state, task, nowMs, out)
}

/** A task in a batch comes back if its thread turns out not to have started it. */
function recallTask(state: WorkerState, id: TaskId): void {
  const task = state.tasks.get(id)
  if (task === undefined) return // It ended, or went back, before the scheduler knew.
  if (task.state.type === 'lent') {
    state.report.addKept(task)
    return
  }
  if (task.state.type !== 'batched') {
    returnTask(state, task)
    return
  }
  const { batch } = task.state
  if (batch.tail === 'cut') {
    state.report.addKept(task)
    return
  }
  ;(batch.recalled ??= new Set()).add(task)
  if (batch.tail === 'given') batch.tail = 'wanted'
}
