/** What the scheduler knows, for a bug report: who is there, what waits for what. No values, no arguments, no secrets. */
import type { SchedulerState } from '../state.js'
import { statusOf } from './status.js'
import { workerOf } from '../placing/ahead.js'
import { keyOf, type Task } from '../tasks/task.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** Of tasks, the first so many that have no outcome, and of each list so many. */
const MAX_TASKS = 1_000
const MAX_LISTED = 100

/** As JSON. */
export function dumpOf(state: SchedulerState): string {
  return JSON.stringify({
    status: statusOf(state),
    clients: [...state.clients.values()].map((client) => {
      const { id, name, arrays, templates, codes, replicated, sharesUntilMs, isDirty } = client
      const sizes = { arrays: arrays.size, templates: templates.size, codes: codes.size }
      return { id, name, ...sizes, replicated, isSharing: state.nowMs < sharesUntilMs, isDirty }
    }),
    workers: [...state.workers.values()].map(describeWorker),
    demands: [...state.demands.values()].map(({ label, capable, fitting, taken, templates }) => {
      return { label, capable: namesOf(capable), fitting: namesOf(fitting), taken: taken.size, templates }
    }),
    datasets: [...state.datasets.keys()].slice(0, MAX_LISTED),
    counts: {
      arrays: state.arrays.size,
      keys: state.keys.size,
      codes: state.codes.size,
      inlineBytes: state.inline.sizeBytes,
      awaitedBytes: state.awaitedBytes,
      consuming: state.consuming,
      scatters: state.scatters.size,
      spreads: state.spreads.size,
      copying: state.copying.size,
      relays: state.relays.size,
      workerWaits: state.workerWaits.length,
      retirements: state.retirements.size,
      restarts: state.restarts.size,
      moving: state.rebalance?.relocation.moves.size ?? 0,
    },
    pendingTasks: pendingTasks(state).map(describeTask),
  })
}

function describeWorker(worker: WorkerRecord): object {
  const { id, join, processing, queuedUs, untimed, extraSlots, stopping, lingering, copies, pulse } = worker
  const { ahead, aheadUs, isLeaving, isDismissed, evacuation, keeps } = worker
  return {
    id,
    name: join.name,
    processing: listOf(processing),
    sentAhead: listOf(ahead),
    load: { queuedUs, aheadUs, untimed, extraSlots },
    stopping: stopping.size,
    lingering: lingering.size,
    copies: { serving: copies.serving, receiving: copies.receiving.size, waiting: copies.waiting.size },
    runningForMs: pulse?.runningForMs ?? [],
    isLeaving,
    isDismissed,
    evacuating: evacuation?.moves.size ?? 0,
    keeps: keeps === undefined ? '' : keyOf(keeps),
  }
}

function listOf(tasks: ReadonlySet<Task>): object {
  return { count: tasks.size, keys: [...tasks].slice(0, MAX_LISTED).map(keyOf) }
}

/** Tasks without a record are counted in the status only. */
function pendingTasks({ arrays }: SchedulerState): Task[] {
  const found: Task[] = []
  for (const array of arrays.values()) {
    for (const task of array.tasks) {
      const type = task?.state.type
      if (task === undefined || (type !== 'waiting' && type !== 'ready' && type !== 'processing')) continue
      found.push(task)
      if (found.length === MAX_TASKS) return found
    }
  }
  return found
}

function describeTask(task: Task): object {
  const { state, attempt, unstarted, deaths, misses, pendingDependants, inputs } = task
  return {
    key: keyOf(task),
    state: state.type,
    worker: workerOf(state)?.join.name,
    attempt,
    unstarted,
    deaths,
    misses,
    pendingDependants,
    inputs: inputs.slice(0, MAX_LISTED).map((input) => `${keyOf(input)}: ${input.state.type}`),
  }
}

function namesOf(workers: ReadonlySet<WorkerRecord>): string[] {
  return [...workers].slice(0, MAX_LISTED).map(({ join }) => join.name)
}
