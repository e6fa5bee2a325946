/** What tests ask the operating system about processes. */
import { readdirSync } from 'node:fs'
import { statFieldsOf } from '../../common/node/process-stat.js'
import { eventually } from './eventually.js'

/** A process that ended and that nobody asked for its exit code is dead, though its id is still taken. */
export function isAlive(pid: number): boolean {
  const state = fieldsOf(pid)?.[0]
  return state !== undefined && state !== 'Z' && state !== 'X'
}

/** Kills a process, unless it has ended meanwhile: what a status says of processes is a moment old. */
export function killIfAlive(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

export async function allGone(pids: readonly number[]): Promise<void> {
  await eventually(`processes ${pids.join(', ')} are gone`, () => !pids.some(isAlive))
}

/** All living descendants of a process. */
export function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    const each = Number(name)
    if (Number.isInteger(each) && isAlive(each)) parents.set(each, Number(fieldsOf(each)?.[1]))
  }
  const found = [pid]
  for (const ancestor of found) for (const [each, parent] of parents) if (parent === ancestor) found.push(each)
  return found.slice(1)
}

/** `undefined` when it is gone. */
function fieldsOf(pid: number): string[] | undefined {
  try {
    return statFieldsOf(pid)
  } catch {
    return undefined
  }
}
