/** Collects garbage when we know that there is much, and the engine does not. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (options?: { readonly type: 'minor' }) => void

let collect: Collect | undefined

const LARGE_HEAP_BYTES = 96 * 1024 * 1024

/** Collects all garbage of this thread: a few milliseconds for each ten megabytes that are alive. */
export function collectGarbage(): void {
  collect ??= collector()
  collect()
}

/** Collects what came since the last collection, which takes a fraction of the time. What was there before stays. */
export function collectYoung(): void {
  collect ??= collector()
  collect({ type: 'minor' })
}

/** As `collectGarbage`, where the heap is so large that it matters. */
export function collectIfLarge(): void {
  if (heapBytes() >= LARGE_HEAP_BYTES) collectGarbage()
}

/** What is alive in the heap of this thread, and what was not collected yet. */
export function heapBytes(): number {
  return getHeapStatistics().used_heap_size
}

/** Where a program was started with the flag, it is its own and stays. */
function collector(): Collect {
  return (globalThis as { readonly gc?: Collect }).gc ?? exposedCollector()
}

/**
 * The global `gc` of a context made while it is exposed; user code never sees it. The flag is the whole process's, and
 * another thread may take it back in between: then it is done again.
 */
function exposedCollector(): Collect {
  for (;;) {
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('globalThis.gc') as Collect | undefined
    setFlagsFromString('--no-expose-gc')
    if (gc !== undefined) return gc
  }
}
