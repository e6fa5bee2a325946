/** One HTTP request with whatever headers a test wants; `fetch` would not let it choose `Host` and `Origin`. */
import { request, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http'
import { text } from 'node:stream/consumers'

export interface HttpAnswer {
  readonly statusCode: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface HttpQuestion {
  readonly host?: string
  readonly port: number
  readonly path: string
  readonly method?: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string
}

export function ask({
  host = '127.0.0.1',
  port,
  path,
  method = 'GET',
  headers = {},
  body,
}: HttpQuestion): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path, method, headers, agent: false }, (response) => {
      const { statusCode = 0, headers: answered } = response
      text(response).then((read) => resolve({ statusCode, headers: answered, body: read }), reject)
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

/** Asks for a WebSocket, and gives the status code of the answer: 101 when it was granted. */
export function askForUpgrade({
  host = '127.0.0.1',
  port,
  path = '/',
  headers = {},
}: Omit<HttpQuestion, 'path'> & { readonly path?: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    const upgrade = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    }
    const asked = request({ host, port, path, headers: { ...upgrade, ...headers }, agent: false })
    asked.on('error', reject)
    asked.on('upgrade', (_response, socket) => {
      socket.destroy()
      resolve(101)
    })
    asked.on('response', (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    asked.end()
  })
}
