/**
 * From the records of a journal to the state of the scheduler that wrote them, as far as a journal can have it. What clients
 * said is done once more; of what came of it the outcomes are known, and what may have begun fails by a record of its own alone.
 * Values are in memory with nobody to hold them, and no task is with a worker, until workers come back and say what they have
 * (reattach.ts).
 */
import { entryOf, ownBytes, startOf } from '../../../common/packed.js'
import { unreachable } from '../../../common/assert.js'
import type { ErrorCode } from '../../../protocol/errors.js'
import { SKIPPED_VALUE } from '../../../protocol/skipped.js'
import { attempt, ARRAY_LEASE, clientId, type ClientId } from '../../../protocol/ids.js'
import { SKIPPED } from '../data/inline-cache.js'
import { addLease, awaitReturn, setLeases } from '../clients/absence.js'
import { notePastLease, type ClientRecord } from '../clients/client-record.js'
import {
  TASKS_OF_A_WORKER,
  type FailedRecord,
  type FinishedRecord,
  type JournalRecord,
  type LostRecord,
  type TriedRecord,
} from './journal-record.js'
import { missClients } from '../clients/missing.js'
import { addClient, onClientMessage, removeClient } from '../clients/on-client.js'
import { onOperator } from '../views/on-operator.js'
import { isProducer } from '../tasks/on-outputs.js'
import { changeFailure, failTask, finishTask } from '../tasks/outcome.js'
import { beginReattaching } from './reattach.js'
import { giveUpValue, remake } from '../tasks/recovery.js'
import { endScatter } from '../tasks/retention.js'
import type { SchedulerState } from '../state.js'
import { addHole, findTask, recordOf } from '../tasks/task-array.js'
import { errorRuleOf, isPending, noteStarted, type Failure, type Task } from '../tasks/task.js'
import type { HeardFromClient } from '../events.js'

/** Applies one record. Nothing of what it leads to is kept again or told to anybody. */
export function replay(state: SchedulerState, record: JournalRecord): void {
  const { journal } = state
  state.journal = undefined
  state.reattachUntilMs ??= Infinity // Whoever holds the values is not known yet.
  apply(state, record)
  state.journal = journal
}

/** From here on it is this scheduler's own. Everybody of the one before is absent, and has a while to come back. */
export function endReplay(state: SchedulerState, nowMs: number): void {
  state.nowMs = nowMs
  state.orders.length = 0
  state.failuresRead.clear()
  for (const client of state.clients.values()) awaitReturn(state, client)
  missClients(state)
  beginReattaching(state, nowMs)
}

function apply(state: SchedulerState, record: JournalRecord): void {
  switch (record.type) {
    case 'begun':
      state.nextArray = record.nextArray
      break
    case 'client-came':
      onCame(state, record.client, record.session, record.name)
      break
    case 'leased':
      onLeased(state, record)
      break
    case 'leases':
      withClient(state, record.client, (client) => setLeases(client, record.firsts))
      break
    case 'said':
      withClient(state, record.client, (client) => {
        client.saidCount++
        onClientMessage(state, client, record.message as HeardFromClient)
      })
      break
    case 'said-before':
      withClient(state, record.client, (client) => (client.saidCount = record.count))
      break
    case 'client-went':
      withClient(state, record.client, (client) => removeClient(state, client))
      break
    case 'emptied':
      withClient(state, record.client, (client) => addHole(state, client, record.array, record.count))
      break
    case 'finished':
      onFinished(state, record)
      break
    case 'failed':
      onFailed(state, record)
      break
    case 'lost':
      onLost(state, record)
      break
    case 'tried':
      onTried(state, record)
      break
    case 'ran-again':
      onOperator(state, 'retry', record.key)
      break
    case 'key-freed':
      state.keys.delete(record.key)
      break
    case 'worker-came':
      state.awaitedWorkers.set(record.incarnation, record.worker)
      break
    case 'worker-went':
      for (const [incarnation, worker] of state.awaitedWorkers) {
        if (worker === record.worker) state.awaitedWorkers.delete(incarnation)
      }
      break
    default:
      unreachable(record)
  }
}

/** Clients of tasks are not known here, but nobody else may have their ids. */
function onLeased(state: SchedulerState, { client, first }: JournalRecord & { readonly type: 'leased' }): void {
  state.nextArray = Math.max(state.nextArray, first + ARRAY_LEASE)
  if (client === TASKS_OF_A_WORKER) notePastLease(state, { first, count: ARRAY_LEASE })
  else withClient(state, client, (known) => addLease(state, known, first))
}

