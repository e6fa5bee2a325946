/** Sizes in bytes, and what a process holds of memory. */
import { readFileSync } from 'node:fs'

export const MIB = 2 ** 20
export const GIB = 2 ** 30

/** Resident memory of a process, shared pages of Node's own program included; 0 when it is gone. */
export function residentBytes(pid: number): number {
  let status: string
  try {
    status = readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return 0
  }
  // A process that has ended and was not waited for yet has no such line.
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024
}
