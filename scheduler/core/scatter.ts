/**
 * Values that clients have and bring to workers. Each is a task that never runs: it waits until the workers that were
 * chosen say that they hold its value. The client keeps the value until then, so a worker that dies meanwhile, or can't
 * be reached, is replaced by another. Afterwards only its holders have it: if they are lost, so is the value.
 */
import { NO_BYTES } from '../../common/packed.js'
import { arrayOf, indexOf, type TaskId } from '../../protocol/ids.js'
import type { ScatterMessage } from '../../protocol/messages/client.js'
import { hasLease, type ClientRecord } from './client-record.js'
import { failTask, finishTask } from './outcome.js'
import { failureOfLost } from './recovery.js'
import { dropScatter, endScatter } from './retention.js'
import { outboxOf, type SchedulerState } from './state.js'
import { HELD, makeTask, type Segment, type TaskArray } from './task-array.js'
import { keyOf, NO_INPUTS, type Task } from './task.js'
import { scatterTemplate } from './templates.js'
import type { WorkerRecord } from './worker-record.js'

export interface Scatter {
  readonly task: Task
  readonly sizeBytes: number
  readonly isBroadcast: boolean
  /** Names or addresses of the workers that may have it; empty for any. */
  readonly allowed: ReadonlySet<string>
  /** Where the client is bringing it. */
  readonly targets: Set<WorkerRecord>
  /** Who has it already. */
  readonly holders: Set<WorkerRecord>
  /** How often a worker could not be reached, and which was the last. */
  failures: number
  avoided: WorkerRecord | undefined
}

/** So many times the client may fail to reach a worker; then it is held to reach none. */
const MAX_FAILURES = 10

/** Returns what is wrong with the message, or `undefined` when the value has its task. */
export function onScatter(state: SchedulerState, client: ClientRecord, message: ScatterMessage): string | undefined {
  const { array: id, sizeBytes, copies, workers } = message
  if (!hasLease(client, id)) return 'its array id was not leased to this client'
  if (state.arrays.has(id)) return 'its array is in use'
  const template = scatterTemplate(state)
  const flags = Uint8Array.of(HELD)
  const array: TaskArray = { id, client, segments: [], tasks: [], flags, live: 1 }
  const segment: Segment = {
    array,
    first: 0,
    count: 1,
    args: NO_BYTES,
    live: 1,
    runs: [{ template, end: 1 }],
    priority: 0,
    // The ready queue never sees it.
    cursor: 1,
    run: 0,
  }
  array.segments.push(segment)
  state.arrays.set(id, array)
  client.arrays.add(array)
  state.totals.submitted++
  template.statistics.tasks.waiting++
  // It misses one thing, which is no input: its value.
  const given = {
    inputs: NO_INPUTS,
    producer: undefined,
    explicitKey: undefined,
    state: { type: 'waiting' as const, missing: 1 },
  }
  const task = makeTask(segment, 0, template, given)
  const scatter: Scatter = {
    task,
    sizeBytes,
    isBroadcast: copies === 'every',
    allowed: new Set(workers),
    targets: new Set(),
    holders: new Set(),
    failures: 0,
    avoided: undefined,
  }
  state.scatters.set(task.id, scatter)
  state.scattersToPlace.add(scatter)
  return undefined
}

/** At the end of a turn: tells clients where to bring what has no place yet. What no worker may have waits for one. */
export function placeScatters(state: SchedulerState): void {
  for (const scatter of state.scattersToPlace) {
    const { task } = scatter
    if (state.scatters.get(task.id) !== scatter) continue // It was let go in this turn.
    const chosen = chooseTargets(state, scatter)
    if (chosen.length === 0) {
      finishIfHeld(state, scatter)
      continue
    }
    for (const worker of chosen) scatter.targets.add(worker)
    const addresses = chosen.map(({ join }) => join.address)
    const workers = chosen.map(({ id }) => id)
    outboxOf(state, task.array.client).add({ type: 'scatter-to', task: task.id, workers, addresses })
  }
  state.scattersToPlace.clear()
}

