/**
 * Values that clients have and bring to workers. Each is a task that never runs: the client brings it to one worker, and
 * what is to be everywhere goes on from there as a tree. The client keeps the value until that is over, so a worker that
 * dies meanwhile, or can't be reached, is replaced by another. Afterwards only its holders have it: if they are lost, so is
 * the value.
 */
import { arrayOf, indexOf, type TaskId } from '../../../protocol/ids.js'
import type { ScatterMessage } from '../../../protocol/messages/client.js'
import { hasLease, type ClientRecord } from '../clients/client-record.js'
import { failTask, finishTask } from '../tasks/outcome.js'
import { failureOfLost } from '../tasks/recovery.js'
import { dropScatter, endScatter } from '../tasks/retention.js'
import { MAX_FAILURES, mayHave, noteChange, noteFailure, spreadOf, type Spread } from './spread.js'
import { outboxOf, type SchedulerState } from '../state.js'
import { addArrayOfOne, makeTask } from '../tasks/task-array.js'
import { keyOf, NO_INPUTS, type Task } from '../tasks/task.js'
import { templateWithoutCode } from '../tasks/templates.js'
import type { WorkerRecord } from '../workers/worker-record.js'

export interface Scatter {
  readonly task: Task
  readonly sizeBytes: number
  readonly isBroadcast: boolean
  /** Names or addresses of the workers that may have it; empty for any. */
  readonly allowed: ReadonlySet<string>
  /** Where the client is bringing it. */
  target: WorkerRecord | undefined
  /** Who has it already. */
  holders: readonly WorkerRecord[]
  readonly spread: Spread
}

/** Returns what is wrong with the message, or `undefined` when the value has its task. */
export function onScatter(state: SchedulerState, client: ClientRecord, message: ScatterMessage): string | undefined {
  const { array: id, sizeBytes, copies, workers } = message
  if (!hasLease(state, client, id)) return 'its array id was not leased to this client'
  if (state.arrays.has(id)) return 'its array is in use'
  const template = templateWithoutCode(state, 'scatter')
  const segment = addArrayOfOne(state, { client, id, template })
  state.totals.submitted++
  template.statistics.tasks.waiting++
  // It misses one thing, which is no input: its value.
  const given = {
    inputs: NO_INPUTS,
    producer: undefined,
    explicitKey: undefined,
    state: { type: 'waiting' as const, missing: 1, ahead: undefined },
  }
  const task = makeTask(segment, 0, template, given)
  const scatter: Scatter = {
    task,
    sizeBytes,
    isBroadcast: copies === 'every',
    allowed: new Set(workers),
    target: undefined,
    holders: [],
    spread: spreadOf(state, task),
  }
  scatter.spread.scatter = scatter
  state.scatters.set(task.id, scatter)
  state.scattersToPlace.add(scatter)
  return undefined
}

/** At the end of a turn: tells clients where to bring what has no place yet. What no worker may have waits for one. */
export function placeScatters(state: SchedulerState): void {
  const staying = [...state.workers.values()].filter(({ isLeaving }) => !isLeaving)
  for (const scatter of state.scattersToPlace) {
    const { task, target, holders } = scatter
    // It may have been let go in this turn, or have come to a worker that it was believed not to reach.
    if (state.scatters.get(task.id) !== scatter || target !== undefined || holders.length > 0) continue
    state.homelessScatters.delete(scatter)
    const choice = chooseTarget(state, scatter, staying)
    // The client will say so when it is back.
    if (task.array.client.absentUntilMs < Infinity) state.homelessScatters.add(scatter)
    else if (choice === 'given-up') failScatter(state, scatter)
    else if (choice === 'later') state.homelessScatters.add(scatter)
    else {
      scatter.target = choice
      choice.scatters.add(scatter)
      const { id: worker, join } = choice
      outboxOf(state, task.array.client).add({ type: 'scatter-to', task: task.id, worker, address: join.address })
    }
  }
  state.scattersToPlace.clear()
}

/** The worker has the value. */
export function onScattered(state: SchedulerState, scatter: Scatter, worker: WorkerRecord): void {
  if (scatter.target === worker) scatter.target = undefined
  if (!scatter.holders.includes(worker)) scatter.holders = [...scatter.holders, worker]
  worker.scatters.add(scatter)
  state.homelessScatters.delete(scatter)
  if (scatter.isBroadcast) noteChange(state, scatter.task.id)
  else finishScatter(state, scatter)
}

