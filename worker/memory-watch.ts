/**
 * Watches from outside what a worker process takes: a process that is short of memory can't be trusted to see to itself.
 * Memory has no event, so it is looked at now and then. Only Linux tells it of another process without starting a program;
 * elsewhere nothing is watched, and what the worker measures of itself has to do.
 */
import { readFileSync } from 'node:fs'
import type { Child } from '../common/node/child-process.js'
import { formatBytes } from '../common/units.js'
import { MEMORY_LOOK_MS } from '../protocol/limits.js'
import { processBytesAt, RESTART_MARK } from './core/memory.js'

/** How long a process that is told to end may take to say why. */
const END_GRACE_MS = 1_000
/** What is over the mark at first may be garbage, which the worker collects with its next heartbeat. */
const LOOKS_OVER_MARK = 3

export interface MemoryWatchOptions {
  readonly memoryLimitBytes: number
  readonly threads: number
  /** Hears why the process is about to end. */
  readonly onExhausted: (reason: string) => void
}

/** Ends `child` when it takes nearly all of its memory limit; its supervisor starts another. */
export function watchMemory(child: Child, { memoryLimitBytes, threads, onExhausted }: MemoryWatchOptions): void {
  if (process.platform !== 'linux') return
  const maxBytes = processBytesAt(RESTART_MARK, memoryLimitBytes, threads)
  let looksOverMark = 0
  const look = (): void => {
    const residentBytes = residentBytesOf(child.pid)
    looksOverMark = residentBytes > maxBytes ? looksOverMark + 1 : 0
    if (looksOverMark < LOOKS_OVER_MARK) return
    clearInterval(timer)
    const reason =
      `The worker process took ${formatBytes(residentBytes)} of memory, with a limit of ${formatBytes(memoryLimitBytes)}, ` +
      'and was ended before the machine swaps. Give it more with --memory-limit, or work on smaller pieces.'
    onExhausted(reason)
    child.tell({ type: 'out-of-memory', reason })
    const killing = setTimeout(() => child.kill(), END_GRACE_MS)
    void child.exited.then(() => clearTimeout(killing))
  }
  const timer = setInterval(look, MEMORY_LOOK_MS)
  timer.unref()
  void child.exited.then(() => clearInterval(timer))
}

/** A process that is gone takes nothing. */
function residentBytesOf(pid: number | undefined): number {
  let status: string
  try {
    status = readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return 0
  }
  // Nor has one that has just ended, and is not waited for yet, such a line.
  const [, kib = '0'] = /^VmRSS:\s*(\d+) kB$/m.exec(status) ?? []
  return Number(kib) * 1024
}