/** The worker has the value. */
export function onScattered(state: SchedulerState, scatter: Scatter, worker: WorkerRecord): void {
  scatter.targets.delete(worker)
  scatter.holders.add(worker)
  // One that could not be reached in this turn is still to be tried again.
  if (!state.scattersToPlace.has(scatter)) finishIfHeld(state, scatter)
}

/** The client did not reach the worker: another is chosen, if there is another. */
export function onNotScattered(state: SchedulerState, client: ClientRecord, id: TaskId, worker: number): void {
  const scatter = state.scatters.get(id)
  if (scatter === undefined || state.arrays.get(arrayOf(id))?.client !== client || indexOf(id) !== 0) return
  const target = [...scatter.targets].find((each) => each.id === worker)
  if (target === undefined) return
  scatter.targets.delete(target)
  scatter.avoided = target
  scatter.failures++
  if (scatter.failures < MAX_FAILURES) {
    state.scattersToPlace.add(scatter)
    return
  }
  const key = keyOf(scatter.task)
  const reason =
    `The value ${key} could not be scattered in ${MAX_FAILURES} attempts, last to worker ${target.join.name}; ` +
    'check that this client can reach the workers at the addresses that "heddle status" shows.'
  dropScatter(state, scatter.task)
  const failure = { error: new Uint8Array(0), code: 'ERR_HEDDLE_WORKER_LOST' as const, reason }
  failTask(state, scatter.task, { ...failure, worker: target.join.name, attempt: 0, culpritKey: key })
}

/** A worker came: it may be the one that a value waits for. */
export function retryScatters(state: SchedulerState): void {
  for (const scatter of state.scatters.values()) if (scatter.targets.size === 0) state.scattersToPlace.add(scatter)
}

/** A worker is gone, with what was brought to it. */
export function loseScatterTarget(state: SchedulerState, worker: WorkerRecord): void {
  for (const scatter of state.scatters.values()) {
    scatter.holders.delete(worker)
    if (scatter.avoided === worker) scatter.avoided = undefined
    if (scatter.targets.delete(worker) || scatter.targets.size === 0) state.scattersToPlace.add(scatter)
  }
}

/** The client is gone. Whoever still waits for what it was bringing waits in vain. */
export function loseScatterer(state: SchedulerState, client: ClientRecord): void {
  for (const { task } of state.scatters.values()) {
    if (task.array.client !== client) continue
    dropScatter(state, task)
    failTask(state, task, failureOfLost(task))
  }
}

/** All that may have it, or the next in turn of these. */
function chooseTargets(state: SchedulerState, scatter: Scatter): WorkerRecord[] {
  const { isBroadcast, allowed, targets, holders, avoided } = scatter
  const eligible = [...state.workers.values()].filter((worker) => {
    if (worker.isLeaving || targets.has(worker) || holders.has(worker)) return false
    return allowed.size === 0 || allowed.has(worker.join.name) || allowed.has(worker.join.address)
  })
  if (isBroadcast) return eligible
  if (targets.size + holders.size > 0) return []
  const others = eligible.filter((worker) => worker !== avoided)
  const candidates = others.length > 0 ? others : eligible
  const next = candidates[state.nextScatter++ % Math.max(1, candidates.length)]
  return next === undefined ? [] : [next]
}

/** Nobody is awaited any more, and somebody has it. */
function finishIfHeld(state: SchedulerState, { task, sizeBytes, targets, holders }: Scatter): void {
  if (targets.size > 0 || holders.size === 0) return
  endScatter(state, task)
  task.template.statistics.finished++
  state.totals.finished++
  finishTask(state, task, { type: 'in-memory', holders: [...holders], sizeBytes, page: undefined, start: 0, end: 0 })
}
