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

export interface MemoryWatch {
  /** The most that the child was seen to take; 0 if that was not looked at. */
  readonly peakBytes: number
}

/** Ends `child` when it takes nearly all of its memory limit; its supervisor starts another. */
export function watchMemory(child: Child, { memoryLimitBytes, threads, onExhausted }: MemoryWatchOptions): MemoryWatch {
  const watch = { peakBytes: 0 }
  if (process.platform !== 'linux') return watch
  const maxBytes = processBytesAt(RESTART_MARK, memoryLimitBytes, threads)
  let looksOverMark = 0
  const look = (): void => {
    const { residentBytes, peakBytes } = memoryOf(child.pid)
    watch.peakBytes = Math.max(watch.peakBytes, peakBytes)
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
  return watch
}

/** A process that is gone takes nothing. */
function memoryOf(pid: number | undefined): { readonly residentBytes: number; readonly peakBytes: number } {
  let status: string
  try {
    status = readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return { residentBytes: 0, peakBytes: 0 }
  }
  // Nor has one that has just ended, and is not waited for yet, such lines.
  const [, residentKib = '0'] = /^VmRSS:\s*(\d+) kB$/m.exec(status) ?? []
  const [, peakKib = '0'] = /^VmHWM:\s*(\d+) kB$/m.exec(status) ?? []
  return { residentBytes: Number(residentKib) * 1024, peakBytes: Number(peakKib) * 1024 }
}
