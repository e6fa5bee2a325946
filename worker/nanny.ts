/**
 * The supervisor of one worker process. It starts the process again when that dies, so that the cluster loses a worker
 * for a moment only, and it runs no task itself, so that none can take it along. How a process ended it tells the next one,
 * which tells the scheduler. No program that a task started outlives
 * the worker process, and the worker process does not outlive its nanny.
 */
import { Child, describeExit } from '../common/node/child-process.js'
import type { Log, LogFormat, LogLevel } from '../common/node/log.js'
import { Supervisor } from '../common/node/supervisor.js'
import { MAX_LAST_LINES } from '../protocol/limits.js'
import type { WorkerDeath } from '../protocol/messages/worker-death.js'
import { watchMemory, type MemoryWatch } from './memory-watch.js'
import { defaultMemoryLimitBytes, RESTART_EXIT_CODE, type GivenWorkerOptions } from './options.js'

const ENTRY = new URL('./main.js', import.meta.url)
/** How long a worker that was asked to go may take to end what its tasks run. */
export const LEAVE_GRACE_MS = 30_000
/** Threads of Node's own pool (files, DNS, compression), which all tasks of a worker share. */
const MIN_IO_THREADS = 4
const MAX_IO_THREADS = 128
/**
 * Larger buffers get pages of their own, which go back when the buffer goes. Left alone, the C library learns to keep such
 * memory for later, for each thread apart: then what one task took is missing for the others.
 */
const OWN_PAGES_BYTES = 1024 * 1024

/** How the worker process is told what it is: as JSON in `HEDDLE_WORKER_OPTIONS`, which it deletes at once. */
export interface WorkerProcessOptions extends GivenWorkerOptions {
  /** These two stay the same when the process is started again, so that the scheduler knows it for the same worker. */
  readonly name: string
  readonly incarnation: string
  readonly threads: number
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
  /** How the process before it ended. */
  readonly lastDeath?: WorkerDeath | undefined
}

/** Starts a worker process and keeps it running. */
export function superviseWorker(options: WorkerProcessOptions, log: Log): Supervisor {
  const ioThreads = Math.min(MAX_IO_THREADS, Math.max(MIN_IO_THREADS, options.threads))
  let lastDeath: WorkerDeath | undefined
  let watch: MemoryWatch = { peakBytes: 0 }
  let pid = 0
  const env = {
    HEDDLE_TOKEN: undefined,
    UV_THREADPOOL_SIZE: process.env['UV_THREADPOOL_SIZE'] ?? String(ioThreads),
    MALLOC_MMAP_THRESHOLD_: process.env['MALLOC_MMAP_THRESHOLD_'] ?? String(OWN_PAGES_BYTES),
  }
  return new Supervisor({
    start: () => {
      const child = new Child({
        entry: ENTRY,
        env: { ...env, HEDDLE_WORKER_OPTIONS: JSON.stringify({ ...options, lastDeath }) },
        maxLines: MAX_LAST_LINES,
      })
      pid = child.pid ?? 0
      watch = watchMemory(child, {
        memoryLimitBytes: options.memoryLimitBytes ?? defaultMemoryLimitBytes(),
        threads: options.threads,
        onExhausted: (reason) => log.error({ worker: options.name }, reason),
      })
      return child
    },
    onRestart: (exit, delayMs) => {
      const { code, signal, lastLines: lines } = exit
      lastDeath = { pid, exitCode: code ?? undefined, signal: signal ?? '', peakMemoryBytes: watch.peakBytes, lines }
      if (code === RESTART_EXIT_CODE) return log.info({ worker: options.name }, 'worker process starts again, as asked')
      log.warn(
        { worker: options.name, code, signal, delayMs },
        `worker process died: ${describeExit(exit)}; starting it again`,
      )
    },
  })
}
