/** Workers come, and are gone. Those that want to go are in leaving.ts. */
import { ARRAY_LEASE, arrayId, type WorkerId } from '../../../protocol/ids.js'
import type { Join } from '../../../protocol/messages/worker.js'
import { enlistAll } from '../placing/ahead.js'
import { endRecall, forgetLeft, giveBackAll, setQueued } from '../placing/assignment.js'
import { notePastLease } from '../clients/client-record.js'
import { TASKS_OF_A_WORKER } from '../durable/journal-record.js'
import { enterDemands, quitDemands } from '../placing/demand.js'
import { endStopsOf } from '../tasks/cancel.js'
import { endInquiriesOf } from '../views/inquiry.js'
import { endLeaving } from './leaving.js'
import { endEvacuation } from '../data/moves.js'
import { condemn, onSuccessor } from './post-mortem.js'
import { loseCopy, startOver } from '../tasks/recovery.js'
import { endRelaysOf, noRelays } from '../data/relays.js'
import { newReview } from './reconcile.js'
import { answerRestarts } from './restart.js'
import { keepTries } from '../tasks/retries.js'
import { loseScatterTarget, retryScatters } from '../data/scatter.js'
import { endCopyingOf, noCopies, noteWorkers } from '../data/spread.js'
import { outboxOf, workerOutboxOf, type SchedulerState } from '../state.js'
import { isHolder, noteStarted, presumeUnstarted, takesThread, type Task } from '../tasks/task.js'
import { WorkerOutbox } from './worker-outbox.js'
import { NOT_HELD_UP, rankOf, type WorkerRecord } from './worker-record.js'

export function onWorkerJoined(state: SchedulerState, id: WorkerId, join: Join): void {
  if (join.threads < 1) {
    const reason = `Worker "${join.name}" has no threads; start it with --threads 1 or more.`
    state.orders.push({ type: 'close-worker', worker: id, code: 'ERR_HEDDLE_INVALID_OPTION', reason })
    return
  }
  const namesake = state.workersByName.get(join.name)
  if (namesake !== undefined && namesake.join.incarnation !== join.incarnation) {
    const reason = `A worker named "${join.name}" is already in this cluster; give this one another --name.`
    state.orders.push({ type: 'close-worker', worker: id, code: 'ERR_HEDDLE_NAME_IN_USE', reason })
    return
  }
  if (namesake !== undefined) {
    // The same worker, started again before its old connection was seen to end.
    const reason = `Worker "${join.name}" was started again.`
    state.orders.push({ type: 'close-worker', worker: namesake.id, code: 'ERR_HEDDLE_WORKER_LOST', reason })
    onWorkerLeft(state, namesake.id, reason)
  }
  onSuccessor(state, join)
  const alone: WorkerRecord[] = []
  const worker: WorkerRecord = {
    id,
    join,
    alone,
    heapPlace: -1,
    rank: 0,
    // Without a journal there is no time before.
    isAttached: state.config.keepsState !== true,
    processing: new Set(),
    ahead: new Set(),
    aheadUs: 0,
    aheadEndMs: 0,
    suspended: new Set(),
    hasLent: false,
    lease: { first: arrayId(state.nextArray), count: ARRAY_LEASE },
    processingState: undefined,
    argumentBytes: 0,
    queuedUs: 0,
    untimed: 0,
    patient: new Map(),
    patientUs: 0,
    patientTemplate: undefined,
    recalled: new Map(),
    heldUpBy: NOT_HELD_UP,
    isHoarding: false,
    ioTasks: 0,
    extraSlots: 0,
    free: {
      ioTasks: join.ioTasks,
      memoryBytes: join.memoryLimitBytes,
      others: new Map(join.resources.map(({ name, thousandths }) => [name, thousandths])),
    },
    reservedFor: undefined,
    lingering: new Map(),
    codes: new Set(),
    templates: new Set(),
    peers: new Set(),
    stopping: new Map(),
    isLeaving: false,
    isDismissed: false,
    isToRestart: false,
    isSentAway: false,
    isCutShort: false,
    evacuation: undefined,
    hasEvacuated: false,
    keeps: undefined,
    heardAtMs: state.nowMs,
    receivedBytes: 0,
    pulseAtMs: state.nowMs,
    copies: noCopies(),
    scatters: new Set(),
    pulse: undefined,
    review: newReview(),
    relays: noRelays(),
    outbox: new WorkerOutbox(),
    isDirty: false,
  }
  alone.push(worker)
  state.nextArray += ARRAY_LEASE
  state.workers.set(id, worker)
  state.workersByName.set(join.name, worker)
  state.stayingWorkers++
  state.memoryLimitBytes += join.memoryLimitBytes
  state.threads += join.threads
  worker.rank = rankOf(worker)
  state.open.push(worker)
  enterDemands(state, worker)
  retryScatters(state)
  noteWorkers(state)
  const { first: firstArray, count: arrayCount } = worker.lease
  const { peerSecret, keepsState = false } = state.config
  workerOutboxOf(state, worker).add({ type: 'joined', worker: id, peerSecret, keepsState, firstArray, arrayCount })
  state.journal?.add({ type: 'worker-came', worker: id, incarnation: join.incarnation })
  state.journal?.add({ type: 'leased', client: TASKS_OF_A_WORKER, first: firstArray })
  answerWaits(state)
  answerRestarts(state)
}

