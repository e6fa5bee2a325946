/** What is wrong in the cluster right now, the worst first, each as one sentence that says what to do. */
import { formatBytes, formatDuration } from '../../common/units.js'
import type { ClusterView, Watched, WorkerView } from '../../protocol/messages/watch.js'
import { counted, percent } from './words.js'

export interface Problem {
  readonly severity: 'bad' | 'warning'
  readonly text: string
  /** Where there is more about it. */
  readonly href: string
}

/** A worker says something every second. */
const SILENT_MS = 5_000
const LATE_MS = 250
const BUSY = 0.95
/** Names of so many workers are written out. */
const MAX_NAMED = 3

export function problemsOf({ cluster, scheduler, nowMs }: Watched): readonly Problem[] {
  const problems: Problem[] = []
  const bad = (text: string, href: string): void => void problems.push({ severity: 'bad', text, href })
  const warn = (text: string, href: string): void => void problems.push({ severity: 'warning', text, href })
  const workers = Object.entries(cluster.workers)
  const some = (is: (worker: WorkerView) => boolean): string[] => workers.filter(([, w]) => is(w)).map(([name]) => name)

  const unfinished = cluster.tasks.waiting + cluster.tasks.ready
  if (workers.length === 0 && unfinished > 0)
    bad(`${counted(unfinished, 'task')} ${unfinished === 1 ? 'waits' : 'wait'}, and there is no worker.`, '#/workers')
  for (const { needs, reason } of cluster.blocked)
    bad(`Tasks that need ${needs} wait: the work ${reason}`, '#/overview')
  const full = some(({ isDiskFull }) => isDiskFull)
  if (full.length > 0) bad(`${named(full)} can’t put values on disk for want of room there.`, '#/workers')
  const silent = some(({ heardAtMs }) => nowMs - heardAtMs > SILENT_MS + 1_000)
  if (silent.length > 0) {
    const longest = Math.max(...silent.map((name) => nowMs - cluster.workers[name]!.heardAtMs))
    bad(`${named(silent)} said nothing for ${formatDuration(longest)}.`, '#/workers')
  }
  const paused = some(({ pausedBy }) => pausedBy !== '')
  if (paused.length > 0) {
    const taken = paused.map((name) => cluster.workers[name]!).reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)
    warn(`${named(paused)} ran short of memory, ${formatBytes(taken)} in use, doing one task at a time.`, '#/workers')
  }
  if (cluster.tasks.failed > 0) {
    const most = mostFailed(cluster)
    warn(`${counted(cluster.tasks.failed, 'task')} failed, most of them of ${most}.`, '#/errors')
  }
  if (cluster.tasks.delayed > 0) {
    warn(`${counted(cluster.tasks.delayed, 'task')} failed and will be tried again.`, '#/errors')
  }
  if (cluster.totals.repaired > 0) {
    const times = counted(cluster.totals.repaired, 'time')
    warn(`Scheduler and workers disagreed ${times}, which was put right: please report it, with the logs.`, '#/logs')
  }
  const strangers = some(({ packageVersion }) => packageVersion !== scheduler.packageVersion)
  if (strangers.length > 0) {
    warn(
      `${named(strangers)} ${strangers.length === 1 ? 'runs' : 'run'} another version than the scheduler’s ${scheduler.packageVersion}.`,
      '#/workers',
    )
  }
  if (scheduler.loopBusy >= BUSY) {
    warn(
      `The scheduler is busy for ${percent(scheduler.loopBusy)} of the time: larger tasks would help.`,
      '#/scheduler',
    )
  } else if (scheduler.loopDelayMs > LATE_MS) {
    warn(`The scheduler answers late, by ${formatDuration(scheduler.loopDelayMs)}.`, '#/scheduler')
  }
  return problems
}

function mostFailed({ functions }: ClusterView): string {
  let most = ''
  let count = 0
  for (const [name, { tasks }] of Object.entries(functions)) {
    if (tasks.failed > count) [most, count] = [name, tasks.failed]
  }
  return most === '' ? 'functions that are not shown' : most
}

function named(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED).join(', ')
  return names.length > MAX_NAMED ? `${shown} and ${names.length - MAX_NAMED} more` : shown
}
