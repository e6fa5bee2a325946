/** `heddle status`: asks a scheduler what its cluster is doing, and prints it. */
import { hostname } from 'node:os'
import { describeMemory, describeValues } from '../common/memory-words.js'
import { formatDuration } from '../common/units.js'
import { askScheduler } from '../deploy/ask-scheduler.js'
import type { ClusterStatus } from '../protocol/messages/status.js'
import { readToken, schedulerAddress } from './defaults.js'
import { readTls, type TlsArguments } from './tls-files.js'
import { formatTable } from './table.js'

export interface StatusArguments extends TlsArguments {
  readonly json?: true
  /** In milliseconds. */
  readonly timeout: number
  readonly tokenFile?: string
}

export async function printStatus(
  given: string | undefined,
  { json, timeout, tokenFile, ...tls }: StatusArguments,
): Promise<void> {
  const address = schedulerAddress(given)
  const token = await readToken(tokenFile)
  const { status } = await askScheduler(address, {
    name: `heddle status on ${hostname()}`,
    token,
    tls: await readTls(tls),
    role: 'viewer',
    timeoutMs: timeout,
    question: { type: 'ask-status', request: 1 },
    answer: 'status',
  })
  process.stdout.write(json === true ? `${JSON.stringify(status)}\n` : describeStatus(address, status))
}

export function describeStatus(address: string, status: ClusterStatus): string {
  const { tasks, totals, workers, functions } = status
  const states = Object.entries(tasks).map(([state, count]) => `${count} ${state}`)
  const lines = [
    `${address}  up for ${formatDuration(status.upForMs)}, heddle ${status.packageVersion}, Node ${status.nodeVersion}`,
    `Tasks: ${states.join(', ')}; ${status.tasksPerSecond.toFixed(0)} a second`,
    `Since the start: ${totals.submitted} submitted, ${totals.finished} finished, ${totals.failed} failed`,
    '',
    workers.length === 0 ? `No workers; start one with: heddle worker join ${address}` : workerTable(workers),
  ]
  for (const { staysBecause } of workers) if (staysBecause !== '') lines.push('', staysBecause)
  for (const { reason } of status.blocked) lines.push('', `Waiting: work that ${reason}.`)
  if (functions.length > 0) lines.push('', functionTable(functions))
  return `${lines.join('\n')}\n`
}

function workerTable(workers: ClusterStatus['workers']): string {
  return formatTable(
    ['WORKER', 'HOST', 'THREADS', 'PROCESSING', 'SENT AHEAD', 'MEMORY', 'VALUES HELD', 'HEARD OF'],
    workers.map((worker) => [
      worker.name,
      worker.host,
      [String(worker.threads), ...worker.resources].join(' '),
      String(worker.processing),
      String(worker.sentAhead),
      describeMemory(worker),
      describeValues(worker),
      `${formatDuration(worker.silentForMs)} ago`,
    ]),
  )
}

function functionTable(functions: ClusterStatus['functions']): string {
  return formatTable(
    ['FUNCTION', 'WAITING', 'READY', 'PROCESSING', 'IN MEMORY', 'FINISHED', 'FAILED', 'MEAN TIME'],
    functions.map(({ name, tasks, finished, failed, meanMs }) => [
      name,
      String(tasks.waiting),
      String(tasks.ready),
      String(tasks.processing),
      String(tasks['in-memory']),
      String(finished),
      String(failed),
      finished + failed === 0 ? '' : formatDuration(meanMs),
    ]),
  )
}
