/**
 * A worker gives way to the scheduler and to clients where these share its machine: it takes what processors they leave. Else a
 * scheduler that writes to one worker is put aside for it, and goes on to the next when that worker's task has ended.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { statFieldsOf } from '../common/node/process-stat.js'

/** Of 0 to 19, as in `nice(1)`: where others want all of a processor, a third of what they get. */
export const WORKER_NICENESS = 5

/** Linux lets one session be set each 100 ms in the whole system, unless root asks. See `proc_sched_autogroup_set_nice`. */
const RETRY_MS = 100
const MAX_RETRY_MS = 2_000

/** Where Linux groups processes by session, niceness counts within a group alone, and this file says that of the group; see sched(7). */
const AUTOGROUP_FILE = '/proc/self/autogroup'

/**
 * Makes this process as nice as workers are, if it was started less nice, with the threads that it starts from now on, and its
 * session as nice as that. Rejects with what the system has against it.
 */
export async function giveWay(): Promise<void> {
  if (getPriority() < WORKER_NICENESS) setPriority(WORKER_NICENESS)
  const niceness = getPriority()
  for (let waitMs = RETRY_MS; process.platform === 'linux'; waitMs = Math.min(2 * waitMs, MAX_RETRY_MS)) {
    try {
      setSession(niceness)
      return
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return // This system has no such groups.
      if (code !== 'EAGAIN') throw error
    }
    // Workers that start together must not ask together again.
    await setTimeout(waitMs * (1 + Math.random()), undefined, { ref: false })
  }
}

function setSession(niceness: number): void {
  const ofGroup = /nice (-?\d+)/.exec(readFileSync(AUTOGROUP_FILE, 'latin1'))?.[1]
  if (Number(ofGroup) < niceness && leadsSession()) writeFileSync(AUTOGROUP_FILE, String(niceness))
}

/** A session with others in it, as that of a terminal, is not ours to set. */
function leadsSession(): boolean {
  const [, , , session] = statFieldsOf(process.pid)
  return Number(session) === process.pid
}
