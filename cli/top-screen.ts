/** One picture of `heddle top`: what a cluster does, in as many lines as the terminal has. */
import { describeMemory, describeValues } from '../common/memory-words.js'
import { formatDuration } from '../common/units.js'
import type { ClusterStatus } from '../protocol/messages/status.js'
import { formatTable, printable } from './table.js'

export interface ScreenSize {
  readonly columns: number
  readonly rows: number
}

const LEVELS = '▁▂▃▄▅▆▇█'
/** Of the throughput, a second each. */
export const HISTORY = 60
const BAR = 10

export function drawTop(
  address: string,
  status: ClusterStatus,
  history: readonly number[],
  size: ScreenSize,
): string[] {
  const { tasks, totals, workers, functions } = status
  const threads = workers.reduce((sum, worker) => sum + worker.threads, 0)
  const pending = tasks.waiting + tasks.ready + tasks.processing + tasks.delayed
  const head = [
    `${address}  up for ${formatDuration(status.upForMs)}  ${workers.length} workers, ${threads} threads, ${status.clients} clients`,
    `${status.tasksPerSecond.toFixed(0).padStart(7)} tasks/s  ${sparkline(history)}`,
    `${pending} to do: ${tasks.processing} processing, ${tasks.ready} ready, ${tasks.waiting} waiting, ${tasks.delayed} to be tried again`,
    `${totals.finished} finished, ${totals.failed} failed, ${totals.retried} tried again since the start; ${tasks['in-memory']} results held`,
    ...wrongWith(status),
    '',
  ]
  const room = Math.max(0, size.rows - head.length - 3)
  const workerRows = Math.min(workers.length, Math.max(1, Math.ceil(room / 2)))
  const functionRows = Math.max(0, room - workerRows)
  const busiest = [...workers].sort((a, b) => b.processing - a.processing).slice(0, workerRows)
  const lines = [
    ...head,
    ...(workers.length === 0 ? [`No workers; start one with: heddle worker join ${address}`] : workerLines(busiest)),
    '',
    ...functionLines(functions, functionRows),
  ]
  return lines.slice(0, size.rows).map((line) => Array.from(line).slice(0, size.columns).join(''))
}

/** The height of each value against the highest. */
export function sparkline(values: readonly number[]): string {
  const highest = Math.max(1, ...values)
  return values
    .map((value) => LEVELS[Math.min(LEVELS.length - 1, Math.floor((value / highest) * LEVELS.length))])
    .join('')
}

function wrongWith({ blocked, workers }: ClusterStatus): string[] {
  const silent = workers.filter(({ silentForMs }) => silentForMs >= 15_000)
  return [
    ...blocked.map(({ reason }) => `! there is work that ${reason}`),
    ...silent.map(({ name, silentForMs }) => `! ${name} was not heard of for ${formatDuration(silentForMs)}`),
    ...workers
      .filter(({ pausedBy }) => pausedBy !== '')
      .map(({ name }) => `! ${name} has no memory left, and does one task at a time`),
    ...workers.filter(({ isDiskFull }) => isDiskFull).map(({ name }) => `! ${name} has no room on its disk`),
  ].map(printable)
}

function workerLines(workers: ClusterStatus['workers']): string[] {
  return formatTable(
    ['WORKER', 'BUSY', 'TASKS', 'MEMORY', '', 'VALUES HELD'],
    workers.map((worker) => [
      worker.name,
      bar(worker.processing / worker.threads),
      String(worker.processing),
      bar(worker.memoryBytes / worker.memoryLimitBytes),
      describeMemory(worker),
      describeValues(worker),
    ]),
  ).split('\n')
}

function functionLines(functions: ClusterStatus['functions'], rows: number): string[] {
  const active = ({ tasks }: ClusterStatus['functions'][number]): number =>
    tasks.processing + tasks.ready + tasks.waiting
  const first = [...functions].sort((a, b) => active(b) - active(a)).slice(0, Math.max(0, rows - 1))
  if (first.length === 0) return []
  return formatTable(
    ['FUNCTION', 'TO DO', 'PROCESSING', 'FINISHED', 'FAILED', 'MEAN TIME'],
    first.map((each) => [
      each.name,
      String(active(each)),
      String(each.tasks.processing),
      String(each.finished),
      String(each.failed),
      each.finished + each.failed === 0 ? '' : formatDuration(each.meanMs),
    ]),
  ).split('\n')
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR)
  return '█'.repeat(full).padEnd(BAR, '░')
}
