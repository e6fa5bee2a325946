/** Clients come, ask, let go, and are gone. */
import { unreachable } from '../../../common/assert.js'
import type { ErrorCode } from '../../../protocol/errors.js'
import { isKept } from '../../../protocol/messages/kept.js'
import { arrayOf, indexOf, templateId, type ClientId, type TaskId } from '../../../protocol/ids.js'
import { awaitReturn, lease, mayReturn, returnAs } from './absence.js'
import { onCancel, taskOfFuture } from '../tasks/cancel.js'
import { ClientOutbox } from './client-outbox.js'
import type { ClientRecord, Newcomer } from './client-record.js'
import { missNoMore } from './missing.js'
import { dumpOf } from '../views/dump.js'
import type { HeardFromClient } from '../events.js'
import { explain } from '../views/explain.js'
import { onAskProfile, onAskWorkers } from '../views/inquiry.js'
import { leaveLimits, onDeclareLimit, onReturnUnit, onTakeUnit } from '../placing/limits.js'
import { isTooEarly } from '../tasks/nesting.js'
import { onAttach } from '../tasks/on-attach.js'
import { onDataCall } from '../data/on-data.js'
import { onSubmit } from '../tasks/on-submit.js'
import { onMissing } from '../tasks/on-task.js'
import { answerWaits } from '../workers/on-worker.js'
import { namesOfUnwatched } from '../workers/restart.js'
import { wantValue } from '../tasks/outcome.js'
import { noRelays, onRelayMessage } from '../data/relays.js'
import { onReplicate } from '../data/replication.js'
import { releaseAll, releaseFuture } from '../tasks/retention.js'
import { onRetry } from '../tasks/retry.js'
import { loseScatterer, onNotScattered, onScatter } from '../data/scatter.js'
import { forgetQuestions } from './questions.js'
import { onStreamTaken } from '../tasks/streams.js'
import { outboxOf, type SchedulerState } from '../state.js'
import { statusOf } from '../views/status.js'
import { HELD } from '../tasks/task-array.js'
import { isPending } from '../tasks/task.js'
import { closeTemplates, onDefineCode, onDefineTemplate, onForgetTemplate } from '../tasks/templates.js'

/** It may be one that lost its connection, to this scheduler or to the one before it. */
export function onClientJoined(state: SchedulerState, id: ClientId, newcomer: Newcomer): void {
  const { session = '' } = newcomer
  const known = session === '' ? undefined : state.sessions.get(session)
  if (known === undefined) lease(state, addClient(state, id, newcomer))
  else returnAs(state, known, id)
}

export function addClient(
  state: SchedulerState,
  id: ClientId,
  { name, session = '', tasksOf }: Newcomer,
): ClientRecord {
  const client: ClientRecord = {
    id,
    name,
    session,
    saidCount: 0,
    absentUntilMs: Infinity,
    mayStart: undefined,
    tasksOf,
    templates: new Map(),
    codes: new Set(),
    arrays: new Set(),
    leases: [],
    under: undefined,
    relays: noRelays(),
    replications: new Set(),
    replicated: 0,
    unitRequests: new Map(),
    outbox: new ClientOutbox(),
    toldNewsAtMs: -Infinity,
    newsDueMs: Infinity,
    sharesUntilMs: -Infinity,
    isDirty: false,
  }
  state.clients.set(id, client)
  if (!mayReturn(state, client)) return client
  state.sessions.set(session, client)
  state.journal?.add({ type: 'client-came', client: id, session, name })
  return client
}

/** The client's connection is gone. It may come back, unless it said that it goes. */
export function onClientLeft(state: SchedulerState, id: ClientId, isFinal = true): void {
  const client = state.clients.get(id)
  if (client === undefined) return
  if (isFinal || !mayReturn(state, client)) removeClient(state, client)
  else {
    forgetQuestions(state, client)
    awaitReturn(state, client)
  }
}

/** What the client held goes, unless somebody else holds it too. */
export function removeClient(state: SchedulerState, client: ClientRecord): void {
  state.clients.delete(client.id)
  if (state.sessions.delete(client.session)) state.journal?.add({ type: 'client-went', client: client.id })
  state.absentClients.delete(client)
  state.clientsWithNews.delete(client)
  forgetQuestions(state, client)
  releaseAll(state, client)
  missNoMore(state, client)
  loseScatterer(state, client)
  closeTemplates(state, client)
  leaveLimits(state, client)
}

/** What a task may not ask of the cluster that runs it: a worker's token, which opens its client, is not for that. */
const NOT_FOR_TASKS: ReadonlySet<HeardFromClient['type']> = new Set([
  'restart',
  'retire-workers',
  'ask-workers',
  'ask-dump',
])