/** Whoever shall have the value has it. Of many, those that can't get it do without. */
export function finishScatter(state: SchedulerState, { task, sizeBytes, holders }: Scatter): void {
  endScatter(state, task)
  task.template.statistics.finished++
  state.totals.finished++
  finishTask(state, task, { type: 'in-memory', holders, sizeBytes, page: undefined, start: 0 })
}

/**
 * The client did not reach the worker: another is chosen, if there is another. One that is back on another connection says so
 * of each value that it keeps, of no worker: it may not have heard that it need not.
 */
export function onNotScattered(state: SchedulerState, client: ClientRecord, id: TaskId, worker: number): void {
  const scatter = state.scatters.get(id)
  if (scatter === undefined) outboxOf(state, client).addScattered(id)
  if (scatter === undefined || state.arrays.get(arrayOf(id))?.client !== client || indexOf(id) !== 0) return
  const { target } = scatter
  if (target?.id !== worker) return
  leaveTarget(scatter)
  noteFailure(scatter.spread, target)
  state.scattersToPlace.add(scatter)
}

/** Workers came or went, or one that a client could not reach is back: there may be a place now, or none any more. */
export function retryScatters(state: SchedulerState): void {
  for (const scatter of state.homelessScatters) state.scattersToPlace.add(scatter)
}

/** A worker is gone, with what was brought to it. */
export function loseScatterTarget(state: SchedulerState, worker: WorkerRecord): void {
  for (const scatter of worker.scatters) {
    if (scatter.target === worker) scatter.target = undefined
    loseScattered(state, scatter, worker)
  }
  retryScatters(state)
}

/** The worker has the value no more, and the client still does. */
export function loseScattered(state: SchedulerState, scatter: Scatter, worker: WorkerRecord): void {
  scatter.holders = scatter.holders.filter((holder) => holder !== worker)
  if (scatter.target !== worker) worker.scatters.delete(scatter)
  if (scatter.holders.length === 0) state.scattersToPlace.add(scatter)
  noteChange(state, scatter.task.id)
}

/** The client is back, and may have heard nothing of where to bring its values. */
export function resumeScatters(state: SchedulerState, client: ClientRecord): void {
  for (const { tasks } of client.arrays) {
    const [task] = tasks
    if (task?.template.isScattered !== true) continue
    const scatter = state.scatters.get(task.id)
    if (scatter === undefined) continue
    leaveTarget(scatter)
    state.scattersToPlace.add(scatter)
  }
}

/** The client is gone. Whoever still waits for what it was bringing waits in vain. */
export function loseScatterer(state: SchedulerState, client: ClientRecord): void {
  for (const { task } of state.scatters.values()) {
    if (task.array.client !== client) continue
    dropScatter(state, task)
    const reason =
      `The value ${keyOf(task)} was still with the client that scattered it, which is gone; ` +
      'wait for its future before you close that client.'
    failTask(state, task, { ...failureOfLost(task), reason })
  }
}

/** The next worker in turn that may have the value, those first that the client did not fail to reach. */
function chooseTarget(
  state: SchedulerState,
  { spread, allowed }: Scatter,
  staying: readonly WorkerRecord[],
): WorkerRecord | 'later' | 'given-up' {
  const eligible = allowed.size === 0 ? staying : staying.filter((worker) => mayHave({ allowed }, worker))
  if (eligible.length === 0) return 'later'
  const { failures } = spread
  let best: WorkerRecord | 'later' | 'given-up' = 'given-up'
  let fewest = MAX_FAILURES
  for (let looked = 0; looked < eligible.length && fewest > 0; looked++) {
    const worker = eligible[state.nextScatter++ % eligible.length]!
    const times = failures.get(worker) ?? 0
    if (times >= fewest) continue
    if (worker.copies.resting.has(spread)) {
      if (best === 'given-up') best = 'later'
      continue
    }
    best = worker
    fewest = times
  }
  return best
}

function leaveTarget(scatter: Scatter): void {
  scatter.target?.scatters.delete(scatter)
  scatter.target = undefined
}

function failScatter(state: SchedulerState, { task, spread }: Scatter): void {
  const key = keyOf(task)
  const worker = [...spread.failures.keys()].at(-1)?.join.name ?? ''
  const reason =
    `The value ${key} could not be scattered in ${MAX_FAILURES} attempts for each worker, last to ${worker}; ` +
    'check that this client can reach the workers at the addresses that "heddle status" shows.'
  dropScatter(state, task)
  const failure = { error: new Uint8Array(0), code: 'ERR_HEDDLE_WORKER_LOST' as const, reason }
  failTask(state, task, { ...failure, worker, attempt: 0, culpritKey: key })
}
