/** What is to be thought of the facts: a line for each, and what to do where something is wrong. Reads nothing itself. */
import { describeMemory } from '../../common/memory-words.js'
import { formatBytes, formatDuration } from '../../common/units.js'
import type { WorkerStatus } from '../../protocol/messages/status.js'
import { isSameNodeMajor } from '../../protocol/version.js'
import type { ClusterFacts, Facts, HereFacts } from './facts.js'

export interface Verdict {
  readonly verdict: 'ok' | 'warn' | 'fail'
  /** What was looked at. */
  readonly check: string
  /** What was found and, if that is not well, what to do. */
  readonly finding: string
}

const MIN_NODE = [20, 19] as const
const MIN_OPEN_FILES = 1_024
const MIN_TEMPORARY_BYTES = 2 ** 30
const MIN_MEMORY_BYTES = 2 ** 29
const LONG_LOOP_DELAY_MS = 100
const LONG_ROUND_TRIP_MS = 50
/** Two clocks this far apart make logs hard to read next to each other. */
const LARGE_CLOCK_SKEW_MS = 5_000
const SLOW_BYTES_PER_S = 2 ** 20 * 10
/** A live worker says something every few seconds. */
const LONG_SILENCE_MS = 15_000

export function judge({ here, cluster }: Facts): Verdict[] {
  const verdicts = judgeHere(here)
  if (cluster === undefined) return verdicts
  if (typeof cluster === 'string') return [...verdicts, { verdict: 'fail', check: 'scheduler', finding: cluster }]
  return [...verdicts, ...judgeCluster(here, cluster), ...judgeWorkers(cluster)]
}

function judgeHere(here: HereFacts): Verdict[] {
  const { nodeVersion, packageVersion, openFiles, memoryBytes, temporaryFreeBytes, loopDelayMs } = here
  const free = `${formatBytes(temporaryFreeBytes)} free in ${here.temporaryDirectory}`
  return [
    isNodeRecent(nodeVersion)
      ? ok('Node', `${nodeVersion}, heddle ${packageVersion}`)
      : fail('Node', `${nodeVersion} is too old; install ${MIN_NODE.join('.')} or later`),
    openFiles === undefined || openFiles >= MIN_OPEN_FILES
      ? ok('open files', openFiles === undefined ? 'no limit' : `${openFiles.toLocaleString('en')} at most`)
      : warn('open files', `${openFiles} at most, one for each connection; raise it with: ulimit -n 65536`),
    memoryBytes >= MIN_MEMORY_BYTES
      ? ok('memory', `${formatBytes(memoryBytes)} for this process and others`)
      : warn('memory', `${formatBytes(memoryBytes)} is little for a worker; give its machine or container more`),
    temporaryFreeBytes >= MIN_TEMPORARY_BYTES
      ? ok('disk', free)
      : warn('disk', `${free}, where workers put values that exceed memory; make room, or give them --data-dir`),
    loopDelayMs < LONG_LOOP_DELAY_MS
      ? ok('loop delay', `${formatDuration(loopDelayMs)} at most`)
      : warn(
          'loop delay',
          `${formatDuration(loopDelayMs)}: this machine has more to do than it can; times below are too long`,
        ),
  ]
}

function judgeCluster(here: HereFacts, cluster: ClusterFacts): Verdict[] {
  const { address, roundTripMs, clockAheadMs, clockErrorMs, status, bandwidth } = cluster
  const skew = `${formatDuration(Math.abs(clockAheadMs))} ${clockAheadMs < 0 ? 'behind' : 'ahead'}`
  const versions = `heddle ${status.packageVersion}, Node ${status.nodeVersion}`
  return [
    ok('scheduler', `${address} is up for ${formatDuration(status.upForMs)}`),
    judgeVersions('scheduler’s versions', here, status, versions),
    roundTripMs < LONG_ROUND_TRIP_MS
      ? ok('round trip', `${formatDuration(roundTripMs)} to the scheduler and back`)
      : warn('round trip', `${formatDuration(roundTripMs)} to the scheduler and back; run clients nearer to it`),
    Math.abs(clockAheadMs) - clockErrorMs < LARGE_CLOCK_SKEW_MS
      ? ok('clock', `the same as here, within ${formatDuration(Math.abs(clockAheadMs) + clockErrorMs)}`)
      : warn('clock', `the scheduler’s is ${skew} of the one here; let a time service set both`),
    judgeBandwidth(bandwidth),
    ...status.blocked.map(({ reason }) => warn('waiting work', `there is work that ${reason}`)),
  ]
}

