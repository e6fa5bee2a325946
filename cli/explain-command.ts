/** `heddle explain`: asks a scheduler why a task is where it is and, if it is told to, workers what its runs' time went into. */
import { hostname } from 'node:os'
import { formatDuration } from '../common/units.js'
import { askScheduler } from '../deploy/ask-scheduler.js'
import { HeddleError, type ErrorCode } from '../protocol/errors.js'
import type { TaskId } from '../protocol/ids.js'
import type { TaskHistory } from '../protocol/messages/api.js'
import type { Explanation } from '../protocol/messages/explanation.js'
import { askHttp, type HttpQuestion } from './ask-http.js'
import { readToken, schedulerAddress } from './defaults.js'
import { readTls, type TlsArguments } from './tls-files.js'
import { formatTable, printable } from './table.js'

export interface ExplainArguments extends TlsArguments {
  readonly json?: true
  readonly runs?: true
  /** In milliseconds. */
  readonly timeout: number
  readonly tokenFile?: string
}

/** Exits with 1 when there is no such task. */
export async function printExplanation(
  given: string,
  key: string,
  { json, runs: wantsRuns, timeout, tokenFile, ...tls }: ExplainArguments,
): Promise<void> {
  const address = schedulerAddress(given)
  const us = { token: await readToken(tokenFile), tls: await readTls(tls), timeoutMs: timeout }
  const { explanation } = await askScheduler(address, {
    ...us,
    name: `heddle explain on ${hostname()}`,
    role: 'viewer',
    question: { type: 'ask-explanation', request: 1, task: 0 as TaskId, key },
    answer: 'explained',
  })
  const isUnknown = explanation.state === 'unknown'
  if (json !== true) process.stdout.write(describeExplanation(explanation))
  if (isUnknown) process.exitCode = 1
  const runs =
    wantsRuns === true && !isUnknown ? await runsOf({ ...us, address, path: pathOf(explanation) }) : undefined
  if (json === true) process.stdout.write(`${JSON.stringify({ ...explanation, runs })}\n`)
  else if (runs !== undefined) process.stdout.write(describeRuns(runs))
}

function pathOf({ key }: Explanation): string {
  return `/api/v1/tasks/${encodeURIComponent(key)}/history`
}

async function runsOf(question: HttpQuestion): Promise<TaskHistory['runs']> {
  const { status, body } = await askHttp(question)
  if (status === 200) return (JSON.parse(body) as TaskHistory).runs
  const { code, message } = JSON.parse(body) as { readonly code: ErrorCode; readonly message: string }
  throw new HeddleError(code, message)
}

export function describeExplanation({ key, state, reason, details, waitsFor, workers }: Explanation): string {
  const lines = [`${key} is ${state}`, reason, ...details].map(printable)
  if (waitsFor.length > 0) {
    const rows = waitsFor.map((input) => [input.key, input.state])
    lines.push('', formatTable(['WAITS FOR', 'WHICH IS'], rows))
  }
  if (workers.length > 0) {
    const rows = workers.map((worker) => [worker.name, worker.reason])
    lines.push('', formatTable(['WORKER', 'WHY IT TAKES NONE NOW'], rows))
  }
  return `${lines.join('\n')}\n`
}

const RUN_HEADS = ['RUN ON', 'QUEUE', 'FETCH', 'DECODE', 'RUN', 'ENCODE', 'OUTCOME']

/** What is not known is a dash; where it was not measured what a run went into, the whole of it stands under RUN. */
export function describeRuns(runs: TaskHistory['runs']): string {
  if (runs.length === 0) return '\nNo worker remembers a run of it.\n'
  const told = (ms: number | undefined): string => (ms === undefined ? '-' : formatDuration(Math.max(0, ms)))
  const rows = runs.map((run) => {
    const { worker, thread, receivedAtMs, queueMs, fetchMs, durationMs, decodeMs, runMs, encodeMs } = run
    const before = receivedAtMs === 0 ? [undefined, undefined] : [queueMs, fetchMs]
    const outcome = !run.hasEnded ? 'runs' : run.hasFailed ? 'failed' : 'ended'
    return [
      `${worker}, thread ${thread + 1}`,
      ...[...before, decodeMs, runMs ?? durationMs, encodeMs].map(told),
      outcome,
    ]
  })
  return `\n${formatTable(RUN_HEADS, rows)}\n`
}
