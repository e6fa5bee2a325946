/**
 * Who may talk to the scheduler. Two dangers are met here: a stranger on the network, who lacks the token, and a web page
 * in the developer's own browser, which could reach a loopback port but cannot choose its `Origin` and `Host`.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** Why a request is refused: by whose address it came, or for want of the token. */
export type Refusal = 'foreign-origin' | 'foreign-host' | 'no-token'

const TOKEN_BYTES = 24
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'] as const

export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url')
}

export class Access {
  readonly #token: string | undefined
  readonly #cookieName: string
  /** What the cookie holds: proof that the browser once had the token, which opens the pages and nothing else. */
  readonly #cookieValue: string
  readonly #allowedHosts: ReadonlySet<string> | undefined

  /** @param token - `undefined` for a listener on loopback that wants none. */
  constructor(token: string | undefined, port: number) {
    this.#token = token
    // Browsers share cookies between the ports of a host, and several schedulers may run there.
    this.#cookieName = `heddle_${port}`
    this.#cookieValue = createHmac('sha256', token ?? '')
      .update('status page')
      .digest('base64url')
    if (token === undefined) this.#allowedHosts = loopbackHosts(port)
  }

  /** Checks a WebSocket upgrade: a client or a worker, which brings the token in a header. */
  refuseUpgrade(headers: IncomingHttpHeaders): Refusal | undefined {
    return this.refuseAddress(headers) ?? (this.#hasToken(headers) ? undefined : 'no-token')
  }

  /** Checks an HTTP request: the token in a header, or the cookie of a browser that had it. */
  refuseRequest(headers: IncomingHttpHeaders): Refusal | undefined {
    return this.refuseAddress(headers) ?? (this.#hasToken(headers) || this.#hasCookie(headers) ? undefined : 'no-token')
  }

  /** Checks only by which address a request came. */
  refuseAddress({ host, origin }: IncomingHttpHeaders): Refusal | undefined {
    if (host === undefined) return 'foreign-host'
    if (this.#allowedHosts !== undefined && !this.#allowedHosts.has(host.toLowerCase())) return 'foreign-host'
    if (origin === undefined) return undefined // Not a browser, or a page that is not read by a script.
    return origin.toLowerCase() === `http://${host.toLowerCase()}` ? undefined : 'foreign-origin'
  }

  /** Compares in constant time. Always true on a listener that wants no token. */
  isToken(given: string): boolean {
    return this.#token === undefined || isSame(given, this.#token)
  }

  /** The `Set-Cookie` header for a browser that showed the token. */
  get setCookie(): string {
    return `${this.#cookieName}=${this.#cookieValue}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000`
  }

  #hasToken({ authorization }: IncomingHttpHeaders): boolean {
    if (this.#token === undefined) return true
    const match = /^Bearer +(\S+)$/i.exec(authorization ?? '')
    return match !== null && this.isToken(match[1]!)
  }

  #hasCookie({ cookie }: IncomingHttpHeaders): boolean {
    const start = `${this.#cookieName}=`
    return (cookie ?? '')
      .split('; ')
      .some((pair) => pair.startsWith(start) && isSame(pair.slice(start.length), this.#cookieValue))
  }
}

/** What `Host` says when a request is really for this machine, and not for a name that was made to point here. */
function loopbackHosts(port: number): ReadonlySet<string> {
  const hosts = LOOPBACK_NAMES.map((name) => `${name}:${port}`)
  return new Set(port === 80 ? [...hosts, ...LOOPBACK_NAMES] : hosts)
}

/** In constant time, whatever the lengths: digests are compared. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHmac('sha256', 'compare').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}
