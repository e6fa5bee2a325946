/** `heddle explain`: asks a scheduler why a task is where it is, and prints it. */
import { hostname } from 'node:os'
import { askScheduler } from '../deploy/ask-scheduler.js'
import type { TaskId } from '../protocol/ids.js'
import type { Explanation } from '../protocol/messages/explanation.js'
import { readToken, schedulerAddress } from './defaults.js'
import { readTls, type TlsArguments } from './tls-files.js'
import { formatTable, printable } from './table.js'

export interface ExplainArguments extends TlsArguments {
  readonly json?: true
  /** In milliseconds. */
  readonly timeout: number
  readonly tokenFile?: string
}

/** Exits with 1 when there is no such task. */
export async function printExplanation(
  given: string,
  key: string,
  { json, timeout, tokenFile, ...tls }: ExplainArguments,
): Promise<void> {
  const { explanation } = await askScheduler(schedulerAddress(given), {
    name: `heddle explain on ${hostname()}`,
    token: await readToken(tokenFile),
    tls: await readTls(tls),
    role: 'viewer',
    timeoutMs: timeout,
    question: { type: 'ask-explanation', request: 1, task: 0 as TaskId, key },
    answer: 'explained',
  })
  process.stdout.write(json === true ? `${JSON.stringify(explanation)}\n` : describeExplanation(explanation))
  if (explanation.state === 'unknown') process.exitCode = 1
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
