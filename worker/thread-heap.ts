/** The heap that threads may have, and what is said when it is not enough. Buffers are not in it. */
import type { ResourceLimits } from 'node:worker_threads'
import { formatBytes } from '../common/units.js'
import type { ThreadExit } from './thread-pool.js'
import type { HeapRule } from './thread/heap-watch.js'

const MIB = 2 ** 20

/** How Node is told. */
export function resourceLimits({ limitBytes }: HeapRule): ResourceLimits {
  return limitBytes === Infinity ? {} : { maxOldGenerationSizeMb: Math.floor(limitBytes / MIB) }
}

/** Did a thread end with this error because its heap was full? */
export function isOutOfMemory(error: unknown): boolean {
  return (error as { readonly code?: unknown } | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY'
}

/** `whose` heap it is, as people know it. */
export function outOfMemory(exitCode: number, { limitBytes }: HeapRule, whose: string): ThreadExit {
  const reason =
    `the heap of ${formatBytes(limitBytes)} that ${whose} was full; ` +
    'work on smaller pieces, return less, keep less from task to task, or give threads more with --thread-heap'
  return { exitCode, reason, isOutOfMemory: true }
}
