/** A cluster in a few figures, and what somebody should look at. */
import { formatDuration } from '../../../common/units.js'
import { HEARTBEAT_TIMEOUT_MS, MAX_EXPLAINED } from '../../../protocol/limits.js'
import type { ClusterOverview, FunctionList, Health, Problem } from '../../../protocol/messages/api.js'
import type { ClusterStatus, FunctionStatus } from '../../../protocol/messages/status.js'
import type { SchedulerState } from '../state.js'
import { statusOf } from './status.js'

/** More functions than this nobody reads. */
const MAX_FUNCTIONS = 1_000

export function overviewOf(state: SchedulerState): ClusterOverview {
  const status = statusOf(state)
  const { packageVersion, nodeVersion, upForMs, clients, workers, tasks, totals, tasksPerSecond, blocked } = status
  const sum = (figure: (worker: ClusterStatus['workers'][number]) => number): number =>
    workers.reduce((total, worker) => total + figure(worker), 0)
  return {
    health: healthOf(status),
    packageVersion,
    nodeVersion,
    upForMs,
    clients,
    workers: workers.length,
    threads: sum(({ threads }) => threads),
    processing: sum(({ processing }) => processing),
    tasks,
    totals,
    tasksPerSecond,
    memory: {
      processBytes: sum(({ memoryBytes }) => memoryBytes),
      limitBytes: sum(({ memoryLimitBytes }) => memoryLimitBytes),
      storedBytes: sum(({ storedBytes }) => storedBytes),
      spilledBytes: sum(({ spilledBytes }) => spilledBytes),
      cachedBytes: state.inline.sizeBytes,
    },
    blocked,
  }
}

export function healthOf({ workers, tasks, blocked }: ClusterStatus): Health {
  const problems: Problem[] = []
  const waiting = tasks.waiting + tasks.ready
  if (workers.length === 0 && waiting > 0) {
    const wait = waiting === 1 ? 'task waits' : 'tasks wait'
    problems.push({ kind: 'no-workers', message: `${waiting} ${wait}, and there is no worker; start one.` })
  }
  for (const { reason } of blocked) problems.push({ kind: 'blocked', message: `Work waits that ${reason}.` })
  for (const { name, pausedBy, isDiskFull, silentForMs } of workers) {
    if (isDiskFull) problems.push({ kind: 'disk-full', message: `Worker ${name} has no room on disk for values.` })
    if (pausedBy !== '') {
      const what = pausedBy === 'values' ? 'values' : 'its process'
      problems.push({ kind: 'paused', message: `Worker ${name} does one task at a time: ${what} take its memory.` })
    }
    if (silentForMs > HEARTBEAT_TIMEOUT_MS / 2) {
      problems.push({ kind: 'silent', message: `Worker ${name} was not heard of for ${formatDuration(silentForMs)}.` })
    }
  }
  return { status: problems.length === 0 ? 'ok' : 'warn', problems: problems.slice(0, MAX_EXPLAINED) }
}

/** Those with most left to do come first. */
export function functionsOf({ functions }: ClusterStatus): FunctionList {
  const left = ({ tasks }: FunctionStatus): number => tasks.waiting + tasks.ready + tasks.processing + tasks.delayed
  const sorted = functions.toSorted((a, b) => left(b) - left(a) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  return { total: functions.length, functions: sorted.slice(0, MAX_FUNCTIONS) }
}
