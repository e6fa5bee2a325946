/** What the cluster is doing, from figures that are kept as things happen: nothing is counted up here but functions and workers. */
import type {
  BlockedStatus,
  ClusterStatus,
  FunctionStatus,
  StateCounts,
  WorkerStatus,
} from '../../../protocol/messages/status.js'
import { describeAmount } from '../../../protocol/resources.js'
import { describeNeeds, obstacleOf } from '../placing/demand.js'
import { whyItStays } from '../workers/leaving.js'
import type { SchedulerState } from '../state.js'
import type { WorkerRecord } from '../workers/worker-record.js'

type Counts = { -readonly [K in keyof StateCounts]: number }

export function statusOf(state: SchedulerState): ClusterStatus {
  const byName = new Map<string, FunctionStatus & { tasks: Counts; runs: number }>()
  const tasks = noTasks()
  for (const { name, tasks: counts, finished, failed, meanUs } of state.functions.values()) {
    add(tasks, counts)
    const row = byName.get(name) ?? { name, tasks: noTasks(), finished: 0, failed: 0, meanMs: 0, runs: 0 }
    add(row.tasks, counts)
    const runs = row.runs + finished
    const meanMs = runs === 0 ? 0 : (row.meanMs * row.runs + ((meanUs ?? 0) / 1000) * finished) / runs
    byName.set(name, { ...row, finished: row.finished + finished, failed: row.failed + failed, meanMs, runs })
  }
  return {
    packageVersion: state.config.packageVersion,
    nodeVersion: state.config.nodeVersion,
    upForMs: Math.max(0, Math.round(state.nowMs - state.config.startedAtMs)),
    clients: state.clients.size,
    workers: [...state.workers.values()].map((worker) => statusOfWorker(worker, state.nowMs)),
    tasks,
    functions: [...byName.values()].map(({ runs: _, ...row }) => row),
    blocked: blockedTasks(state),
    totals: { ...state.totals },
    tasksPerSecond: state.finishRate.perSecond(state.nowMs),
  }
}

export function statusOfWorker(worker: WorkerRecord, nowMs: number): WorkerStatus {
  const { join, pulse, processing, ahead, heardAtMs } = worker
  return {
    name: join.name,
    address: join.address,
    host: join.host,
    pid: join.pid,
    threads: join.threads,
    resources: join.resources.map(describeAmount),
    memoryBytes: pulse?.memoryBytes ?? 0,
    memoryLimitBytes: join.memoryLimitBytes,
    cpuSeconds: pulse?.cpuSeconds ?? 0,
    processing: processing.size,
    sentAhead: ahead.size,
    storedCount: pulse?.storedCount ?? 0,
    storedBytes: pulse?.storedBytes ?? 0,
    spilledBytes: pulse?.spilledBytes ?? 0,
    receivedBytes: worker.receivedBytes,
    pausedBy: pulse?.pausedBy ?? '',
    isDiskFull: pulse?.isDiskFull ?? false,
    isLeaving: worker.isLeaving,
    staysBecause: whyItStays(worker),
    silentForMs: Math.max(0, Math.round(nowMs - heardAtMs)),
    packageVersion: join.packageVersion,
    nodeVersion: join.nodeVersion,
  }
}

function blockedTasks(state: SchedulerState): BlockedStatus[] {
  const blocked: BlockedStatus[] = []
  for (const demand of state.demands.values()) {
    const reason = obstacleOf(state, demand)
    if (reason !== undefined && demand.queue.hasTasks()) blocked.push({ needs: describeNeeds(demand.needs), reason })
  }
  return blocked
}

function noTasks(): Counts {
  return { waiting: 0, ready: 0, processing: 0, 'in-memory': 0, failed: 0, released: 0, delayed: 0 }
}

function add(sum: Counts, counts: StateCounts): void {
  for (const state of Object.keys(sum) as (keyof StateCounts)[]) sum[state] += counts[state]
}
