/** How much memory is in use, after everything that could go has gone. */
import { collectGarbage } from '../../common/node/garbage.js'

/** Bytes of live objects and of the memory of their array buffers. */
export function liveBytes(): number {
  // Buffers are given back only by the collection after the one that found their objects dead.
  collectGarbage()
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
