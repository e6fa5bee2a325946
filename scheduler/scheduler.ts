/** The scheduler as a whole: its core, the connections of clients and workers, and the port where they come in. */
import { randomBytes, randomInt } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import { packageVersion } from '../common/node/package-version.js'
import { ARRAY_LEASE, arrayId } from '../protocol/ids.js'
import { Access } from './access.js'
import { createSchedulerMachine } from './core/machine.js'
import { FrontDoor } from './front-door.js'
import { authority, resolveSchedulerOptions, type SchedulerOptions } from './options.js'
import { Sessions } from './sessions.js'
import { StatusStream } from './status-stream.js'

export interface RunningScheduler extends AsyncDisposable {
  /** Where clients and workers connect: `ws://127.0.0.1:8786`. */
  readonly address: string
  readonly port: number
  /** The address of the status page, without the token. */
  readonly statusPage: string
  /** The token that was made because none was given, for whoever may see it. */
  readonly newToken: string | undefined
  /** Closes every connection and the port. A second call does nothing more. */
  close(): Promise<void>
}

/**
 * Starts a scheduler in this process.
 *
 * @throws {HeddleError} `ERR_HEDDLE_PORT_IN_USE`, `ERR_HEDDLE_INVALID_OPTION`.
 */
export async function startScheduler(given: SchedulerOptions): Promise<RunningScheduler> {
  const options = resolveSchedulerOptions(given)
  const { host, token, tls, log } = options
  const machine = createMachine()
  const sessions = new Sessions({ machine, log, onCrash: options.onCrash })
  const stream = new StatusStream({
    cluster: () => machine.watched(sessions.nowMs),
    connections: () => sessions.connections,
    watchRuns: (onRuns) => sessions.watchRuns(onRuns),
    nowMs: () => sessions.nowMs,
  })
  const door = new FrontDoor({
    tls,
    access: (port) =>
      new Access({ token, port, isEncrypted: tls !== undefined, hasCertificates: tls?.ca !== undefined }),
    onSocket: (socket, grant) => sessions.accept(socket, grant),
    viewers: stream,
    loadPages: async (access) => {
      const { createPages } = await import('./pages.js')
      return await createPages({ access, currentStatus: () => machine.statusOf(sessions.nowMs) })
    },
    onError: (error) => log.error({ err: error }, 'the HTTP server failed'),
  })
  const port = await door.open(options.listener ?? { host, port: options.port })

  const closeAll = async (): Promise<void> => {
    sessions.close()
    stream.close()
    await door.close()
  }
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => (closed ??= closeAll())
  const reachable = authority(reachableHost(host), port)
  return {
    address: `${tls === undefined ? 'ws' : 'wss'}://${reachable}`,
    port,
    statusPage: `${tls === undefined ? 'http' : 'https'}://${reachable}/`,
    newToken: options.isTokenNew ? token : undefined,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Half of all ids are left above the highest first one. */
const MAX_FIRST_LEASE = 2 ** 24

/** The core, as this package and this process set it up. */
export function createMachine(): ReturnType<typeof createSchedulerMachine> {
  return createSchedulerMachine({
    peerSecret: randomBytes(24).toString('base64url'),
    seed: randomInt(2 ** 32),
    firstArray: arrayId(randomInt(1, MAX_FIRST_LEASE) * ARRAY_LEASE),
    startedAtMs: performance.now(),
    packageVersion: packageVersion(),
    nodeVersion: process.version,
  })
}

/** Where others reach a scheduler that listens on `host`: every address of the machine is none that they could dial. */
function reachableHost(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const outer = addresses.find(({ internal, family }) => !internal && family === 'IPv4')
  return outer?.address ?? '127.0.0.1'
}
