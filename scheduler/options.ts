/** What a scheduler can be told, and the one place where that is checked and completed. */
import { isIPv6 } from 'node:net'
import type { Log } from '../common/node/log.js'
import { formatDuration } from '../common/units.js'
import { HeddleError } from '../protocol/errors.js'
import { MAX_CLIENT_GRACE_MS, MIN_CLIENT_GRACE_MS } from '../protocol/limits.js'
import { checkTls, type TlsOptions } from '../protocol/transport/tls.js'
import { readKeptToken } from './kept-token.js'
import { newToken } from './role-token.js'

export const DEFAULT_HOST = '127.0.0.1'
export const DEFAULT_PORT = 8786

export interface SchedulerOptions {
  /** The address to listen on. Any but loopback needs a token, which is made if none is given, or certificates of those who connect. */
  readonly host?: string | undefined
  /** 0 takes a free one. */
  readonly port?: number | undefined
  /** What clients, workers and browsers must show. */
  readonly token?: string | undefined
  /**
   * Encrypts what goes over the port: its certificate `cert` with its `key`. With `ca` whoever connects must show a
   * certificate that this one has signed.
   */
  readonly tls?: TlsOptions | undefined
  /** A socket that listens on loopback already and replaces `host` and `port`: its file descriptor. */
  readonly listener?: { readonly fd: number } | undefined
  /** Where it keeps what must outlive it; without it nothing does. */
  readonly stateDir?: string | undefined
  /** When what must outlive it counts as kept: `soon` (once the system has it; the disk soon has), or once the disk has it. */
  readonly sync?: 'soon' | 'always' | undefined
  /** How long a client that lost its connection may be away, from 1,000; only with a `stateDir`. Default: 60,000. */
  readonly clientGraceMs?: number | undefined
  /** Refuses clients and workers that run another major version of Node. */
  readonly strictVersions?: boolean | undefined
  readonly log: Log
  /** Told of a bug of ours that ended the scheduler; the process should end too. */
  readonly onCrash: (error: unknown) => void
}

export interface ResolvedSchedulerOptions extends SchedulerOptions {
  readonly host: string
  readonly port: number
  /** The token was made here: nobody knows it yet. */
  readonly isTokenNew: boolean
}

/** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` */
export function resolveSchedulerOptions(given: SchedulerOptions): ResolvedSchedulerOptions {
  const host = (given.host ?? DEFAULT_HOST).replace(/^\[(.*)\]$/, '$1')
  const port = given.port ?? DEFAULT_PORT
  if (host === '' || /[\s/]/.test(host)) {
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', `"${host}" is no host to listen on; give an address or a name.`)
  }
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', `${port} is no port; give a whole number from 0 to 65535.`)
  }
  if (given.token !== undefined && !/^[\x21-\x7e]+$/.test(given.token)) {
    const message = 'The token is empty or has characters that no HTTP header may have; use letters, digits and -_.'
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
  }
  if (given.tls !== undefined) {
    checkTls('the scheduler', given.tls)
    if (given.tls.cert === undefined) {
      const message = 'A scheduler encrypts with a certificate of its own; give --tls-cert and --tls-key too.'
      throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
    }
  }
  checkClientGrace(given)
  const wantsToken = given.token === undefined && given.tls?.ca === undefined && !isLoopback(host)
  const kept = wantsToken && given.stateDir !== undefined ? readKeptToken(given.stateDir) : undefined
  const isTokenNew = wantsToken && kept === undefined
  return Object.freeze({ ...given, host, port, isTokenNew, token: isTokenNew ? newToken() : (given.token ?? kept) })
}

function checkClientGrace({ clientGraceMs: graceMs, stateDir }: SchedulerOptions): void {
  if (graceMs === undefined) return
  if (stateDir === undefined) {
    const message =
      'A scheduler that keeps no state has nothing for clients that come back; give it a state directory, or no client grace.'
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
  }
  if (graceMs >= MIN_CLIENT_GRACE_MS && graceMs <= MAX_CLIENT_GRACE_MS) return
  const message = `A client grace of ${formatDuration(graceMs)} is none that there can be; give one from 1s to 1d.`
  throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
}

/** Can nobody but this machine reach it? A name other than `localhost` may point anywhere. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** Host and port as they stand in a URL. */
export function authority(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`
}
