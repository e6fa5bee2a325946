/** `heddle scheduler`: runs a scheduler until it is asked to end. */
import { createLog, type LogFormat, type LogLevel } from '../common/node/log.js'
import { onShutdown } from '../common/node/shutdown.js'
import { startScheduler } from '../scheduler/scheduler.js'
import { readToken } from './defaults.js'
import { stateDirectoryOf } from './state-directory.js'
import { readTls, type TlsArguments } from './tls-files.js'

export interface SchedulerArguments extends TlsArguments {
  readonly host: string
  readonly port: number
  readonly tokenFile?: string
  readonly stateDir?: string
  readonly sync: 'soon' | 'always'
  readonly clientGrace?: number
  readonly strictVersions?: true
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
}

export async function runScheduler(given: SchedulerArguments): Promise<void> {
  const { host, port, tokenFile, sync, clientGrace: clientGraceMs, strictVersions, logLevel, logFormat } = given
  const log = createLog({ level: logLevel, format: logFormat, name: 'scheduler' })
  const onCrash = (error: unknown): void => {
    log.error({ err: error }, 'the scheduler has a bug and cannot go on; please report this')
    process.exit(1)
  }
  const tls = await readTls(given)
  const stateDir = stateDirectoryOf(given.stateDir, port)
  const token = await readToken(tokenFile)
  const kept = { stateDir, sync, clientGraceMs }
  const scheduler = await startScheduler({ host, port, token, tls, ...kept, strictVersions, log, onCrash })
  // Before anybody is told that it is up, and might ask it to end.
  const asked = new Promise<void>((resolve) => {
    onShutdown({ gracefully: resolve, atOnce: () => process.exit(1) })
  })
  const { address, statusPage, newToken } = scheduler
  log.info({ address, statusPage, stateDir, pid: process.pid }, 'scheduler is up')
  if (newToken !== undefined) {
    // Printed once, and nowhere else: whoever sees this terminal may use the cluster.
    process.stdout.write(`HEDDLE_TOKEN=${newToken} heddle worker join ${address}\n`)
    process.stdout.write(`status page: ${statusPage}?token=${newToken}\n`)
  }
  await asked
  log.info({}, 'scheduler stops')
  await scheduler.close()
}
