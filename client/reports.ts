/** What workers and the scheduler tell people who look into what a cluster does. */
import { writeFile } from 'node:fs/promises'
import type { Packed } from '../common/packed.js'
import { packageVersion } from '../common/node/package-version.js'
import { keptLine, ranTasks, type RanTasks } from '../protocol/messages/report.js'
import { list } from '../protocol/schema.js'
import { readTold } from '../protocol/transport/told.js'
import { describe, invalidOption } from './options.js'
import type { Session } from './session.js'

/** One line of a worker's log, or of what a task printed. */
export interface LogLine {
  /** The name of the worker. */
  readonly worker: string
  /** When it was written, in milliseconds since 1970, by the worker's clock. */
  readonly atMs: number
  /** How grave it is. What a task prints by `console.log` is `info`. */
  readonly level: 'info' | 'warn' | 'error'
  /** What it says. */
  readonly text: string
  /** The key of the task that printed it; none for a line of the worker itself. */
  readonly task?: string
}

/** The lines of all workers, the oldest first. */
export async function logs(session: Session, workers: readonly string[]): Promise<LogLine[]> {
  const question = (request: number) => ({ type: 'ask-workers', request, subject: 'logs', workers }) as const
  const answer = await session.question(question, 'workers-told')
  checkKnown(answer.unknown)
  return logLinesOf(answer)
}

export function logLinesOf(answer: { readonly workers: readonly string[]; readonly reports: Packed }): LogLine[] {
  const lines = readTold(answer, list(keptLine)).flatMap(({ worker, told }) =>
    told.map(({ task, ...line }) => ({ worker, ...line, ...(task !== undefined && { task }) })),
  )
  return lines.sort((a, b) => a.atMs - b.atMs)
}

/** One event of a {@link Trace}, as Chrome's trace format has it: times in microseconds. */
export interface TraceEvent {
  /** What ran, or what is named. */
  readonly name: string
  /** `X`: something took a while. `M`: a process or thread has a name. */
  readonly ph: 'X' | 'M'
  /** The worker's place in the trace. */
  readonly pid: number
  /** The thread's number there. */
  readonly tid: number
  /** When it began, counted from the first event. */
  readonly ts?: number
  /** How long it took. */
  readonly dur?: number
  /** The kind of event. */
  readonly cat?: string
  /**
   * More about it: of tasks the key, how many they were, and how many of those threw. Of a task that took a millisecond or more
   * also `decodeMs`, `runMs` and `encodeMs`, where they were measured: what its time went into.
   */
  readonly args: Readonly<Record<string, string | number>>
}

/** What ran where and when, in Chrome's trace format. */
export interface Trace {
  /** Names first, then what ran. */
  readonly traceEvents: readonly TraceEvent[]
  /** The unit in which viewers show times. */
  readonly displayTimeUnit: 'ms'
}

export async function timeline(session: Session, path: string | undefined): Promise<Trace> {
  if (path !== undefined) checkPath(path)
  const question = (request: number) => ({ type: 'ask-workers', request, subject: 'runs', workers: [] }) as const
  const trace = traceOf(readTold(await session.question(question, 'workers-told'), list(ranTasks)))
  if (path !== undefined) await writeFile(path, JSON.stringify(trace))
  return trace
}

function traceOf(reports: readonly { readonly worker: string; readonly told: readonly RanTasks[] }[]): Trace {
  let originMs = Infinity
  for (const { told } of reports) for (const { atMs } of told) originMs = Math.min(originMs, atMs)
  const names: TraceEvent[] = []
  const runs: TraceEvent[] = []
  reports.forEach(({ worker, told }, place) => {
    const pid = place + 1
    names.push({ name: 'process_name', ph: 'M', pid, tid: 0, args: { name: worker } })
    for (const thread of [...new Set(told.map((entry) => entry.thread))].sort((a, b) => a - b)) {
      names.push({ name: 'thread_name', ph: 'M', pid, tid: thread + 1, args: { name: `thread ${thread + 1}` } })
    }
    for (const { name, key, count, thread, atMs, durationMs, failed, decodeMs, runMs, encodeMs } of told) {
      const time = { ts: Math.round((atMs - originMs) * 1_000), dur: Math.round(durationMs * 1_000) }
      const isMeasured = decodeMs !== undefined && runMs !== undefined && encodeMs !== undefined
      const args = { key, count, failed, ...(isMeasured && { decodeMs, runMs, encodeMs }) }
      runs.push({ name, ph: 'X', cat: 'task', pid, tid: thread + 1, ...time, args })
    }
  })
  return { traceEvents: [...names, ...runs], displayTimeUnit: 'ms' }
}

function checkPath(path: unknown): void {
  if (typeof path === 'string' && path !== '') return
  throw invalidOption(`path is ${describe(path)}; give the name of a file.`)
}

export async function dump(session: Session, path: string): Promise<void> {
  checkPath(path)
  const { state } = await session.question((request) => ({ type: 'ask-dump', request }), 'dump')
  const { platform, arch, version: nodeVersion } = process
  const client = { packageVersion: packageVersion(), nodeVersion, platform, arch }
  const whole = { at: new Date().toISOString(), client, scheduler: JSON.parse(state) as unknown }
  await writeFile(path, `${JSON.stringify(whole, null, 2)}\n`)
}

export function checkKnown(unknown: readonly string[]): void {
  if (unknown.length === 0) return
  throw invalidOption(`There is no worker ${unknown.map(describe).join(', ')}; client.info() lists them.`)
}
