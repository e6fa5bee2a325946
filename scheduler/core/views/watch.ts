/** What the status page shows of the cluster: as the status, but by name, so that what changes is little. */
import { arrayOf, indexOf } from '../../../protocol/ids.js'
import { MAX_RUNNING_SHOWN, MAX_FUNCTIONS_SHOWN } from '../../../protocol/limits.js'
import type { ClusterView, FunctionView, RunningView, WorkerView } from '../../../protocol/messages/watch.js'
import type { SchedulerState } from '../state.js'
import { statusOf, statusOfWorker } from './status.js'
import { keyOf, type Task } from '../tasks/task.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** Finer than that nobody looks, and what did not change need not be sent. */
const HEARD_STEP_MS = 1_000

export function watchedCluster(state: SchedulerState): ClusterView {
  const { clients, tasks, totals, tasksPerSecond, functions, blocked } = statusOf(state)
  const shown = functions.slice(-MAX_FUNCTIONS_SHOWN)
  const inputs = inputsByName(state)
  return {
    clients,
    tasks,
    totals,
    tasksPerSecond: Math.round(tasksPerSecond * 10) / 10,
    workers: Object.fromEntries(
      [...state.workers.values()].map((worker): [string, WorkerView] => [worker.join.name, viewOf(state, worker)]),
    ),
    functions: Object.fromEntries(
      shown.map(({ name, ...figures }): [string, FunctionView] => [
        name,
        { ...figures, inputs: Object.fromEntries(inputs.get(name) ?? []) },
      ]),
    ),
    moreFunctions: functions.length - shown.length,
    blocked,
  }
}

/** Functions of one name are shown as one. */
function inputsByName(state: SchedulerState): ReadonlyMap<string, ReadonlyMap<string, number>> {
  const byName = new Map<string, Map<string, number>>()
  for (const { name, inputs } of state.functions.values()) {
    if (inputs.size === 0) continue
    const counts = byName.get(name) ?? new Map<string, number>()
    byName.set(name, counts)
    for (const [of, count] of inputs) counts.set(of.name, (counts.get(of.name) ?? 0) + count)
  }
  return byName
}

function viewOf(state: SchedulerState, worker: WorkerRecord): WorkerView {
  const { name: _, silentForMs: __, ...status } = statusOfWorker(worker, state.nowMs)
  const heardAtMs = Math.floor(worker.heardAtMs / HEARD_STEP_MS) * HEARD_STEP_MS
  return { ...status, heardAtMs, running: runningOn(state, worker) }
}

/** What it said at its last sign of life, but for what has ended since; then what it was sent and most likely runs by now. */
function runningOn(state: SchedulerState, worker: WorkerRecord): RunningView[] {
  const { pulse, pulseAtMs, processing, join } = worker
  const since = new Map<Task, number>()
  for (let i = 0; i < (pulse?.running.length ?? 0) && since.size < MAX_RUNNING_SHOWN; i++) {
    const id = pulse!.running[i]!
    const task = state.arrays.get(arrayOf(id))?.tasks[indexOf(id)]
    if (task !== undefined && processing.has(task)) since.set(task, Math.round(pulseAtMs - pulse!.runningForMs[i]!))
  }
  for (const task of processing) {
    if (since.size >= Math.min(join.threads, MAX_RUNNING_SHOWN)) break
    if (!since.has(task)) since.set(task, 0)
  }
  return [...since].map(([task, sinceMs]) => ({ key: keyOf(task), function: task.template.name, sinceMs }))
}
