/**
 * What the scheduler answers over HTTP: its health, its status as JSON, and the status page. It is loaded at the first
 * request, because most schedulers are up, and many gone, before anyone looks.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import type * as Fastify from 'fastify'
import { requirePackage } from '../common/node/require-package.js'
import { MAX_HELLO_BYTES } from '../protocol/limits.js'
import type { Access, AddressRefusal } from './access.js'
import { ACTIONS, METRICS_PATH, OPENAPI_PATH, PROFILE, TASK_HISTORY, TASK_VIEW, VIEWS, type Views } from './api.js'
import { addApi, answerError, type ApiOptions } from './api-routes.js'

const { fastify } = requirePackage('fastify') as typeof Fastify

const DASHBOARD = new URL('../dashboard/', import.meta.url)
/** A token and the name of its field. */
const MAX_FORM_BYTES = 4 * 1024

/** Nothing but our own files runs or loads, and no other site may frame or read a page. */
const POLICY = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; img-src data:"
const PAGE_POLICY = `${POLICY}; connect-src 'self'; script-src 'self'; style-src 'self'`
const HEADERS = Object.freeze({
  'Cache-Control': 'no-store',
  'Content-Security-Policy': PAGE_POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
})

type Refusal = AddressRefusal | 'no-token' | 'wrong-role' | 'unsure-origin'

const REFUSALS: Readonly<Record<Refusal, { readonly statusCode: number; readonly message: string }>> = Object.freeze({
  'no-token': { statusCode: 401, message: 'This scheduler wants its token; send it as "Authorization: Bearer TOKEN".' },
  'foreign-host': {
    statusCode: 403,
    message: 'This scheduler answers on loopback only; ask it as localhost or 127.0.0.1, with its port.',
  },
  'foreign-origin': { statusCode: 403, message: 'A page of another site may not talk to this scheduler.' },
  'unsure-origin': {
    statusCode: 403,
    message: 'Only a page of this scheduler may do that, and this request names none.',
  },
  'wrong-role': {
    statusCode: 403,
    message: 'This token is not for that; "heddle token create --role" makes others: client for all, viewer to look.',
  },
})

/** Every route there is; a test compares. */
export const ROUTES: readonly { readonly method: 'GET' | 'POST'; readonly url: string }[] = [
  ...['/health', '/', '/status.js', '/status.css', METRICS_PATH, OPENAPI_PATH, TASK_VIEW.path, TASK_HISTORY.path].map(
    get,
  ),
  ...VIEWS.map(({ path }) => get(path)),
  ...[...ACTIONS.map(({ path }) => path), PROFILE.path, '/'].map((url) => ({ method: 'POST', url }) as const),
]

function get(url: string): { readonly method: 'GET'; readonly url: string } {
  return { method: 'GET', url }
}

export interface PagesOptions {
  readonly access: Access
  readonly machine: Views
  readonly sessions: ApiOptions['sessions']
  readonly journal: ApiOptions['journal']
  /** Told of each route, for a test. */
  readonly onRoute?: (route: { readonly method: string | string[]; readonly url: string }) => void
}

export async function createPages(options: PagesOptions): Promise<RequestListener> {
  const { access, machine, sessions, journal, onRoute } = options
  const [page, script, style, signIn] = await Promise.all([
    readFile(new URL('index.html', DASHBOARD), 'utf8'),
    readFile(new URL('status.js', DASHBOARD), 'utf8'),
    readFile(new URL('status.css', DASHBOARD), 'utf8'),
    readFile(new URL('sign-in.html', DASHBOARD), 'utf8'),
  ])
  const signInPolicy = `${POLICY}; style-src '${hashOfStyle(signIn)}'`
  const askForToken = (reply: Fastify.FastifyReply): void => {
    reply.headers({ 'Content-Security-Policy': signInPolicy, 'WWW-Authenticate': 'Bearer' })
    reply.code(401).type('text/html').send(signIn)
  }
  /** Lets a browser in that shows the token, and takes the token out of its address bar. */
  const enter = (reply: Fastify.FastifyReply, token: string): void => {
    const cookie = access.cookieFor(token)
    if (cookie === undefined) askForToken(reply)
    else reply.header('Set-Cookie', cookie).redirect('/', 303)
  }

  const app = fastify({
    logger: false,
    bodyLimit: MAX_FORM_BYTES,
    routerOptions: { maxParamLength: MAX_HELLO_BYTES }, // No key in an address is longer than the head of a request.
  })
  if (onRoute !== undefined) app.addHook('onRoute', onRoute)
  app.addHook('onRequest', (request, reply, done) => {
    const { method, url, headers } = request
    reply.headers(HEADERS)
    const refusal = access.refuseAddress(headers) ?? (isOpenToAll(method, url) ? undefined : refuse(access, request))
    if (refusal === undefined) return done()
    if (refusal === 'no-token' && isPage(url)) return askForToken(reply)
    const { statusCode, message } = REFUSALS[refusal]
    if (statusCode === 401) reply.header('WWW-Authenticate', 'Bearer')
    answerError(reply, statusCode, 'ERR_HEDDLE_AUTHENTICATION', message)
  })
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, new URLSearchParams(String(body)).get('token') ?? '')
  })
  app.setNotFoundHandler((_request, reply) => {
    answerError(reply, 404, 'ERR_HEDDLE_PROTOCOL', 'There is nothing here; the status page is at /.')
  })
  app.setErrorHandler<Error & { readonly statusCode?: number }>((error, _request, reply) => {
    const statusCode = error.statusCode ?? 500
    const message = statusCode < 500 ? 'The request is malformed or too large.' : 'The scheduler could not answer.'
    answerError(reply, statusCode, 'ERR_HEDDLE_PROTOCOL', message)
  })

  app.get('/health', () => ({ status: 'ok' }))
  addApi(app, { machine, sessions, journal })
  app.get('/status.js', (_request, reply) => {
    reply.type('text/javascript').send(script)
  })
  app.get('/status.css', (_request, reply) => {
    reply.type('text/css').send(style)
  })
  app.get<{ Querystring: { readonly token?: unknown } }>('/', ({ query: { token } }, reply) => {
    if (typeof token === 'string') enter(reply, token)
    else reply.type('text/html').send(page)
  })
  app.post<{ Body: unknown }>('/', ({ body }, reply) => enter(reply, typeof body === 'string' ? body : ''))

  await app.ready()
  return (request, response) => app.routing(request, response)
}

/** Who has no token, or one for other things. What changes something takes one for clients. */
function refuse(access: Access, { method, headers }: Fastify.FastifyRequest): Refusal | undefined {
  const shown = access.shownBy(headers)
  if (shown === undefined) return 'no-token'
  if (shown.grant === 'worker') return 'wrong-role'
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return undefined
  if (shown.grant === 'viewer') return 'wrong-role'
  return shown.isCookie && headers.origin === undefined ? 'unsure-origin' : undefined
}

/** Without the token: the health check, and whoever is about to show the token. */
function isOpenToAll(method: string, url: string): boolean {
  if (method === 'POST') return url === '/'
  return (method === 'GET' || method === 'HEAD') && (url === '/health' || url.startsWith('/?token='))
}

function isPage(url: string): boolean {
  return url === '/' || url.startsWith('/?')
}

/** The sign-in page is all that a stranger gets, so it loads nothing: it has its style inline, which the policy names. */
function hashOfStyle(html: string): string {
  const style = /<style>([^]*?)<\/style>/.exec(html)?.[1] ?? ''
  return `sha256-${createHash('sha256').update(style).digest('base64')}`
}
