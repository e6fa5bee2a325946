/** What processes have cost so far, as the kernel counts it: all their threads, user and system time. */
import { readFileSync } from 'node:fs'

/** Linux shows times to programs in hundredths of a second, whatever it counts in itself. */
const TICKS_PER_SECOND = 100
/** Places behind the program's name in `/proc/PID/stat`; see proc(5). */
const USER_TICKS = 11
const SYSTEM_TICKS = 12

/** @throws when a process is gone, or the machine is not a Linux one. */
export function cpuSecondsOf(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) {
    const stat = readStat(pid)
    // The name stands in parentheses and may hold anything, spaces and parentheses too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks += Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])
  }
  return ticks / TICKS_PER_SECOND
}

/** What the main thread of this process has cost so far, in milliseconds: the scheduler of Linux counts in nanoseconds. */
export function threadCpuMs(): number {
  return Number.parseInt(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1')) / 1e6
}

/** The machine's processors since it started, all together. */
export interface MachineTime {
  readonly busySeconds: number
  readonly allSeconds: number
}

/** Columns of the first line of `/proc/stat`, behind its name; see proc(5). Those of guests are in others already. */
const IDLE = 3
const IO_WAIT = 4
const COLUMNS = 8

/** @throws when the machine is not a Linux one. */
export function machineTime(): MachineTime {
  const stat = readFileSync('/proc/stat', 'latin1')
  const ticks = stat
    .slice(0, stat.indexOf('\n'))
    .split(/ +/)
    .slice(1, 1 + COLUMNS)
    .map(Number)
  const all = ticks.reduce((sum, each) => sum + each, 0)
  return {
    busySeconds: (all - ticks[IDLE]! - ticks[IO_WAIT]!) / TICKS_PER_SECOND,
    allSeconds: all / TICKS_PER_SECOND,
  }
}

/** The share of the machine that went to others while a benchmark took `ownSeconds`. */
export function othersShare(before: MachineTime, after: MachineTime, ownSeconds: number): number {
  const allSeconds = after.allSeconds - before.allSeconds
  if (allSeconds <= 0) return 0
  return Math.max(0, after.busySeconds - before.busySeconds - ownSeconds) / allSeconds
}

function readStat(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch (cause) {
    const message = `/proc/${pid}/stat can't be read: process ${pid} died, or this is not Linux, which the benchmarks need.`
    throw new Error(message, { cause })
  }
}
