/** Looks at this machine and at a cluster, and says what there is. */
import { readFileSync, statfsSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { packageVersion } from '../../common/node/package-version.js'
import { connect } from '../../client/connect.js'
import type { Client } from '../../client/client.js'
import { askScheduler } from '../../deploy/ask-scheduler.js'
import { HeddleError } from '../../protocol/errors.js'
import { availableMemoryBytes } from '../../worker/memory-limit.js'
import { askHttp } from '../ask-http.js'
import type { TlsTexts } from '../tls-files.js'
import type { Bandwidth, ClusterFacts, HereFacts } from './facts.js'

const MIB = 2 ** 20
/** Long enough that what else runs here shows. */
const LOOP_WATCH_MS = 250
const ROUND_TRIPS = 9
/** Large enough that its time is not that of the first message, and small enough for any worker. */
const PROBE_BYTES = 16 * MIB

export interface Examined {
  readonly address: string
  readonly token: string | undefined
  readonly tls: TlsTexts | undefined
  /** For each step. */
  readonly timeoutMs: number
}

export async function examineHere(): Promise<HereFacts> {
  const temporaryDirectory = tmpdir()
  const { bavail, bsize } = statfsSync(temporaryDirectory)
  return {
    nodeVersion: process.version,
    packageVersion: packageVersion(),
    openFiles: readOpenFiles(),
    memoryBytes: availableMemoryBytes(),
    temporaryDirectory,
    temporaryFreeBytes: bavail * bsize,
    loopDelayMs: await watchLoop(),
  }
}

/** A sentence when it can't be reached. */
export async function examineCluster(examined: Examined): Promise<ClusterFacts | string> {
  try {
    const clock = await compareClocks(examined)
    const { status } = await askStatus(examined)
    const bandwidth =
      status.workers.length === 0 ? 'no worker is there to measure it with' : await tryBandwidth(examined)
    return { address: examined.address, status, ...clock, bandwidth }
  } catch (error) {
    if (error instanceof HeddleError && error.code !== 'ERR_HEDDLE_INVALID_OPTION') return error.message
    throw error
  }
}

function askStatus({ address, token, tls, timeoutMs }: Examined) {
  return askScheduler(address, {
    name: `heddle doctor on ${hostname()}`,
    token,
    tls,
    role: 'viewer',
    timeoutMs,
    question: { type: 'ask-status', request: 1 },
    answer: 'status',
  })
}

/** By the scheduler's health check, which anybody may ask: its answer says what time it is there, in whole seconds. */
async function compareClocks(
  examined: Examined,
): Promise<Pick<ClusterFacts, 'roundTripMs' | 'clockAheadMs' | 'clockErrorMs'>> {
  const { address, tls, timeoutMs } = examined
  const tripsMs: number[] = []
  let aheadMs = 0
  for (let i = 0; i < ROUND_TRIPS; i++) {
    const startedAtMs = performance.now()
    const { headers } = await askHttp({ address, path: '/health', tls, timeoutMs })
    tripsMs.push(performance.now() - startedAtMs)
    const there = Date.parse(headers.date ?? '')
    if (!Number.isNaN(there)) aheadMs = there + 500 - Date.now()
  }
  const roundTripMs = tripsMs.sort((a, b) => a - b)[Math.floor(ROUND_TRIPS / 2)]!
  return { roundTripMs, clockAheadMs: aheadMs, clockErrorMs: 500 + roundTripMs }
}

async function tryBandwidth(examined: Examined): Promise<Bandwidth | string> {
  const { address, token, tls, timeoutMs } = examined
  try {
    await using client = await connect(address, {
      timeoutMs,
      name: `heddle doctor on ${hostname()}`,
      ...(token !== undefined && { token }),
      ...(tls !== undefined && { tls }),
    })
    await measureBandwidth(client, timeoutMs, MIB) // Opens the connections.
    return await measureBandwidth(client, timeoutMs, PROBE_BYTES)
  } catch (error) {
    if (error instanceof HeddleError) return `it could not be measured: ${error.message}`
    throw error
  }
}

async function measureBandwidth(client: Client, timeoutMs: number, sizeBytes: number): Promise<Bandwidth> {
  const startedAtMs = performance.now()
  const value = client.scatter(new Uint8Array(sizeBytes))
  const length = value.pipe((bytes: Uint8Array) => bytes.length)
  await length.result({ timeoutMs })
  const arrivedAtMs = performance.now()
  await value.result({ timeoutMs })
  const cameBackAtMs = performance.now()
  client.release([value, length])
  return {
    upBytesPerS: (sizeBytes / (arrivedAtMs - startedAtMs)) * 1_000,
    downBytesPerS: (sizeBytes / (cameBackAtMs - arrivedAtMs)) * 1_000,
  }
}

async function watchLoop(): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 5 })
  histogram.enable()
  await delay(LOOP_WATCH_MS)
  histogram.disable()
  return histogram.max / 1e6
}

/** Of Linux; elsewhere nothing tells it without a program of its own. */
function readOpenFiles(): number | undefined {
  try {
    const [, soft = ''] = /^Max open files +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return /^\d+$/.test(soft) ? Number(soft) : undefined
  } catch {
    return undefined
  }
}
