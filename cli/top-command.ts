/** `heddle top`: what a cluster does, drawn anew every second until it is left. */
import { onShutdown } from '../common/node/shutdown.js'
import { HeddleError } from '../protocol/errors.js'
import type { ClusterStatus } from '../protocol/messages/status.js'
import { openHttp } from './ask-http.js'
import { readToken, schedulerAddress } from './defaults.js'
import { eventsOf } from './http-events.js'
import { readTls, type TlsArguments } from './tls-files.js'
import { drawTop, HISTORY } from './top-screen.js'

export interface TopArguments extends TlsArguments {
  readonly json?: true
  /** In milliseconds. */
  readonly timeout: number
  readonly tokenFile?: string
}

/** The terminal's second screen, without a cursor; and back to what was there before. */
const ENTER = '\u001b[?1049h\u001b[?25l'
const LEAVE = '\u001b[?25h\u001b[?1049l'
const HOME = '\u001b[H'
const REST_OF_LINE = '\u001b[K'
const REST_OF_SCREEN = '\u001b[J'
/** What a terminal is that does not say. */
const USUAL_SIZE = { columns: 80, rows: 24 }

/** With `json`, or where the output is no terminal, a line of JSON every second. */
export async function watchCluster(given: string | undefined, options: TopArguments): Promise<void> {
  const address = schedulerAddress(given)
  const response = await openHttp({
    address,
    path: '/api/v1/status/stream',
    token: await readToken(options.tokenFile),
    tls: await readTls(options),
    timeoutMs: options.timeout,
  })
  if (response.statusCode !== 200) {
    response.resume()
    const isStranger = response.statusCode === 401 || response.statusCode === 403
    const message = isStranger
      ? `${address} wants another token; give it by --token-file or HEDDLE_TOKEN.`
      : `${address} answered ${response.statusCode}; too many may look on, or it is another version of heddle.`
    throw new HeddleError(isStranger ? 'ERR_HEDDLE_AUTHENTICATION' : 'ERR_HEDDLE_PROTOCOL', message)
  }
  let isLeft = false
  const leave = (): void => {
    isLeft = true
    response.destroy()
  }
  onShutdown({ gracefully: leave, atOnce: leave })
  const { stdout } = process
  const isScreen = stdout.isTTY && options.json !== true
  const history: number[] = []
  if (isScreen) {
    stdout.write(ENTER)
    onKey(leave)
  }
  try {
    for await (const event of eventsOf(response)) {
      const status = JSON.parse(event) as ClusterStatus
      history.push(status.tasksPerSecond)
      if (history.length > HISTORY) history.shift()
      if (!isScreen) {
        stdout.write(`${event}\n`)
        continue
      }
      const { columns = USUAL_SIZE.columns, rows = USUAL_SIZE.rows } = stdout
      const lines = drawTop(address, status, history, { columns, rows: rows - 1 })
      stdout.write(`${HOME}${lines.map((line) => `${line}${REST_OF_LINE}\n`).join('')}${REST_OF_SCREEN}`)
    }
  } catch (cause) {
    if (!isLeft) throw lost(address, cause)
  } finally {
    if (isScreen) {
      if (process.stdin.isTTY) process.stdin.setRawMode(false).pause()
      stdout.write(LEAVE)
    }
  }
  if (!isLeft) throw lost(address)
}

function lost(address: string, cause?: unknown): HeddleError {
  const message = `The connection to ${address} ended; see whether the scheduler is up.`
  return new HeddleError('ERR_HEDDLE_CONNECTION_LOST', message, { cause })
}

/** `q`, Escape or Ctrl-C, which a raw terminal does not turn into a signal. */
function onKey(leave: () => void): void {
  const { stdin } = process
  if (!stdin.isTTY) return
  stdin.setRawMode(true)
  stdin.on('data', (key: Buffer) => {
    if (['q', '\u0003', '\u001b'].includes(key.toString())) leave()
  })
}
