/** The scheduler as a whole: its core, the connections of clients and workers, and the port where they come in. */
import { randomBytes, randomInt } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import { present } from '../common/assert.js'
import { packageVersion } from '../common/node/package-version.js'
import { HeddleError } from '../protocol/errors.js'
import { ARRAY_LEASE, arrayId } from '../protocol/ids.js'
import type { JournalView } from '../protocol/messages/watch.js'
import { Access } from './access.js'
import { createSchedulerMachine, type SchedulerMachine } from './core/machine.js'
import { FrontDoor } from './front-door.js'
import type { SchedulerConfig } from './core/state.js'
import { Journal } from './journal/journal.js'
import { KeptState } from './journal/kept-state.js'
import { authority, resolveSchedulerOptions, type ResolvedSchedulerOptions, type SchedulerOptions } from './options.js'
import { keepToken } from './kept-token.js'
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
  let interior: Interior | undefined
  const open = (): Interior => present(interior, 'an open scheduler')
  const nowMs = (): number => open().sessions.nowMs
  const stream = new StatusStream({
    cluster: () => open().machine.watched(nowMs()),
    connections: () => open().sessions.connections,
    journal: () => open().journal(),
    watch: (watcher) => open().sessions.watch(watcher),
    errors: () => open().machine.errorsOf(nowMs()),
    graph: () => open().machine.taskGraphOf(nowMs()),
    task: (key) => open().machine.detailsOf(nowMs(), key),
    nowMs,
  })
  const door = new FrontDoor({
    tls,
    access: (port) =>
      new Access({ token, port, isEncrypted: tls !== undefined, hasCertificates: tls?.ca !== undefined }),
    onSocket: (socket, grant) => open().sessions.accept(socket, grant),
    viewers: stream,
    loadPages: async (access) => {
      const { createPages } = await import('./pages.js')
      const { machine, sessions, journal } = open()
      return await createPages({ access, machine, sessions, journal })
    },
    onError: (error) => log.error({ err: error }, 'the HTTP server failed'),
  })
  const port = await door.open(options.listener ?? { host, port: options.port })
  try {
    // Only who has the port takes the state; and until that was read nobody gets in, for it is read in one go.
    interior = openInterior(options)
    if (options.isTokenNew && options.stateDir !== undefined) keepToken(options.stateDir, token!)
  } catch (error) {
    await door.close()
    throw error
  }

  const closeAll = async (): Promise<void> => {
    interior.close()
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

/** The core, and who is connected to it. */
interface Interior {
  readonly machine: SchedulerMachine
  readonly sessions: Sessions
  readonly journal: () => JournalView | undefined
  close(): void
}

function openInterior(options: ResolvedSchedulerOptions): Interior {
  const { log, onCrash, stateDir, sync, clientGraceMs, strictVersions } = options
  if (stateDir === undefined) {
    const machine = createMachine()
    const sessions = new Sessions({ machine, log, onCrash, strictVersions })
    return { machine, sessions, journal: () => undefined, close: () => sessions.close() }
  }
  // Nobody is told of anything before the state was read, and there are connections.
  const journal = new Journal({
    directory: stateDir,
    keptBy: sync === 'always' ? 'disk' : 'system',
    log,
    onFull: (isFull) => sessions.setJournalFull(isFull),
    onFailed: (cause) => {
      const message = `The journal in ${stateDir} cannot be written any more (${cause.message}); see to the disk, and start again.`
      log.error({ err: cause }, message)
      sessions.close()
      onCrash(new HeddleError('ERR_HEDDLE_FATAL', message, { cause }))
    },
  })
  const config = { ...newConfig(), keepsState: true, ...(clientGraceMs !== undefined && { clientGraceMs }) }
  const state = new KeptState({ journal, log, config })
  const { machine, lastMember } = state
  const sessions = new Sessions({
    machine,
    log,
    onCrash,
    strictVersions,
    lastMember,
    keep: (records, onKept) => state.keep(records, onKept),
  })
  sessions.start()
  return {
    machine,
    sessions,
    journal: () => state.journal,
    close: () => {
      sessions.close()
      state.close()
    },
  }
}

/** Half of all ids are left above the highest first one. */
const MAX_FIRST_LEASE = 2 ** 24

/** The core, as this package and this process set it up. */
export function createMachine(): ReturnType<typeof createSchedulerMachine> {
  return createSchedulerMachine(newConfig())
}

function newConfig(): SchedulerConfig {
  return {
    peerSecret: randomBytes(24).toString('base64url'),
    seed: randomInt(2 ** 32),
    firstArray: arrayId(randomInt(1, MAX_FIRST_LEASE) * ARRAY_LEASE),
    startedAtMs: performance.now(),
    packageVersion: packageVersion(),
    nodeVersion: process.version,
  }
}

/** Where others reach a scheduler that listens on `host`: every address of the machine is none that they could dial. */
function reachableHost(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const outer = addresses.find(({ internal, family }) => !internal && family === 'IPv4')
  return outer?.address ?? '127.0.0.1'
}
