/** From an address, a cluster or nothing to a client. */
import { SchedulerUnreachableError, TimeoutError } from '../protocol/errors.js'
import type { CodeHash } from '../protocol/ids.js'
import { HANDSHAKE_TIMEOUT_MS, HOLDER_DIAL_TIMEOUT_MS } from '../protocol/limits.js'
import type { Socket } from '../protocol/transport/socket.js'
import { checkTls, type TlsOptions } from '../protocol/transport/tls.js'
import { dial } from '../protocol/transport/websocket.js'
import { Client } from './client.js'
import { checkOptionNames, checkTimeout, describe, invalidOption } from './options.js'
import { openSession } from './session.js'
import type { TaskFunction } from './templates.js'

/** Options of {@link connect}. */
export interface ConnectOptions {
  /** The token that the scheduler was started with. Default: that of the given cluster, else `HEDDLE_TOKEN`. */
  readonly token?: string | undefined
  /** Certificates, for a scheduler that encrypts (`wss:`). */
  readonly tls?: TlsOptions | undefined
  /** What logs and the status page call this client. */
  readonly name?: string | undefined
  /** How long to try. Default: 10,000; 60,000 for a cluster that is started for the client. */
  readonly timeoutMs?: number | undefined
  /** Gives up with this signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** A cluster that a client can connect to, such as a `LocalCluster`. */
export interface Cluster {
  /** Where its scheduler listens. */
  readonly address: string
  /** What its scheduler wants to be shown, if anything. */
  readonly token?: string | undefined
}

interface ResolvedOptions {
  /** As given: the default depends on the target. */
  readonly token: string | undefined
  readonly tls: TlsOptions | undefined
  readonly name: string
  readonly timeoutMs: number
  /** For starting a cluster, which takes longer than to reach one; `undefined` when the caller gave none. */
  readonly startTimeoutMs: number | undefined
  readonly signal: AbortSignal | undefined
}

/** How one cluster is reached. */
interface Route {
  readonly address: string
  dialScheduler(): Promise<Socket>
  /** As `dialScheduler`, after a cut. */
  redial(signal: AbortSignal): Promise<Socket>
  dialHolder(address: string, signal: AbortSignal): Promise<Socket>
  /** Told of the caller's functions, by their code. */
  readonly onFunction?: (code: CodeHash, fn: TaskFunction) => void
  /** Ends a cluster that was started for this client. */
  close(): Promise<void>
}

/**
 * Connects to a cluster.
 *
 * - Without a target: to `HEDDLE_ADDRESS` if that is set, else to a cluster of its own, on this machine: a scheduler and
 *   workers as child processes, which end with the client or with this process.
 * - With an address such as `ws://10.0.0.5:8786`: to that scheduler.
 * - With `'inline:'`: to a cluster inside this thread, for debugging: tasks stop at breakpoints.
 * - With a cluster: to that one. It stays when the client closes.
 *
 * @throws {SchedulerUnreachableError} when nothing answers there within `timeoutMs`.
 * @throws {AuthenticationError} when the token is not that of the scheduler.
 * @throws {VersionMismatchError} when the scheduler speaks no version of the protocol that this package speaks.
 * @example
 * ```ts
 * import { connect } from 'heddle'
 *
 * await using client = await connect()
 * console.log(await client.submit((name: string) => `Hello ${name}`, 'world')) // => Hello world
 * ```
 */
export async function connect(options?: ConnectOptions): Promise<Client>
export async function connect(target: string | Cluster | undefined, options?: ConnectOptions): Promise<Client>
export async function connect(first?: string | Cluster | ConnectOptions, second?: ConnectOptions): Promise<Client> {
  const isTarget = typeof first === 'string' || isCluster(first)
  const target = isTarget ? first : textOrNothing(process.env['HEDDLE_ADDRESS'])
  const options = resolveOptions((isTarget ? second : (second ?? first)) ?? {})
  options.signal?.throwIfAborted()
  const route = await routeTo(target, options)
  try {
    return await open(route, options)
  } catch (error) {
    await route.close()
    throw error
  }
}

async function open(route: Route, { name, timeoutMs, signal }: ResolvedOptions): Promise<Client> {
  const socket = await route.dialScheduler()
  const session = await openSession({ ...route, socket, name, timeoutMs, signal })
  const close = async (): Promise<void> => {
    await session.close()
    await route.close()
  }
  let closed: Promise<void> | undefined
  return new Client(session, () => (closed ??= close()))
}

async function routeTo(target: string | Cluster | undefined, options: ResolvedOptions): Promise<Route> {
  const targetAddress = typeof target === 'string' ? target : target?.address
  if (options.tls !== undefined && targetAddress?.startsWith('wss:') !== true) {
    throw invalidOption('tls is for a scheduler that encrypts; give its address, like wss://10.0.0.5:8786.')
  }
  if (target === 'inline:') return await routeToInline()
  if (target !== undefined) {
    const cluster = typeof target === 'string' ? { address: target } : target
    const token = options.token ?? cluster.token ?? textOrNothing(process.env['HEDDLE_TOKEN'])
    return webSocketRoute(cluster.address, { ...options, token }, () => Promise.resolve())
  }
  // Loaded on first use: programs with a scheduler elsewhere need none of it.
  const { LocalCluster } = await import('../deploy/local-cluster.js')
  const { signal, startTimeoutMs } = options
  const cluster = await LocalCluster.start({ signal, timeoutMs: startTimeoutMs }).catch((error: unknown): never => {
    if (!(error instanceof TimeoutError) || error === signal?.reason) throw error
    throw new SchedulerUnreachableError(error.message, { cause: error })
  })
  return webSocketRoute(cluster.address, { ...options, token: undefined }, () => cluster.close())
}

function webSocketRoute(address: string, options: ResolvedOptions, close: () => Promise<void>): Route {
  const { token, tls, timeoutMs, signal } = options
  return {
    address,
    dialScheduler: () => dial(address, { token, tls, timeoutMs, signal }),
    redial: (giveUp) => dial(address, { token, tls, timeoutMs, signal: giveUp }),
    dialHolder: (holder, giveUp) =>
      dial(holder, { tls, signal: giveUp, timeoutMs: HOLDER_DIAL_TIMEOUT_MS, isBulk: true }),
    close,
  }
}

async function routeToInline(): Promise<Route> {
  const [{ startInlineCluster }, { createLog }] = await Promise.all([
    import('../deploy/inline.js'),
    import('../common/node/log.js'),
  ])
  const functions = new Map<CodeHash, (...args: unknown[]) => unknown>()
  const cluster = await startInlineCluster({
    log: createLog({ level: 'warn', format: 'text', name: 'inline' }),
    functionOf: (code) => functions.get(code),
    // A bug of ours. Nothing can catch it, and nothing should go on without being told.
    onCrash: (error) =>
      setImmediate(() => {
        throw error
      }),
  })
  return {
    address: 'inline:',
    dialScheduler: () => cluster.dialScheduler(),
    redial: () => cluster.dialScheduler(),
    dialHolder: (address) => cluster.dialWorker(address),
    // The caller's own function runs, so its breakpoints hold. Like any task it is called with what was encoded for it.
    onFunction: (code, fn) => functions.set(code, fn as (...args: unknown[]) => unknown),
    close: () => cluster.close(),
  }
}

function resolveOptions(given: ConnectOptions): ResolvedOptions {
  checkOptionNames('connect()', given, ['token', 'tls', 'name', 'timeoutMs', 'signal'])
  const { token, tls, name = `client-${process.pid}`, signal } = given
  const { timeoutMs = HANDSHAKE_TIMEOUT_MS } = given
  if (token !== undefined && typeof token !== 'string') throw invalidOption('token must be a text.')
  if (typeof name !== 'string' || name === '' || name.length > 200) {
    throw invalidOption(`name is ${describe(name)}; give a text of 1 to 200 characters.`)
  }
  checkTimeout(timeoutMs)
  if (tls !== undefined) checkTlsOption(tls)
  return { token, tls, name, timeoutMs, startTimeoutMs: given.timeoutMs, signal }
}

function checkTlsOption(tls: unknown): void {
  if (typeof tls !== 'object' || tls === null) throw invalidOption(`tls is ${describe(tls)}; give { ca, cert, key }.`)
  checkTls('connect()', tls)
}

function isCluster(value: unknown): value is Cluster {
  return typeof value === 'object' && value !== null && typeof (value as Partial<Cluster>).address === 'string'
}

/** An empty variable is as good as none. */
function textOrNothing(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
