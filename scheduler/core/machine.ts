/**
 * The scheduler's core: a synchronous function from an event to what must be done about it. It opens nothing, awaits
 * nothing, and reads no clock; every rule of scheduling is in this folder, and none is outside.
 */
import { unreachable } from '../../common/assert.js'
import type { TaskId } from '../../protocol/ids.js'
import type { ClusterOverview, ErrorList, FunctionList, TaskDetails } from '../../protocol/messages/api.js'
import type { Explanation } from '../../protocol/messages/explanation.js'
import type { ClusterStatus } from '../../protocol/messages/status.js'
import type { ClusterView, TaskGraph } from '../../protocol/messages/watch.js'
import { nextAbsenceMs, nextOverdue } from './clients/absence.js'
import type { SchedulerEvent } from './events.js'
import { detailsOf } from './views/details.js'
import { explain } from './views/explain.js'
import { onLookerAsked } from './views/inquiry.js'
import type { SchedulerInstruction } from './instructions.js'
import type { JournalPage } from './durable/journal-page.js'
import type { JournalRecord } from './durable/journal-record.js'
import { stopMaps } from './tasks/max-failures.js'
import { checkInvariants } from './invariants.js'
import { sendAhead } from './placing/ahead.js'
import { grantUnits, reserveUnits } from './placing/limits.js'
import { letNewsWait, nextNewsMs, tellOldNews } from './clients/news.js'
import { onClientJoined, onClientLeft, onClientMessage, removeClient } from './clients/on-client.js'
import { onOperator } from './views/on-operator.js'
import { onWorkerMessage } from './tasks/on-task.js'
import { endRetirements, nextRetirementMs, seeOffWorkers } from './workers/leaving.js'
import { onWorkerJoined, onWorkerLeft } from './workers/on-worker.js'
import { functionsOf, overviewOf } from './views/overview.js'
import { wakeDelayed } from './tasks/retries.js'
import { planCollection, releaseEndedNestings } from './tasks/retention.js'
import { placeReadyTasks } from './placing/placement.js'
import { endRebalance } from './data/rebalance.js'
import { endReattaching, isReattaching } from './durable/reattach.js'
import { recallForIdle } from './placing/recall.js'
import { startRelays } from './data/relays.js'
import { endReplay, replay } from './durable/replay.js'
import { endRestarts, nextRestartMs } from './workers/restart.js'
import { snapshotOf } from './durable/snapshot.js'
import { endWaits } from './tasks/queue-time-outs.js'
import { makeCopies } from './data/replication.js'
import { placeScatters } from './data/scatter.js'
import { createState, type SchedulerConfig, type SchedulerState } from './state.js'
import { statusOf } from './views/status.js'
import { taskGraphOf } from './views/task-graph.js'
import { watchedCluster } from './views/watch.js'

const NOTHING: readonly SchedulerInstruction[] = Object.freeze([])

/** Applies one event. What it leads to is told at the end of the turn, for all events together. */
export function handleEvent(state: SchedulerState, event: SchedulerEvent): readonly SchedulerInstruction[] {
  state.nowMs = event.nowMs
  switch (event.type) {
    case 'client-joined':
      onClientJoined(state, event.client, event)
      break
    case 'client-message': {
      // A client that the core has closed may still have messages under way.
      const client = state.clients.get(event.client)
      if (client !== undefined) onClientMessage(state, client, event.message)
      break
    }
    case 'client-left':
      onClientLeft(state, event.client, event.isFinal)
      break
    case 'worker-joined':
      onWorkerJoined(state, event.worker, event.join)
      break
    case 'worker-message': {
      const worker = state.workers.get(event.worker)
      if (worker !== undefined) onWorkerMessage(state, worker, event.message)
      break
    }
    case 'operator-asked':
      state.orders.push({
        type: 'answer-operator',
        request: event.request,
        answer: onOperator(state, event.action, event.target),
      })
      break
    case 'looker-asked':
      onLookerAsked(state, event.request, event.question)
      break
    case 'worker-left':
      onWorkerLeft(state, event.worker, event.reason)
      break
    case 'journal-full':
      state.isJournalFull = event.isFull
      break
    default:
      unreachable(event)
  }
  return NOTHING
}

/** Sends what is ready to workers with room, and gives out all that this turn's events led to. */
export function endTurn(state: SchedulerState, nowMs: number): SchedulerInstruction[] {
  state.nowMs = nowMs
  for (let client = nextOverdue(state); client !== undefined; client = nextOverdue(state)) removeClient(state, client)
  if (isReattaching(state)) endReattaching(state)
  tellOldNews(state)
  if (state.delayed.length > 0) wakeDelayed(state)
  if (state.queueDeadlines.length > 0) endWaits(state)
  if (state.mapsToStop.size > 0) stopMaps(state)
  if (state.retirements.size > 0) endRetirements(state)
  if (state.restarts.size > 0) endRestarts(state)
  // Before anything is placed: what goes may be ready.
  if (state.endedNestings.length > 0) releaseEndedNestings(state)
  const mayStart = !isReattaching(state) && !state.isJournalFull
  if (mayStart && state.scattersToPlace.size > 0) placeScatters(state)
  makeCopies(state) // A broadcast that is done makes tasks ready.
  if (mayStart) start(state)
  makeCopies(state) // Inputs may have turned out to be lost.
  while (state.leaving.size > 0 && seeOffWorkers(state)) makeCopies(state)
  endRebalance(state)
  startRelays(state)
  planCollection(state)
  const out: SchedulerInstruction[] = []
  if (state.journal !== undefined) keep(state, state.journal, out)
  for (const worker of state.workersToFlush) {
    worker.isDirty = false
    if (!state.workers.has(worker.id)) continue
    for (const message of worker.outbox.take(state, worker)) out.push({ type: 'to-worker', worker: worker.id, message })
  }
  for (const client of state.clientsToFlush) {
    client.isDirty = false
    if (!state.clients.has(client.id)) {
      client.outbox.take() // What it submitted in tasks may go on: nobody hears of that.
      continue
    }
    if (letNewsWait(state, client)) continue
    for (const message of client.outbox.take()) out.push({ type: 'to-client', client: client.id, message })
  }
  out.push(...state.orders)
  state.workersToFlush.length = 0
  state.clientsToFlush.length = 0
  state.orders.length = 0
  return out
}

