/** What is said of a worker's memory, on a terminal as on the status page. */
import { formatBytes } from './units.js'

export interface WorkerMemory {
  readonly memoryBytes: number
  readonly memoryLimitBytes: number
  readonly storedCount: number
  readonly storedBytes: number
  readonly spilledBytes: number
  readonly pausedBy: '' | 'values' | 'process'
  readonly isDiskFull: boolean
}

/** `3.1 GiB of 4.0 GiB`, and what that leads to. */
export function describeMemory({ memoryBytes, memoryLimitBytes, pausedBy, isDiskFull }: WorkerMemory): string {
  const words = [`${formatBytes(memoryBytes)} of ${formatBytes(memoryLimitBytes)}`]
  if (pausedBy !== '') words.push(`paused: full of ${pausedBy === 'values' ? 'values' : 'what tasks use'}`)
  if (isDiskFull) words.push('disk full')
  return words.join(', ')
}

/** `12, 3.0 GiB`, and what of it is on disk. */
export function describeValues({ storedCount, storedBytes, spilledBytes }: WorkerMemory): string {
  const words = [String(storedCount), formatBytes(storedBytes)]
  if (spilledBytes > 0) words.push(`${formatBytes(spilledBytes)} of it on disk`)
  return words.join(', ')
}
