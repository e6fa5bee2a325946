/** How much memory this process may use: that of the machine, or less where a container or a control group says so. */
import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import path from 'node:path'

/** Where the limits are read from. */
export interface MemorySources {
  readonly machineBytes: number
  /** What Node says; without a limit that is 0 or more than any machine has. */
  readonly constrainedBytes: number
  /** The content of a file, or nothing if there is none. */
  readonly readText: (file: string) => string | undefined
}

/** The smallest of all limits that hold, in bytes. */
export function availableMemoryBytes(sources: MemorySources = thisProcess()): number {
  const { machineBytes, constrainedBytes, readText } = sources
  const limits = [machineBytes, constrainedBytes]
  for (const file of limitFiles(readText('/proc/self/cgroup') ?? '')) {
    // Where there is no limit, the newer kind of file says `max`, and the older one a number past all machines.
    limits.push(Number(readText(file)?.trim() ?? NaN))
  }
  return Math.min(...limits.filter((limit) => Number.isFinite(limit) && limit > 0))
}

/** The limits of our own group and of all around it, each of which holds. */
function limitFiles(groups: string): string[] {
  const files: string[] = []
  for (const line of groups.split('\n')) {
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (controllers === undefined || group === undefined) continue
    if (controllers === '') {
      files.push(...upwards(group).map((each) => path.posix.join('/sys/fs/cgroup', each, 'memory.max')))
    } else if (controllers.split(',').includes('memory')) {
      const folder = '/sys/fs/cgroup/memory'
      files.push(...upwards(group).map((each) => path.posix.join(folder, each, 'memory.limit_in_bytes')))
    }
  }
  return files
}

/** `/a/b`, `/a`, `/`. */
function upwards(group: string): string[] {
  const folders = [group]
  for (let at = group; at !== '/'; at = folders.at(-1)!) folders.push(path.posix.dirname(at))
  return folders
}

function thisProcess(): MemorySources {
  return { machineBytes: totalmem(), constrainedBytes: process.constrainedMemory(), readText }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
