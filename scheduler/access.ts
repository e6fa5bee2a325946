/**
 * Who may talk to the scheduler, and what they may do. Two dangers are met here: a stranger on the network, who lacks a
 * token, and a web page in the developer's own browser, which could reach a loopback port but cannot choose its `Origin`
 * and `Host`.
 */
import { createHmac } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isSame, readRoleToken, type Grant, type TokenRole } from './role-token.js'

/** Why a request is refused for the address that it came by. */
export type AddressRefusal = 'foreign-origin' | 'foreign-host'

/** What a request shows. */
export interface Shown {
  readonly grant: Grant
  /** By the cookie of a browser, which other pages can make it send, and not by a header. */
  readonly isCookie: boolean
}

export interface AccessOptions {
  /** The scheduler's own token; `undefined` for one that wants none. */
  readonly token: string | undefined
  readonly port: number
  readonly isEncrypted: boolean
  /** Whoever gets this far has shown a certificate. */
  readonly hasCertificates: boolean
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'] as const
const COOKIE_SECONDS = 30 * 24 * 60 * 60
const EVERYTHING: Shown = Object.freeze({ grant: 'all', isCookie: false })

export class Access {
  readonly #token: string | undefined
  readonly #isEncrypted: boolean
  readonly #cookieName: string
  readonly #allowedHosts: ReadonlySet<string> | undefined

  constructor({ token, port, isEncrypted, hasCertificates }: AccessOptions) {
    this.#token = token
    this.#isEncrypted = isEncrypted
    // Browsers share cookies between the ports of a host, and several schedulers may run there.
    this.#cookieName = `heddle_${port}`
    if (token === undefined && !hasCertificates) this.#allowedHosts = loopbackHosts(port)
  }

  /** Checks only by which address a request came, and from which page. */
  refuseAddress(headers: IncomingHttpHeaders): AddressRefusal | undefined {
    const { host, origin } = headers
    if (host === undefined) return 'foreign-host'
    if (this.#allowedHosts !== undefined && !this.#allowedHosts.has(host.toLowerCase())) return 'foreign-host'
    if (origin === undefined) return isAskedByPage(headers) ? 'foreign-origin' : undefined
    // A proxy in front may encrypt where we don't.
    return origin.toLowerCase().replace(/^https?:\/\//, '') === host.toLowerCase() ? undefined : 'foreign-origin'
  }

  /** What the token in the header `Authorization` opens. All that upgrades may show. */
  grantOf({ authorization }: IncomingHttpHeaders): Grant | undefined {
    if (this.#token === undefined) return 'all'
    const match = /^Bearer +(\S+)$/i.exec(authorization ?? '')
    return match === null ? undefined : this.grantOfToken(match[1]!)
  }

  /** As `grantOf`, or by the cookie of a browser that had a token. */
  shownBy(headers: IncomingHttpHeaders): Shown | undefined {
    if (this.#token === undefined) return EVERYTHING
    const grant = this.grantOf(headers)
    if (grant !== undefined) return { grant, isCookie: false }
    const byCookie = this.#grantOfCookie(headers)
    return byCookie === undefined ? undefined : { grant: byCookie, isCookie: true }
  }

  /** Compares in constant time. Everything is open on a scheduler that wants no token. */
  grantOfToken(given: string): Grant | undefined {
    if (this.#token === undefined || isSame(given, this.#token)) return 'all'
    return readRoleToken(this.#token, given, nowInSeconds())?.role
  }

  /** The header `Set-Cookie` for a browser that shows this token; `undefined` if it opens no page. */
  cookieFor(given: string): string | undefined {
    const grant = this.grantOfToken(given)
    if (grant === undefined || grant === 'worker') return undefined
    const endsAtS = this.#token === undefined ? 0 : (readRoleToken(this.#token, given, nowInSeconds())?.expiresAtS ?? 0)
    const livesForS = endsAtS === 0 ? COOKIE_SECONDS : Math.min(COOKIE_SECONDS, endsAtS - nowInSeconds())
    const signed = `${grant === 'all' ? 'client' : grant}.${(nowInSeconds() + livesForS).toString(36)}`
    const value = `${signed}.${this.#signatureOf(signed)}`
    const secure = this.#isEncrypted ? '; Secure' : ''
    return `${this.#cookieName}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${livesForS}${secure}`
  }

  #grantOfCookie({ cookie }: IncomingHttpHeaders): TokenRole | undefined {
    const start = `${this.#cookieName}=`
    for (const pair of (cookie ?? '').split('; ')) {
      if (!pair.startsWith(start)) continue
      const [role, expires = '', signature = ''] = pair.slice(start.length).split('.')
      if (!isSame(signature, this.#signatureOf(`${role}.${expires}`))) continue
      if (parseInt(expires, 36) <= nowInSeconds()) continue
      if (role === 'client' || role === 'viewer') return role
    }
    return undefined
  }

  /** What is in a cookie opens pages and no connection: a token has another signature. */
  #signatureOf(signed: string): string {
    return createHmac('sha256', this.#token ?? '')
      .update(`status page ${signed}`)
      .digest('base64url')
  }
}

/** Does a page of somebody else's ask, by an image or a form, say, which has no `Origin`? To be led here by a link is fine. */
function isAskedByPage(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return false
  return headers['sec-fetch-mode'] !== 'navigate' || headers['sec-fetch-dest'] !== 'document'
}

/** What `Host` says when a request is really for this machine, and not for a name that was made to point here. */
function loopbackHosts(port: number): ReadonlySet<string> {
  const hosts = LOOPBACK_NAMES.map((name) => `${name}:${port}`)
  return new Set(port === 80 || port === 443 ? [...hosts, ...LOOPBACK_NAMES] : hosts)
}

function nowInSeconds(): number {
  return Math.floor(Date.now() / 1_000)
}
