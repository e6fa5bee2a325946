/** The systems that heddle is measured beside: each is a program that runs one workload and prints `{"value":…}`. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const execute = promisify(execFile)
/** The sources, from where this file is built to. */
const SOURCES = new URL('../../../bench/peers/', import.meta.url)
/** Where a distribution's packages for Python are found, whatever else is first on the path. */
const SYSTEM_PYTHON = '/usr/bin/python3'

export interface Peer {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly howToInstall: string
  /** Workloads that mean nothing there. */
  readonly lacks: readonly string[]
}

export const PEERS: readonly Peer[] = [
  {
    name: 'Piscina',
    command: process.execPath,
    args: [fileURLToPath(new URL('./piscina-peer.js', import.meta.url))],
    howToInstall: 'npm install',
    lacks: ['transfer'], // Its threads are all in one process, and a value comes back to it each time.
  },
  {
    name: 'Dask',
    command: SYSTEM_PYTHON,
    args: ['-B', fileURLToPath(new URL('dask_peer.py', SOURCES))],
    howToInstall: "Debian's python3-distributed",
    lacks: [],
  },
  {
    name: 'Ray',
    command: 'python3',
    args: ['-B', fileURLToPath(new URL('ray_peer.py', SOURCES))],
    howToInstall: 'pip install ray',
    lacks: ['transfer'], // Its workers on one machine share their memory.
  },
  {
    name: 'BullMQ',
    command: process.execPath,
    args: [fileURLToPath(new URL('bullmq/peer.mjs', SOURCES))],
    howToInstall: 'redis-server, and npm install in bench/peers/bullmq',
    lacks: ['transfer', 'scatter-gather'], // A job's data is JSON in Redis.
  },
]

/** How long one run of a peer's program may take. */
const TIMEOUT_MS = 150_000

/** The workloads that peers have, but for those that they lack; `workloads.py` and `promise-workloads.ts` have the same. */
export const PEER_WORKLOADS: ReadonlySet<string> = new Set([
  'noop-map',
  'round-trip',
  'merge',
  'tree',
  'records',
  'shuffle',
  'transfer',
  'scatter-gather',
  'metg',
  'cpu-scaling',
  'startup',
])

export async function isInstalled({ command, args }: Peer): Promise<boolean> {
  try {
    await execute(command, [...args, '--check'])
    return true
  } catch {
    return false
  }
}

/** Runs one workload on the peer. @throws what the program says, when it fails. */
export async function measurePeer(
  { name, command, args }: Peer,
  workload: string,
  params: Readonly<Record<string, number>>,
): Promise<number> {
  const { stdout } = await execute(command, [...args, workload, JSON.stringify(params)], {
    timeout: TIMEOUT_MS,
  })
  const { value } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { value?: unknown }
  if (typeof value !== 'number') throw new Error(`${name} printed no value for ${workload}: ${stdout}`)
  return value
}