/** Answers those who waited for so many workers. */
export function answerWaits(state: SchedulerState): void {
  const count = state.stayingWorkers
  for (let i = state.workerWaits.length - 1; i >= 0; i--) {
    const wait = state.workerWaits[i]!
    if (wait.count > count) continue
    state.workerWaits.splice(i, 1)
    outboxOf(state, wait.client).add({ type: 'workers-present', request: wait.request, count })
  }
}

/** The worker's messages make no sense: the connection ends, and what it has is made again elsewhere. */
export function refuseWorker(state: SchedulerState, worker: WorkerRecord, fault: string): void {
  const { name } = worker.join
  const reason = `A report of worker "${name}" makes no sense (${fault}); use the same version of heddle on both sides.`
  state.orders.push({ type: 'close-worker', worker: worker.id, code: 'ERR_HEDDLE_PROTOCOL', reason })
  onWorkerLeft(state, worker.id, reason)
}

/** The worker is gone: its work goes on elsewhere, and what only it held is made again if somebody needs it. */
export function onWorkerLeft(state: SchedulerState, id: WorkerId, reason: string): void {
  const worker = state.workers.get(id)
  if (worker === undefined) return
  state.journal?.add({ type: 'worker-went', worker: id })
  const suspects = new Set(suspectsOf(worker))
  enlistAll(state, worker)
  state.workers.delete(id)
  state.workersByName.delete(worker.join.name)
  notePastLease(state, worker.lease)
  if (!worker.isLeaving) {
    state.stayingWorkers--
    state.memoryLimitBytes -= worker.join.memoryLimitBytes
    state.threads -= worker.join.threads
  }
  for (const template of worker.templates) template.knownBy.delete(worker)
  state.open.remove(worker)
  quitDemands(state, worker)
  endCopyingOf(state, worker)
  endStopsOf(state, worker)
  endRelaysOf(state, { type: 'worker', record: worker }, `Worker ${worker.join.name} is gone.`)
  loseScatterTarget(state, worker)
  noteWorkers(state)
  for (const held of heldBy(state, worker)) loseCopy(state, held, worker)
  for (const task of suspects) {
    task.deaths++
    noteStarted(task)
    keepTries(state, task)
  }
  for (const task of worker.processing) {
    forgetLeft(task)
    if (!suspects.has(task) && !worker.suspended.has(task) && !worker.isLeaving) presumeUnstarted(task)
    if (task.deaths < task.template.rules.allowedFailures) startOver(state, task)
    else condemn(state, task, worker, reason)
  }
  for (const task of worker.recalled.keys()) endRecall(state, worker, task)
  state.hoarders.delete(worker)
  for (const task of worker.processing) if (task.inputs.length > 0 && !worker.suspended.has(task)) state.consuming--
  giveBackAll(state, worker)
  // Tasks that wait again may have named it.
  state.withNews.delete(worker)
  worker.processing.clear()
  setQueued(state, worker, 0)
  worker.suspended.clear()
  worker.lingering.clear()
  endEvacuation(state, worker)
  endLeaving(state, worker)
  endInquiriesOf(state, worker)
  answerRestarts(state, worker)
}

/**
 * What may have killed the worker: what it last said it was running and, as far as threads are left for them, the oldest
 * of the others. Those behind had not begun; nor, unless it said so, had those ahead of their inputs.
 */
function suspectsOf({ processing, ahead, suspended, pulse, join, isLeaving }: WorkerRecord): Task[] {
  if (isLeaving) return []
  const running = new Set(pulse?.running)
  const suspects = [...processing].filter(
    (task) => running.has(task.id) && (!suspended.has(task) || !takesThread(task)),
  )
  for (const task of ahead) if (running.has(task.id)) suspects.push(task)
  let threads = suspects.filter(takesThread).length
  for (const task of processing) {
    if (threads >= join.threads) break
    if (running.has(task.id) || !takesThread(task) || suspended.has(task)) continue
    suspects.push(task)
    threads++
  }
  return suspects
}

/** Found by looking at every task: a death is rare, and a list for each worker would cost every task. */
function heldBy(state: SchedulerState, worker: WorkerRecord): Task[] {
  const held: Task[] = []
  for (const array of state.arrays.values()) {
    for (const task of array.tasks) {
      if (task?.state.type === 'in-memory' && task.array === array && isHolder(task.state, worker)) held.push(task)
    }
  }
  return held
}
