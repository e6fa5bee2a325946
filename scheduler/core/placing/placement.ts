/**
 * Which worker runs a task: the one where it would start first, counting what it has to do already and what it would
 * have to fetch. Only the holders of the inputs and the least loaded worker are looked at, so a decision costs the same
 * among ten workers and among a thousand.
 */
import { present } from '../../../common/assert.js'
import { hasRoom, hasRoomForGuests, takesRow, type Row } from './admission.js'
import { assign } from './assignment.js'
import { endTurnOf, isStarter, passOver, refit, reserve, startersOf, type Demand } from './demand.js'
import { hasUnits } from './limits.js'
import { canWait, rowOfNext } from './patience.js'
import { startOver } from '../tasks/recovery.js'
import { mayTakeRoots } from './roots.js'
import type { SchedulerState } from '../state.js'
import { areInputsReady, isGiven, isHolder, type Task } from '../tasks/task.js'
import type { Template } from '../tasks/template.js'
import { ioLoadOf, loadBesideOf, type WorkerRecord } from '../workers/worker-record.js'

/** What fetching costs: a fixed part, and a part by size. */
const FETCH_US = 300
const FETCH_BYTES_PER_US = 1_000
/** What a small input costs that comes with the task. */
const GIVE_US = 20
/** Once its inputs could not be fetched, a task is drawn to where they are. */
const FETCH_FAILED_FACTOR = 1_000
/** So many of the least loaded workers are looked at for room. */
const MAX_SEEN = 8
/** Of an input held in many places, so many holders are looked at. */
const MAX_HOLDERS_SEEN = 8

/** Sends what is ready to whoever has room, until one of the two runs out. */
export function placeReadyTasks(state: SchedulerState): void {
  if (state.demands.size > 0) takeTurns(state)
  placeAllPlain(state)
  // A worker that is kept free for a demand no more may be just what another one waits for.
  for (let rounds = state.demands.size; rounds > 0 && reserve(state); rounds--) {
    takeTurns(state)
    placeAllPlain(state)
  }
}

/**
 * While a demand has a task and a worker for it: the most urgent tasks first, and of those that are equally urgent one from
 * each demand and one without, in turn.
 */
function takeTurns(state: SchedulerState): void {
  for (;;) {
    refit(state)
    let highest = -Infinity
    let demands: Demand[] = []
    for (const demand of state.demands.values()) {
      const priority = mayPlace(state, demand) ? demand.queue.topPriority(mayTakeRoots(state)) : undefined
      if (priority === undefined || priority < highest) continue
      if (priority > highest) demands = []
      highest = priority
      demands.push(demand)
    }
    if (demands.length === 0) return
    const plain = state.ready.topPriority(mayTakeRoots(state)) ?? -Infinity
    // More urgent tasks than those of any demand that could go are placed as far as there is room.
    if (plain > highest && placePlain(state) !== undefined) continue
    for (const demand of demands) placeFrom(state, demand)
    if (plain === highest) placePlain(state)
  }
}

function placeAllPlain(state: SchedulerState): void {
  let row = rowOfNext(state)
  let last: Template | undefined
  for (let task = placePlain(state, row); task !== undefined; task = placePlain(state, row)) {
    // It is the same for all tasks of a map, or nearly so.
    if (row === undefined ? task.template !== last : !canWait(task, row)) row = rowOfNext(state)
    last = task.template
  }
}

/** Returns the task that it placed; `undefined` when there is none, or no room. */
function placePlain(state: SchedulerState, row?: Row): Task | undefined {
  const worker = workerWithRoom(state, row)
  if (worker === undefined) return undefined
  const task = state.ready.next(mayTakeRoots(state))
  if (task === undefined) return undefined
  if (!areInputsReady(task)) {
    startOver(state, task) // An input was lost since the task became ready.
  } else if (task.inputs.length === 0) {
    assign(state, task, worker, row !== undefined && canWait(task, row) && takesRow(worker, row) ? row.us : 0)
  } else {
    assign(state, task, chooseWorker(task, [worker], mayTakeGuest))
  }
  return task
}

