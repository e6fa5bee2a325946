/** `heddle logs`: the last lines of workers' logs, and of what their tasks printed; with `--follow` what comes after them, too. */
import { hostname } from 'node:os'
import { logLinesOf, type LogLine } from '../client/reports.js'
import { onShutdown } from '../common/node/shutdown.js'
import { askScheduler } from '../deploy/ask-scheduler.js'
import { HeddleError } from '../protocol/errors.js'
import { readToken, schedulerAddress } from './defaults.js'
import { readTls, type TlsArguments } from './tls-files.js'
import { watchScheduler, type WatchOptions } from './watch-scheduler.js'

/** What may wait for whoever reads the output. */
const MAX_UNREAD_BYTES = 1024 * 1024

export interface LogsArguments extends TlsArguments {
  readonly follow?: true
  readonly json?: true
  /** In milliseconds. */
  readonly timeout: number
  readonly tokenFile?: string
}

export async function printLogs(
  given: string | undefined,
  worker: string | undefined,
  { json, follow, timeout, tokenFile, ...tls }: LogsArguments,
): Promise<void> {
  const token = await readToken(tokenFile)
  if (follow === true) {
    const where = { address: schedulerAddress(given), token, tls: await readTls(tls), timeoutMs: timeout }
    await followLogs(where, worker, json === true)
    return
  }
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
  if (told.unknown.length > 0) throw unknownWorkers(told.unknown)
  for (const line of logLinesOf(told)) print(line, json === true)
}

/** The last lines, and then what comes, until it is left. */
async function followLogs(
  where: Pick<WatchOptions, 'address' | 'token' | 'tls' | 'timeoutMs'>,
  worker: string | undefined,
  isJson: boolean,
): Promise<void> {
  const left = new AbortController()
  const leave = (): void => left.abort()
  onShutdown({ gracefully: leave, atOnce: leave })
  process.stdout.once('error', leave) // Whoever read it has gone.
  let leftOut = 0
  let isUnknown = false
  await watchScheduler({
    ...where,
    look: 'logs',
    signal: left.signal,
    onMessage: (message) => {
      if (message.type === 'whole' && worker !== undefined && !Object.hasOwn(message.watched.cluster.workers, worker)) {
        isUnknown = true
        leave()
      }
      if (message.type !== 'logs') return
      leftOut += message.leftOut
      for (const line of message.lines.toSorted((a, b) => a.atMs - b.atMs)) {
        if (worker !== undefined && line.worker !== worker) continue
        // Who reads more slowly than lines come misses some, and is told how many.
        if (process.stdout.writableLength > MAX_UNREAD_BYTES) leftOut += 1
        else print(line, isJson)
      }
      if (leftOut === 0 || process.stdout.writableLength > MAX_UNREAD_BYTES) return
      process.stderr.write(`heddle: ${leftOut} lines were left out, because there were too many at once.\n`)
      leftOut = 0
    },
  })
  if (isUnknown) throw unknownWorkers([worker!])
}

function unknownWorkers(names: readonly string[]): HeddleError {
  const message = `There is no worker "${names.join('", "')}"; "heddle status" lists them.`
  return new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
}

function print(line: LogLine, isJson: boolean): void {
  process.stdout.write(`${isJson ? JSON.stringify(line) : textOf(line)}\n`)
}

/** What a terminal would take for a command, such as moving its cursor; but not the end of a line. */
const CONTROL_CHARACTERS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

function textOf({ worker, atMs, level, text, task }: LogLine): string {
  const clock = new Date(atMs).toISOString().slice(11, 23)
  const from = task === undefined ? worker : `${worker} ${task}`
  return `${clock} ${level} ${from}: ${text}`.replace(CONTROL_CHARACTERS, '?')
}
