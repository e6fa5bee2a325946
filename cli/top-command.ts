/** `heddle top`: what a cluster does, drawn anew every second until it is left. */
import { setTimeout as pause } from 'node:timers/promises'
import { onShutdown } from '../common/node/shutdown.js'
import { HeddleError } from '../protocol/errors.js'
import type { ClusterStatus } from '../protocol/messages/status.js'
import { askHttp, type HttpAnswer } from './ask-http.js'
import { readToken, schedulerAddress } from './defaults.js'
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
/** How often it looks. */
const INTERVAL_MS = 1_000
/** What a terminal is that does not say. */
const USUAL_SIZE = { columns: 80, rows: 24 }

/** With `json`, or where the output is no terminal, a line of JSON every second. */
export async function watchCluster(given: string | undefined, options: TopArguments): Promise<void> {
  const address = schedulerAddress(given)
  const token = await readToken(options.tokenFile)
  const tls = await readTls(options)
  const ask = (): Promise<HttpAnswer> =>
    askHttp({ address, path: '/api/v1/status', token, tls, timeoutMs: options.timeout })
  const first = await ask()
  if (first.status !== 200) throw refused(address, first.status)
  const left = new AbortController()
  const leave = (): void => left.abort()
  onShutdown({ gracefully: leave, atOnce: leave })
  const { stdout } = process
  const isScreen = stdout.isTTY && options.json !== true
  const history: number[] = []
  if (isScreen) {
    stdout.write(ENTER)
    onKey(leave)
  }
  try {
    for (let answer = first; !left.signal.aborted; answer = await ask()) {
      const status = JSON.parse(answer.body) as ClusterStatus
      history.push(status.tasksPerSecond)
      if (history.length > HISTORY) history.shift()
      if (isScreen) draw(address, status, history)
      else stdout.write(`${answer.body}\n`)
      await pause(INTERVAL_MS, undefined, { signal: left.signal })
    }
  } catch (cause) {
    if (!left.signal.aborted) throw lost(address, cause)
  } finally {
    if (isScreen) {
      if (process.stdin.isTTY) process.stdin.setRawMode(false).pause()
      stdout.write(LEAVE)
    }
  }
}

function draw(address: string, status: ClusterStatus, history: readonly number[]): void {
  const { columns = USUAL_SIZE.columns, rows = USUAL_SIZE.rows } = process.stdout
  const lines = drawTop(address, status, history, { columns, rows: rows - 1 })
  process.stdout.write(`${HOME}${lines.map((line) => `${line}${REST_OF_LINE}\n`).join('')}${REST_OF_SCREEN}`)
}

function refused(address: string, status: number): HeddleError {
  const isStranger = status === 401 || status === 403
  const message = isStranger
    ? `${address} wants another token; give it by --token-file or HEDDLE_TOKEN.`
    : `${address} answered ${status}; it may be another version of heddle.`
  return new HeddleError(isStranger ? 'ERR_HEDDLE_AUTHENTICATION' : 'ERR_HEDDLE_PROTOCOL', message)
}

function lost(address: string, cause: unknown): HeddleError {
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