function workerWithRoom({ open }: SchedulerState, row: Row | undefined): WorkerRecord | undefined {
  const idlest = open.peek()
  if (idlest === undefined || hasRoom(idlest, row)) return idlest
  // One that has more to do may have room, where much of that can wait.
  return open.nearTop(MAX_SEEN).find((worker) => worker.patient.size > 0 && hasRoom(worker, row))
}

/** Is there a worker for a task of the demand, and are there units of the limits that it takes? */
function mayPlace(state: SchedulerState, demand: Demand): boolean {
  return demand.fitting.size > 0 && (demand.needs.limits.length === 0 || hasUnits(state, demand))
}

function placeFrom(state: SchedulerState, demand: Demand): void {
  refit(state)
  if (!mayPlace(state, demand)) return
  const task = demand.queue.next(mayTakeRoots(state))
  if (task === undefined) return
  if (!areInputsReady(task)) {
    startOver(state, task)
    return
  }
  const worker = chooseWorker(task, startersOf(demand), (holder) => isStarter(demand, holder))
  assign(state, task, worker)
  endTurnOf(state, demand)
  if (demand.fitting.has(worker)) passOver(state, demand, worker)
}

/** Parent: owns the loop, every branch and the result. `starters` can take it. Ties go to the first, so it is repeatable. */
export function chooseWorker(
  task: Task,
  starters: readonly WorkerRecord[],
  mayTake: (holder: WorkerRecord) => boolean,
): WorkerRecord {
  const heldBytes = new Map<WorkerRecord, number>()
  for (const worker of starters) heldBytes.set(worker, 0)
  const heldGifts = new Map<WorkerRecord, number>()
  let allBytes = 0
  let allGifts = 0
  for (const { state } of task.inputs) {
    if (state.type !== 'in-memory') continue
    const isGift = isGiven(state)
    if (isGift) allGifts++
    else allBytes += state.sizeBytes
    const seen = Math.min(state.holders.length, MAX_HOLDERS_SEEN)
    for (let i = 0; i < seen; i++) {
      const holder = present(state.holders[i], 'a holder')
      heldBytes.set(holder, (heldBytes.get(holder) ?? 0) + (isGift ? 0 : state.sizeBytes))
      if (isGift) heldGifts.set(holder, (heldGifts.get(holder) ?? 0) + 1)
    }
  }
  let best = present(starters[0], 'a worker that can take a task')
  let bestUs = Infinity
  const ownLoad = task.template.demand?.needs.threads === 0 ? ioLoadOf : loadBesideOf
  for (const [worker, bytes] of heldBytes) {
    if (!starters.includes(worker) && !mayTake(worker)) continue
    const gifts = allGifts - (heldGifts.get(worker) ?? 0)
    const us = ownLoad(worker) + gifts * GIVE_US + fetchUs(task, allBytes - bytes)
    if (us < bestUs) {
      best = worker
      bestUs = us
    }
  }
  return best
}

/** A worker that has inputs of a task may have a little more to do than others. */
function mayTakeGuest(worker: WorkerRecord): boolean {
  return !worker.isLeaving && hasRoomForGuests(worker)
}

/** What it takes the worker to get those inputs of a task that it has not got. */
export function inputsUs(task: Task, worker: WorkerRecord): number {
  let bytes = 0
  let gifts = 0
  for (const { state } of task.inputs) {
    if (state.type !== 'in-memory' || isHolder(state, worker)) continue
    if (isGiven(state)) gifts++
    else bytes += state.sizeBytes
  }
  return gifts * GIVE_US + fetchUs(task, bytes)
}

/** Leaf: what it takes to fetch so many bytes for the task. */
function fetchUs({ misses }: Task, bytes: number): number {
  return bytes === 0 ? 0 : (FETCH_US + bytes / FETCH_BYTES_PER_US) * (1 + misses * FETCH_FAILED_FACTOR)
}