/** One that came back has another number from then on. */
function onCame(state: SchedulerState, id: ClientId, session: string, name: string): void {
  const known = state.sessions.get(session)
  if (known === undefined) {
    addClient(state, id, { name, session })
    return
  }
  state.clients.delete(known.id)
  known.id = id
  state.clients.set(id, known)
}

/** The client may be gone by another record, where it was refused. */
function withClient(state: SchedulerState, id: number, what: (client: ClientRecord) => void): void {
  const client = state.clients.get(clientId(id))
  if (client !== undefined) what(client)
}

/** Those that nobody needs any more are over, and so are those whose value is known already. */
function onFinished(state: SchedulerState, { tasks, sizes, values }: FinishedRecord): void {
  const finished: { readonly task: Task; readonly place: number }[] = []
  let inlineCount = 0
  tasks.forEach((id, place) => {
    const task = findTask(state, id)
    if (task === undefined || !isPending(task) || isProducer(task)) return
    finished.push({ task, place })
    if ((values.ends[place] ?? 0) > startOf(values, place)) inlineCount++
  })
  const page = inlineCount > 0 ? state.inline.add(ownBytes(values.bytes), inlineCount) : undefined
  for (const { task, place } of finished) {
    const start = startOf(values, place)
    const isInline = (values.ends[place] ?? 0) > start
    if (!isPending(task)) {
      // Another task of this record was the last that needed it.
      if (isInline && page !== undefined) state.inline.drop(page)
      continue
    }
    if (task.template.isScattered) endScatter(state, task)
    if (task.producer !== undefined) noteStarted(task.producer)
    const sizeBytes = sizes[place] ?? 0
    const isSkipped = errorRuleOf(task) === 'skip' && isValueOfSkipped(entryOf(values, place))
    if (isSkipped && page !== undefined) state.inline.drop(page)
    const own = isInline ? page : undefined
    finishTask(state, task, {
      type: 'in-memory',
      holders: [],
      sizeBytes,
      page: isSkipped ? SKIPPED : own,
      start: isSkipped ? 0 : start,
    })
  }
}

/** It may have run and given the same, which is as good. */
function isValueOfSkipped(value: Uint8Array): boolean {
  return value.length === SKIPPED_VALUE.length && value.every((byte, i) => byte === SKIPPED_VALUE[i])
}

/** Those that nobody needs any more are over. */
function onLost(state: SchedulerState, { tasks }: LostRecord): void {
  for (const id of tasks) {
    const task = recordOf(state, id)
    if (task?.state.type === 'in-memory') remake(state, task)
  }
}

function onFailed(state: SchedulerState, { tasks, ...record }: FailedRecord): void {
  const { error, reason, worker, attempt, culpritKey, death } = record
  const failure: Failure = {
    error: ownBytes(error),
    code: record.code as ErrorCode | '',
    reason,
    worker,
    attempt,
    culpritKey,
    death,
  }
  const known = knownFailure(state, failure)
  for (const id of tasks) {
    const task = findTask(state, id)
    if (task === undefined) continue
    // Its value was lost, and the run that was to make it again failed.
    if (task.state.type === 'in-memory') giveUpValue(state, task)
    if (isPending(task) || task.state.type === 'released') fail(state, task, known)
    // Of several inputs that failed, another than the first one read here was the first.
    else if (task.state.type === 'failed' && task.state.failure !== known) changeFailure(state, task, known)
  }
}

/** Only what has run is tried again. It may have ended since, by another record. */
function onTried(state: SchedulerState, { task: id, failures, deaths, attempt: sent, unstarted }: TriedRecord): void {
  const task = findTask(state, id)
  if (task === undefined || !isPending(task)) return
  task.failures = failures
  task.deaths = deaths
  task.attempt = attempt(sent)
  task.unstarted = unstarted
  noteStarted(task)
}

/** A failure that several turns speak of is one object. */
function knownFailure({ failuresRead }: SchedulerState, failure: Failure): Failure {
  const known = failuresRead.get(failure)
  if (known !== undefined) return known
  failuresRead.add(failure, failure)
  return failure
}

function fail(state: SchedulerState, task: Task, failure: Failure): void {
  if (task.template.isScattered) endScatter(state, task)
  failTask(state, task, failure)
}
