/** `heddle doctor`: looks at this machine and at a cluster, and says what is well, what is not, and what to do. */
import { examineCluster, examineHere } from './doctor/examine.js'
import { judge, type Verdict } from './doctor/verdicts.js'
import { readToken } from './defaults.js'
import { formatTable } from './table.js'
import { readTls, type TlsArguments } from './tls-files.js'

export interface DoctorArguments extends TlsArguments {
  readonly json?: true
  /** In milliseconds, for each step. */
  readonly timeout: number
  readonly tokenFile?: string
}

/** Exits with 1 when something is wrong. */
export async function examine(given: string | undefined, options: DoctorArguments): Promise<void> {
  const address = given ?? process.env['HEDDLE_ADDRESS']
  const token = await readToken(options.tokenFile)
  const tls = await readTls(options)
  const here = await examineHere()
  const cluster =
    address === undefined || address === ''
      ? undefined
      : await examineCluster({ address, token, tls, timeoutMs: options.timeout })
  const verdicts = judge({ here, cluster })
  process.stdout.write(options.json === true ? `${JSON.stringify(verdicts)}\n` : describeVerdicts(verdicts))
  if (verdicts.some(({ verdict }) => verdict === 'fail')) process.exitCode = 1
}

export function describeVerdicts(verdicts: readonly Verdict[]): string {
  return `${formatTable(
    ['', 'LOOKED AT', 'FOUND'],
    verdicts.map(({ verdict, check, finding }) => [verdict, check, finding]),
  )}\n`
}
