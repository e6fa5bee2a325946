/** `heddle worker join`: runs a worker until it is asked to leave, by default under a nanny. */
import { createLog, type Log, type LogFormat, type LogLevel } from '../common/node/log.js'
import { onShutdown } from '../common/node/shutdown.js'
import { ERROR_CODES, HeddleError } from '../protocol/errors.js'
import { LEAVE_GRACE_MS, superviseWorker, type WorkerProcessOptions } from '../worker/nanny.js'
import { resolveWorkerOptions, type WorkerOptions } from '../worker/options.js'
import { readToken, schedulerAddress } from './defaults.js'
import { readTls, type TlsArguments } from './tls-files.js'

export interface WorkerArguments extends TlsArguments {
  readonly threads?: number
  /** In bytes. */
  readonly memoryLimit?: number
  /** In bytes. */
  readonly threadHeap?: number
  /** In bytes. */
  readonly diskLimit?: number
  readonly name?: string
  /** What it offers, by name. */
  readonly resource?: Readonly<Record<string, number>>
  /** What tasks may call it, by name. */
  readonly tag?: Readonly<Record<string, string>>
  readonly ioTasks?: number
  readonly preload?: readonly string[]
  readonly remoteCode: boolean
  readonly inspectThreads?: true
  readonly dataDir?: string
  /** `false`: it opens no port. */
  readonly listen?: string | false
  readonly advertise?: string
  readonly nanny: boolean
  /** In milliseconds. */
  readonly leaveGrace?: number
  readonly tokenFile?: string
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
}

export async function runWorker(address: string | undefined, given: WorkerArguments): Promise<void> {
  const { threads, memoryLimit, diskLimit, name, dataDir, listen, advertise, tokenFile, logLevel, logFormat } = given
  const {
    threadHeap: threadHeapBytes,
    resource: resources,
    tag: tags,
    ioTasks,
    preload,
    remoteCode,
    inspectThreads,
  } = given
  const asGiven = {
    schedulerUrl: schedulerAddress(address),
    token: await readToken(tokenFile),
    tls: await readTls(given),
    name,
    threads,
    memoryLimitBytes: memoryLimit,
    threadHeapBytes,
    diskLimitBytes: diskLimit,
    listen,
    advertiseUrl: advertise,
    resources,
    tags,
    ioTasks,
    preload,
    remoteCode,
    inspectThreads,
    dataDir,
  }
  // Checked here already: wrong options are this command's failure, not that of a process which is started again.
  const resolved = resolveWorkerOptions(asGiven)
  const options = {
    ...asGiven,
    name: resolved.name,
    incarnation: resolved.incarnation,
    threads: resolved.threads,
    logLevel,
    logFormat,
  }
  const log = createLog({ level: logLevel, format: logFormat, name: resolved.name })
  if (given.nanny) await runUnderNanny(options, log, given.leaveGrace ?? LEAVE_GRACE_MS)
  else await runHere(resolved, log, createLog({ level: 'info', format: logFormat, name: resolved.name }))
}

async function runUnderNanny(options: WorkerProcessOptions, log: Log, graceMs: number): Promise<void> {
  const nanny = superviseWorker(options, log)
  log.debug({ workerPid: nanny.pid }, 'nanny watches over a worker')
  const stopListening = onShutdown({
    gracefully: () => void nanny.stop(graceMs),
    atOnce: () => nanny.kill(),
  })
  const end = await nanny.ended
  stopListening()
  if (end.type === 'stopped') return
  const code = ERROR_CODES.find((each) => each === end.code) ?? 'ERR_HEDDLE_WORKER_LOST'
  throw new HeddleError(code, end.message)
}

async function runHere(options: WorkerOptions, log: Log, taskLog: Log): Promise<void> {
  const { startWorker } = await import('../worker/worker.js')
  const stopped = new AbortController()
  let leave = (): void => stopped.abort()
  onShutdown({ gracefully: () => leave(), atOnce: () => process.exit(1) })
  try {
    const worker = await startWorker(options, { log, taskLog, signal: stopped.signal })
    leave = () => worker.leave()
    await worker.closed
  } catch (error) {
    if (!stopped.signal.aborted) throw error
  }
}