function judgeBandwidth(bandwidth: ClusterFacts['bandwidth']): Verdict {
  if (typeof bandwidth === 'string') return warn('bandwidth', bandwidth)
  const { upBytesPerS, downBytesPerS } = bandwidth
  const speeds = `${formatBytes(upBytesPerS)}/s to a worker, ${formatBytes(downBytesPerS)}/s back`
  if (Math.min(upBytesPerS, downBytesPerS) >= SLOW_BYTES_PER_S) return ok('bandwidth', speeds)
  return warn('bandwidth', `${speeds}; let tasks load large data themselves, and return little`)
}

function judgeWorkers({ address, status }: ClusterFacts): Verdict[] {
  const { workers } = status
  if (workers.length === 0) {
    return [fail('workers', `there are none; start one with: heddle worker join ${address}`)]
  }
  const threads = workers.reduce((sum, worker) => sum + worker.threads, 0)
  const verdicts = workers.flatMap((worker) => judgeWorker(worker, status))
  const sick = new Set(verdicts.map(({ check }) => check)).size
  const count = `${workers.length === 1 ? '1 is' : `${workers.length} are`} there, with ${threads} threads`
  return [ok('workers', sick === 0 ? `${count}; all are well` : count), ...verdicts]
}

function judgeWorker(worker: WorkerStatus, status: ClusterFacts['status']): Verdict[] {
  const check = `worker ${worker.name}`
  const verdicts: Verdict[] = []
  const versions = judgeVersions(check, status, worker, `heddle ${worker.packageVersion}, Node ${worker.nodeVersion}`)
  if (versions.verdict !== 'ok') verdicts.push(versions)
  if (worker.silentForMs >= LONG_SILENCE_MS) {
    const silence = formatDuration(worker.silentForMs)
    verdicts.push(warn(check, `was not heard of for ${silence}; see whether its machine and network are well`))
  }
  if (worker.pausedBy !== '') {
    const what = worker.pausedBy === 'values' ? 'values' : 'its process'
    const advice = 'give it more memory, or release what is not needed'
    verdicts.push(
      warn(check, `does one task at a time, for ${what} take its memory (${describeMemory(worker)}); ${advice}`),
    )
  }
  if (worker.isDiskFull) verdicts.push(fail(check, 'has no room on its disk for values; make room in its --data-dir'))
  return verdicts
}

function judgeVersions(check: string, wanted: Versions, found: Versions, words: string): Verdict {
  if (found.packageVersion !== wanted.packageVersion) {
    return warn(check, `${words}, and others have heddle ${wanted.packageVersion}; install the same everywhere`)
  }
  if (isSameNodeMajor(found.nodeVersion, wanted.nodeVersion)) return ok(check, words)
  return warn(check, `${words}, and others have ${wanted.nodeVersion}; functions may behave differently there`)
}

interface Versions {
  readonly packageVersion: string
  readonly nodeVersion: string
}

function isNodeRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  return major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])
}

function ok(check: string, finding: string): Verdict {
  return { verdict: 'ok', check, finding }
}

function warn(check: string, finding: string): Verdict {
  return { verdict: 'warn', check, finding }
}

function fail(check: string, finding: string): Verdict {
  return { verdict: 'fail', check, finding }
}
