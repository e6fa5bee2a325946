/** `heddle top`: what a cluster does, drawn anew every second until it is left. */
import { onShutdown } from '../common/node/shutdown.js'
import type { ClusterStatus } from '../protocol/messages/status.js'
import { readToken, schedulerAddress } from './defaults.js'
import { readTls, type TlsArguments } from './tls-files.js'
import { drawTop, HISTORY } from './top-screen.js'
import { watchScheduler } from './watch-scheduler.js'
import { statusOfWatched, WatchedState } from './watched-status.js'

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
/** How often it draws; the scheduler tells what changed four times as often. */
const INTERVAL_MS = 1_000
/** What may wait for whoever reads the output. */
const MAX_UNREAD_BYTES = 1024 * 1024
/** What a terminal is that does not say. */
const USUAL_SIZE = { columns: 80, rows: 24 }

/** With `json`, or where the output is no terminal, a line of JSON every second. */
export async function watchCluster(given: string | undefined, options: TopArguments): Promise<void> {
  const address = schedulerAddress(given)
  const token = await readToken(options.tokenFile)
  const tls = await readTls(options)
  const left = new AbortController()
  const leave = (): void => left.abort()
  onShutdown({ gracefully: leave, atOnce: leave })
  const { stdout } = process
  stdout.once('error', leave) // Whoever read it has gone.
  const screen = stdout.isTTY && options.json !== true ? new Screen(address, leave) : undefined
  const state = new WatchedState()
  let toldAtMs = -Infinity
  try {
    await watchScheduler({
      address,
      token,
      tls,
      timeoutMs: options.timeout,
      look: '',
      signal: left.signal,
      onMessage: (message) => {
        const watched = state.take(message)
        if (watched === undefined || watched.nowMs - toldAtMs < INTERVAL_MS) return
        toldAtMs = watched.nowMs
        const status = statusOfWatched(watched, Date.now())
        if (screen !== undefined) screen.draw(status)
        // Who does not read what there is gets the next one.
        else if (stdout.writableLength < MAX_UNREAD_BYTES) stdout.write(`${JSON.stringify(status)}\n`)
      },
    })
  } finally {
    screen?.close()
  }
}

/** The terminal, once there is something to draw. */
class Screen {
  readonly #address: string
  readonly #leave: () => void
  readonly #history: number[] = []
  #isOpen = false

  constructor(address: string, leave: () => void) {
    this.#address = address
    this.#leave = leave
  }

  draw(status: ClusterStatus): void {
    if (!this.#isOpen) {
      this.#isOpen = true
      process.stdout.write(ENTER)
      onKey(this.#leave)
    }
    this.#history.push(status.tasksPerSecond)
    if (this.#history.length > HISTORY) this.#history.shift()
    draw(this.#address, status, this.#history)
  }

  close(): void {
    if (!this.#isOpen) return
    if (process.stdin.isTTY) process.stdin.setRawMode(false).pause()
    process.stdout.write(LEAVE)
  }
}

function draw(address: string, status: ClusterStatus, history: readonly number[]): void {
  const { columns = USUAL_SIZE.columns, rows = USUAL_SIZE.rows } = process.stdout
  const lines = drawTop(address, status, history, { columns, rows: rows - 1 })
  process.stdout.write(`${HOME}${lines.map((line) => `${line}${REST_OF_LINE}\n`).join('')}${REST_OF_SCREEN}`)
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