export function onClientMessage(state: SchedulerState, client: ClientRecord, message: HeardFromClient): void {
  if (client.tasksOf !== undefined && NOT_FOR_TASKS.has(message.type)) {
    return refuse(state, client, `a task may not say "${message.type}"`)
  }
  if (state.journal !== undefined && client.session !== '' && isKept(message)) {
    client.saidCount++
    // Whoever reads it has no workers to ask whether it may be, so it is counted and left out where it may not.
    const isVain = message.type === 'restart' && namesOfUnwatched(state).length > 0
    const { id, saidCount: count } = client
    state.journal.add(isVain ? { type: 'said-before', client: id, count } : { type: 'said', client: id, message })
    state.heardClients.add(client)
  }
  switch (message.type) {
    case 'define-code':
      onDefineCode(state, client, message)
      break
    case 'define-template':
      if (!onDefineTemplate(state, client, message))
        refuse(state, client, 'its template has no code, or is there already')
      break
    case 'submit-under':
      if (client.tasksOf === undefined) refuse(state, client, 'only tasks submit children')
      else client.under = message
      break
    case 'submit': {
      if (isTooEarly(state, client)) {
        closeClient(state, client, 'ERR_HEDDLE_CONNECTION_LOST', TOO_EARLY)
        break
      }
      const fault = onSubmit(state, client, message)
      if (fault !== undefined) refuse(state, client, fault)
      break
    }
    case 'scatter': {
      const fault = onScatter(state, client, message)
      if (fault !== undefined) refuse(state, client, fault)
      break
    }
    case 'not-scattered':
      onNotScattered(state, client, message.task, message.worker)
      break
    case 'want':
      for (const id of message.tasks) want(state, client, id)
      break
    case 'release':
      for (const id of message.tasks) release(state, client, id)
      break
    case 'missing': {
      const array = state.arrays.get(arrayOf(message.task))
      const task = array?.client === client ? array.tasks[indexOf(message.task)] : undefined
      const failure = task === undefined ? undefined : onMissing(task, message.holder)
      if (failure === undefined) want(state, client, message.task)
      else outboxOf(state, client).addFailed(message.task, failure)
      break
    }
    case 'ask-status':
      outboxOf(state, client).add({ type: 'status', request: message.request, status: statusOf(state) })
      break
    case 'await-workers':
      state.workerWaits.push({ client, request: message.request, count: message.count })
      answerWaits(state)
      break
    case 'ask-lease':
      lease(state, client)
      break
    case 'forget-templates':
      for (const number of message.templates) onForgetTemplate(state, client, templateId(number))
      break
    case 'replicate': {
      const fault = onReplicate(state, client, message)
      if (fault !== undefined) refuse(state, client, fault)
      break
    }
    case 'stream-taken':
      onStreamTaken(state, client, message.task, message.taken)
      break
    case 'cancel':
      onCancel(state, client, message)
      break
    case 'declare-limit':
      onDeclareLimit(state, client, message.limit)
      break
    case 'take-unit':
      onTakeUnit(state, client, message)
      break
    case 'return-unit':
      onReturnUnit(client, message.request)
      break
    case 'ask-explanation': {
      const { request, task, key } = message
      outboxOf(state, client).add({ type: 'explained', request, explanation: explain(state, task, key) })
      break
    }
    case 'detach':
      for (const id of message.tasks) detach(state, client, id)
      break
    case 'retry':
      onRetry(state, client, message.tasks)
      break
    case 'attach': {
      const fault = onAttach(state, client, message)
      if (fault !== undefined) refuse(state, client, fault)
      break
    }
    case 'who-has':
    case 'publish':
    case 'open-dataset':
    case 'unpublish':
    case 'list-datasets':
    case 'rebalance':
    case 'retire-workers':
    case 'restart': {
      const fault = onDataCall(state, client, message)
      if (fault !== undefined) refuse(state, client, fault)
      break
    }
    case 'ask-workers':
      onAskWorkers(state, client, message)
      break
    case 'ask-profile': {
      const fault = onAskProfile(state, client, message)
      if (fault !== undefined) refuse(state, client, fault)
      break
    }
    case 'ask-dump':
      outboxOf(state, client).add({ type: 'dump', request: message.request, state: dumpOf(state) })
      break
    case 'open-relay':
    case 'accept-relay':
    case 'close-relay':
      onRelayMessage(state, { type: 'client', record: client }, message)
      break
    default:
      unreachable(message)
  }
}

function want(state: SchedulerState, client: ClientRecord, id: TaskId): void {
  const array = state.arrays.get(arrayOf(id))
  const index = indexOf(id)
  if (array?.client !== client || (array.flags[index]! & HELD) === 0) {
    const reason = 'This future was released, or there was nothing under its key; hold it until its value has arrived.'
    const failure = { error: new Uint8Array(0), code: 'ERR_HEDDLE_RELEASED', reason } as const
    outboxOf(state, client).addFailed(id, { ...failure, worker: '', attempt: 0, culpritKey: '' })
    return
  }
  wantValue(state, array, index)
}

function release(state: SchedulerState, client: ClientRecord, id: TaskId): void {
  const array = state.arrays.get(arrayOf(id))
  if (array?.client === client) releaseFuture(state, array, indexOf(id))
}

/** The task is to have an outcome, whoever holds a future of it then. */
function detach(state: SchedulerState, client: ClientRecord, id: TaskId): void {
  const task = taskOfFuture(state, client, id)
  if (task !== undefined && isPending(task)) task.isDetached = true
}

/** The client's messages make no sense: the connection ends, and with it all that the client holds. */
function refuse(state: SchedulerState, client: ClientRecord, fault: string): void {
  const reason = `A message of client "${client.name}" makes no sense (${fault}); use the same version of heddle on both sides.`
  closeClient(state, client, 'ERR_HEDDLE_PROTOCOL', reason)
}

function closeClient(state: SchedulerState, client: ClientRecord, code: ErrorCode, reason: string): void {
  state.orders.push({ type: 'close-client', client: client.id, code, reason })
  removeClient(state, client)
}

const TOO_EARLY = 'The worker has not said yet what it runs; its tasks begin again.'
