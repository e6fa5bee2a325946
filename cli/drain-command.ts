/** `heddle drain`: has workers leave, with the values that only they hold. */
import { hostname } from 'node:os'
import { formatBytes } from '../common/units.js'
import { askScheduler } from '../deploy/ask-scheduler.js'
import { HeddleError } from '../protocol/errors.js'
import { readToken, schedulerAddress } from './defaults.js'
import { printable } from './table.js'
import { readTls, type TlsArguments } from './tls-files.js'

export interface DrainArguments extends TlsArguments {
  readonly json?: true
  /** In milliseconds. */
  readonly timeout: number
  /** In milliseconds. */
  readonly deadline?: number
  readonly tokenFile?: string
}

/** Exits with 1 when a worker had more to do at the deadline. */
export async function drainWorkers(
  given: string,
  workers: readonly string[],
  { json, timeout, deadline, tokenFile, ...tls }: DrainArguments,
): Promise<void> {
  const { unknown, values, sizeBytes, cutShort } = await askScheduler(schedulerAddress(given), {
    name: `heddle drain on ${hostname()}`,
    token: await readToken(tokenFile),
    tls: await readTls(tls),
    timeoutMs: timeout,
    // The scheduler keeps to the deadline; what takes longer is the end of the processes.
    answerMs: deadline === undefined ? Infinity : deadline + timeout,
    question: { type: 'retire-workers', request: 1, workers, deadlineMs: deadline ?? 0 },
    answer: 'retired',
    onOther: (message) => {
      if (message.type === 'retirement-waits') process.stderr.write(`${printable(message.reason)}\n`)
    },
  })
  if (unknown.length > 0) {
    const names = unknown.map((name) => JSON.stringify(name)).join(', ')
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_OPTION',
      `There is no worker ${names}, so all stay; "heddle status" lists them.`,
    )
  }
  if (cutShort.length > 0) process.exitCode = 1
  if (json === true) {
    process.stdout.write(`${JSON.stringify({ values, sizeBytes, cutShort })}\n`)
    return
  }
  const moved = `${values} ${values === 1 ? 'value' : 'values'} (${formatBytes(sizeBytes)}) moved to other workers`
  const late = cutShort.length === 0 ? '' : `; ${cutShort.join(', ')} had more to do at the deadline`
  process.stdout.write(`${printable(`${workers.join(', ')} left: ${moved}${late}`)}\n`)
}
