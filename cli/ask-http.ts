/** Requests to a scheduler's HTTP side, which is on the port that clients and workers connect to. */
import { request as requestPlain, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as requestEncrypted } from 'node:https'
import { HeddleError, SchedulerUnreachableError, TimeoutError } from '../protocol/errors.js'
import type { TlsTexts } from './tls-files.js'

export interface HttpQuestion {
  /** As in `ws://10.0.0.5:8786`. */
  readonly address: string
  readonly method?: 'GET' | 'POST'
  /** As in `/health`. */
  readonly path: string
  readonly token?: string | undefined
  readonly tls?: TlsTexts | undefined
  /** Until the answer begins. */
  readonly timeoutMs: number
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** More than any answer of a scheduler has. */
const MAX_BODY_CHARACTERS = 64 * 1024 * 1024

/**
 * @throws {SchedulerUnreachableError} when nothing answers there.
 * @throws {TimeoutError} when no answer begins within `timeoutMs`.
 */
export async function askHttp(question: HttpQuestion): Promise<HttpAnswer> {
  const response = await openHttp(question)
  let body = ''
  response.setEncoding('utf8')
  for await (const text of response as AsyncIterable<string>) {
    body += text
    if (body.length > MAX_BODY_CHARACTERS)
      throw new SchedulerUnreachableError(`The answer of ${question.address} has no end.`)
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body }
}

/** Until the answer begins; its body is the caller's to read. */
function openHttp({ address, method = 'GET', path, token, tls, timeoutMs }: HttpQuestion): Promise<IncomingMessage> {
  const url = httpUrl(address, path)
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? requestEncrypted : requestPlain
    const outgoing = send(url, { method, headers, agent: false, ...tls }, resolve)
    const timer = setTimeout(() => {
      reject(new TimeoutError(`${address} did not answer in ${timeoutMs} ms; try again, or wait longer.`))
      outgoing.destroy()
    }, timeoutMs)
    outgoing.once('response', () => clearTimeout(timer))
    outgoing.once('error', (cause) => {
      clearTimeout(timer)
      const message = `Nothing answers at ${address} (${cause.message}); is the scheduler up?`
      reject(new SchedulerUnreachableError(message, { cause }))
    })
    outgoing.end()
  })
}

function httpUrl(address: string, path: string): URL {
  if (!/^wss?:\/\/[^/]/.test(address) || !URL.canParse(address)) {
    const message = `"${address}" is no address of a scheduler; write it like ws://127.0.0.1:8786.`
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
  }
  return new URL(path, address.replace(/^ws/, 'http'))
}