/** Gives units of limits, and sends tasks to whoever has room. */
function start(state: SchedulerState): void {
  if (state.limits.size > 0) grantUnits(state, 'before')
  placeReadyTasks(state)
  if (state.limits.size > 0) {
    grantUnits(state, 'after')
    while (reserveUnits(state)) placeReadyTasks(state)
  }
  sendAhead(state)
  recallForIdle(state)
}

/** What this turn led to that must be kept, and who hears once it is. */
function keep(state: SchedulerState, journal: JournalPage, out: SchedulerInstruction[]): void {
  for (const client of state.heardClients) {
    state.whenKept.push({ client, message: { type: 'accepted', count: client.saidCount } })
  }
  const records = journal.take()
  const tell = state.whenKept.map(({ client, message }) => ({ client: client.id, message }))
  state.heardClients.clear()
  state.whenKept.length = 0
  if (records.length + tell.length > 0) out.push({ type: 'keep', records, tell })
}

/** When a turn is due even if nothing happens; `undefined` for never. */
export function nextDeadlineMs(state: SchedulerState): number | undefined {
  const { delayed, queueDeadlines } = state
  if (state.endedNestings.length > 0) return state.nowMs
  const nextMs = Math.min(
    nextNewsMs(state) ?? Infinity,
    nextAbsenceMs(state) ?? Infinity,
    state.reattachUntilMs ?? Infinity,
    state.nextUnitMs,
    nextRetirementMs(state),
    nextRestartMs(state),
    delayed.peek()?.dueMs ?? Infinity,
    queueDeadlines.peek()?.dueMs ?? Infinity,
  )
  return nextMs === Infinity ? undefined : nextMs
}

/** The core bound to its state, as a shell drives it. */
export interface SchedulerMachine {
  handleEvent(event: SchedulerEvent): readonly SchedulerInstruction[]
  endTurn(nowMs: number): readonly SchedulerInstruction[]
  nextDeadlineMs(): number | undefined
  statusOf(nowMs: number): ClusterStatus
  overviewOf(nowMs: number): ClusterOverview
  functionsOf(nowMs: number): FunctionList
  errorsOf(nowMs: number): ErrorList
  /** `undefined` when there is no task of this key. */
  detailsOf(nowMs: number, key: string): TaskDetails | undefined
  /** Why the task of this id or, if that is 0, of this key is where it is. */
  explain(nowMs: number, task: TaskId, key: string): Explanation
  /** What the status page shows. */
  watched(nowMs: number): ClusterView
  /** All tasks one by one, if they are few. */
  taskGraphOf(nowMs: number): TaskGraph
  /** Applies what another scheduler kept: in order, before any event. */
  replay(record: JournalRecord): void
  /** All of that was replayed: from now on events may come. */
  endReplay(nowMs: number): void
  /** Records that stand for all that was kept so far. */
  snapshot(): Iterable<JournalRecord>
  checkInvariants(): void
}

export function createSchedulerMachine(config: SchedulerConfig): SchedulerMachine {
  const state = createState(config)
  /** Who looks on sees the state as it is now, and not as it was when something happened last. */
  const at = (nowMs: number): SchedulerState => {
    state.nowMs = Math.max(state.nowMs, nowMs)
    return state
  }
  return {
    handleEvent: (event) => handleEvent(state, event),
    endTurn: (nowMs) => endTurn(state, nowMs),
    nextDeadlineMs: () => nextDeadlineMs(state),
    statusOf: (nowMs) => statusOf(at(nowMs)),
    overviewOf: (nowMs) => overviewOf(at(nowMs)),
    functionsOf: (nowMs) => functionsOf(statusOf(at(nowMs))),
    errorsOf: (nowMs) => state.errors.list(at(nowMs).nowMs),
    detailsOf: (nowMs, key) => detailsOf(at(nowMs), key),
    explain: (nowMs, task, key) => explain(at(nowMs), task, key),
    watched: (nowMs) => watchedCluster(at(nowMs)),
    taskGraphOf: (nowMs) => taskGraphOf(at(nowMs)),
    replay: (record) => replay(state, record),
    endReplay: (nowMs) => endReplay(state, nowMs),
    snapshot: () => snapshotOf(state),
    checkInvariants: () => checkInvariants(state),
  }
}
