/** `heddle logs`: the last lines of workers' logs, and of what their tasks printed. */
import { hostname } from 'node:os'
import { logLinesOf, type LogLine } from '../client/reports.js'
import { askScheduler } from '../deploy/ask-scheduler.js'
import { HeddleError } from '../protocol/errors.js'
import { readToken, schedulerAddress } from './defaults.js'
import { readTls, type TlsArguments } from './tls-files.js'

export interface LogsArguments extends TlsArguments {
  readonly json?: true
  /** In milliseconds. */
  readonly timeout: number
  readonly tokenFile?: string
}

export async function printLogs(
  given: string | undefined,
  worker: string | undefined,
  { json, timeout, tokenFile, ...tls }: LogsArguments,
): Promise<void> {
  const token = await readToken(tokenFile)
  const workers = worker === undefined ? [] : [worker]
  const told = await askScheduler(schedulerAddress(given), {
    name: `heddle logs on ${hostname()}`,
    token,
    tls: await readTls(tls),
    role: 'viewer',
    timeoutMs: timeout,
    question: { type: 'ask-workers', request: 1, subject: 'logs', workers },
    answer: 'workers-told',
  })
  if (told.unknown.length > 0) {
    const message = `There is no worker "${told.unknown.join('", "')}"; "heddle status" lists them.`
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
  }
  for (const line of logLinesOf(told)) {
    process.stdout.write(`${json === true ? JSON.stringify(line) : textOf(line)}\n`)
  }
}

/** What a terminal would take for a command, such as moving its cursor; but not the end of a line. */
const CONTROL_CHARACTERS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

function textOf({ worker, atMs, level, text, task }: LogLine): string {
  const clock = new Date(atMs).toISOString().slice(11, 23)
  const from = task === undefined ? worker : `${worker} ${task}`
  return `${clock} ${level} ${from}: ${text}`.replace(CONTROL_CHARACTERS, '?')
}
