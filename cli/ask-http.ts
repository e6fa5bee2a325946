/** One request to a scheduler's HTTP side, which is on the port that clients and workers connect to. */
import { request as requestPlain, type IncomingHttpHeaders } from 'node:http'
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
 * @throws {TimeoutError} when the whole answer takes longer than `timeoutMs`.
 */
export function askHttp({ address, method = 'GET', path, token, tls, timeoutMs }: HttpQuestion): Promise<HttpAnswer> {
  const url = httpUrl(address, path)
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const signal = AbortSignal.timeout(timeoutMs)
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => {
      if (signal.aborted)
        reject(new TimeoutError(`${address} did not answer in ${timeoutMs} ms; try again, or wait longer.`))
      else
        reject(
          new SchedulerUnreachableError(`Nothing answers at ${address} (${cause.message}); is the scheduler up?`, {
            cause,
          }),
        )
    }
    const send = url.protocol === 'https:' ? requestEncrypted : requestPlain
    const outgoing = send(url, { method, headers, signal, agent: false, ...tls }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => {
        body += text
        if (body.length > MAX_BODY_CHARACTERS) outgoing.destroy(new Error('the answer has no end'))
      })
      response.once('error', fail)
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
    outgoing.once('error', fail)
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
