/** `heddle cancel`: cancels a task by its key, whoever submitted it. */
import { HeddleError } from '../protocol/errors.js'
import { askHttp } from './ask-http.js'
import { readToken, schedulerAddress } from './defaults.js'
import { printable } from './table.js'
import { readTls, type TlsArguments } from './tls-files.js'

export interface CancelArguments extends TlsArguments {
  readonly json?: true
  /** In milliseconds. */
  readonly timeout: number
  readonly tokenFile?: string
}

/** Exits with 1 when there was nothing to cancel. */
export async function cancelTask(given: string, key: string, options: CancelArguments): Promise<void> {
  const { status, body } = await askHttp({
    address: schedulerAddress(given),
    method: 'POST',
    path: `/api/v1/tasks/${encodeURIComponent(key)}/cancel`,
    token: await readToken(options.tokenFile),
    tls: await readTls(options),
    timeoutMs: options.timeout,
  })
  const answer = JSON.parse(body) as { readonly outcome?: string; readonly code?: string; readonly message?: string }
  if (answer.outcome === undefined) {
    const code = status === 401 || status === 403 ? 'ERR_HEDDLE_AUTHENTICATION' : 'ERR_HEDDLE_PROTOCOL'
    throw new HeddleError(code, answer.message ?? `The scheduler answered ${status}; use the same version of heddle.`)
  }
  process.stdout.write(options.json === true ? `${body}\n` : `${describeOutcome(key, answer.outcome)}\n`)
  if (answer.outcome !== 'done') process.exitCode = 1
}

function describeOutcome(key: string, outcome: string): string {
  if (outcome === 'done') return `${printable(key)} is cancelled, and so is what needs its value`
  if (outcome === 'ended') return `${printable(key)} had ended before`
  return `there is no task ${printable(key)}; "heddle explain" and the status page know tasks by their keys`
}
