/**
 * Touches memory for the first time without keeping the thread that is to use it: a thread of Node's pool reads zeros into it. The
 * pages are there afterwards, and the memory holds zeros.
 */
import { openSync, read } from 'node:fs'

const ZEROS = '/dev/zero'

/** Opened when it is first needed, and kept; `null` where there is no such file. */
let zeros: number | null | undefined

/** Calls back when it is done, later than this call. Returns false, and never does, where the system has no zeros to read. */
export function touch(memory: Uint8Array, onTouched: () => void): boolean {
  if (zeros === undefined) zeros = openZeros()
  if (zeros === null) return false
  // If reading fails, the memory is what it was, and who uses it touches it.
  read(zeros, memory, 0, memory.length, null, () => onTouched())
  return true
}

function openZeros(): number | null {
  try {
    return openSync(ZEROS, 'r')
  } catch {
    return null // As on Windows.
  }
}
