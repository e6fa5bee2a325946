/** The entry of a worker process, as the nanny starts it: its options come in the environment, its reports go over IPC. */
import { createLog } from '../common/node/log.js'
import { dieWithParent, hearParent, reportToParent } from '../common/node/parent-process.js'
import { onShutdown } from '../common/node/shutdown.js'
import { HeddleError, OutOfMemoryError } from '../protocol/errors.js'
import { LastLines, tellingLog } from './last-lines.js'
import type { WorkerProcessOptions } from './nanny.js'
import { giveWay } from './niceness.js'
import { resolveWorkerOptions, RESTART_EXIT_CODE } from './options.js'
import { startWorker } from './worker.js'

dieWithParent()
// Threads get a copy of the environment when they start: what is secret must be gone from it by then.
const encodedOptions = process.env['HEDDLE_WORKER_OPTIONS'] ?? '{}'
delete process.env['HEDDLE_WORKER_OPTIONS']
delete process.env['HEDDLE_TOKEN']
await run(JSON.parse(encodedOptions) as WorkerProcessOptions)

async function run(options: WorkerProcessOptions): Promise<void> {
  const { logLevel: level, logFormat: format, name } = options
  const lines = new LastLines((each) => reportToParent({ type: 'logged', lines: each }))
  const log = tellingLog(createLog({ level, format, name }), lines)
  // What a task prints is meant to be seen, however little the worker itself is to say.
  const taskLog = tellingLog(createLog({ level: 'info', format, name }), lines)
  // Before it starts threads for tasks: they are as nice as it was then.
  giveWay().catch((error: unknown) => log.debug({ err: error }, 'the system does not let this worker give way'))
  const stopped = new AbortController()
  const atOnce = (): void => process.exit(1)
  let leave = (): void => stopped.abort()
  onShutdown({ gracefully: () => leave(), atOnce })
  try {
    const worker = await startWorker(resolveWorkerOptions(options), {
      log,
      taskLog,
      signal: stopped.signal,
      isWatched: true,
      lastDeath: options.lastDeath,
    })
    leave = () => worker.leave()
    hearParent(({ reason }) => worker.fail(new OutOfMemoryError(reason)))
    await reportToParent({ type: 'ready' })
    await worker.closed
    if (worker.isToRestart) process.exitCode = RESTART_EXIT_CODE
  } catch (error) {
    if (stopped.signal.aborted) return
    // Not reported as a failure: with another process the worker may well go on.
    if (error instanceof OutOfMemoryError) log.error({}, error.message)
    // The parent says what we report; what is not ours to explain is told here, with its stack.
    else if (error instanceof HeddleError)
      await reportToParent({ type: 'failed', code: error.code, message: error.message })
    else log.error({ err: error }, 'the worker failed')
    process.exitCode = 1
  }
}
