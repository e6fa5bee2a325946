/**
 * Which process is meant by an id that was written down: ids are used again, in a container that is restarted even at once,
 * and every container counts its processes for itself.
 */
import { readlinkSync } from 'node:fs'
import { statFieldsOf } from './process-stat.js'

export interface ProcessIdentity {
  readonly pid: number
  /** The namespace of process ids; 0 where there is no such thing. */
  readonly namespace: number
  /** When it started, in ticks since the machine did; 0 elsewhere than on Linux. */
  readonly start: number
}

/** This process, as another one will recognise it. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, namespace: namespace(), start: startOf(process.pid) ?? 0 }
}

/** Is the process there, as far as can be seen from here? One of another container is taken to be. */
export function mayBeAlive({ pid, namespace: other, start }: ProcessIdentity): boolean {
  if (other !== namespace()) return true
  if (process.platform === 'linux') return startOf(pid) === start
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** When the process started, in ticks since the machine did; `undefined` when it is gone, or elsewhere than on Linux. */
function startOf(pid: number): number | undefined {
  let fields: string[]
  try {
    fields = statFieldsOf(pid)
  } catch {
    return undefined
  }
  const state = fields[0]
  // An orphan that ended stays as a zombie until somebody asks for its exit code, which in a container may be never.
  return state === 'Z' || state === 'X' ? undefined : Number(fields[19])
}

/** Tells apart containers, which count their processes each for itself; 0 where there is no such thing. */
function namespace(): number {
  try {
    return Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? 0)
  } catch {
    return 0
  }
}
