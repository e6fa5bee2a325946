/** What the status page is told, for commands: the same messages, over the same WebSocket. */
import { HeddleError } from '../protocol/errors.js'
import { HEARTBEAT_TIMEOUT_MS } from '../protocol/limits.js'
import type { FromViewer, Look, ToViewer } from '../protocol/messages/watch.js'
import type { Socket } from '../protocol/transport/socket.js'
import { dial } from '../protocol/transport/websocket.js'
import type { TlsTexts } from './tls-files.js'

export interface WatchOptions {
  /** As in `ws://10.0.0.5:8786`. */
  readonly address: string
  readonly token: string | undefined
  readonly tls: TlsTexts | undefined
  /** For the connection. */
  readonly timeoutMs: number
  readonly look: Look
  /** Ends it. */
  readonly signal: AbortSignal
  readonly onMessage: (message: ToViewer) => void
}

const PATH = '/api/v1/watch'
/** More than the whole state of any cluster has, which comes in one frame. */
const MAX_STATE_BYTES = 256 * 1024 * 1024
/** How often we say that we are there, and look whether the scheduler is: its clock is news four times a second. */
const HERE_MS = HEARTBEAT_TIMEOUT_MS / 2

/**
 * Resolves when `signal` aborts.
 *
 * @throws {SchedulerUnreachableError} when nothing answers there.
 * @throws {AuthenticationError} when the token is refused.
 * @throws {HeddleError} `ERR_HEDDLE_CONNECTION_LOST` when the connection ends before.
 */
export async function watchScheduler(options: WatchOptions): Promise<void> {
  const { address, token, tls, timeoutMs, signal } = options
  try {
    const socket = await dial(address, { path: PATH, maxFrameBytes: MAX_STATE_BYTES, token, tls, timeoutMs, signal })
    await listen(socket, options)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

function listen(socket: Socket, { address, look, signal, onMessage }: WatchOptions): Promise<void> {
  const here: FromViewer = { type: 'here', look, key: '' }
  const words = Buffer.from(JSON.stringify(here))
  return new Promise((resolve, reject) => {
    let isHeard = true
    const timer = setInterval(() => {
      if (!isHeard) socket.terminate()
      isHeard = false
      socket.send(words)
    }, HERE_MS)
    const leave = (): void => socket.close()
    signal.addEventListener('abort', leave, { once: true })
    socket.handle({
      onFrame: (frame) => {
        isHeard = true
        if (!signal.aborted) onMessage(JSON.parse(Buffer.from(frame).toString()) as ToViewer)
      },
      onDrain: () => undefined,
      onClose: () => {
        clearInterval(timer)
        signal.removeEventListener('abort', leave)
        if (signal.aborted) resolve()
        else reject(lost(address))
      },
    })
    socket.send(words)
    if (signal.aborted) leave()
  })
}

function lost(address: string): HeddleError {
  const message = `The connection to ${address} ended; see whether the scheduler is up.`
  return new HeddleError('ERR_HEDDLE_CONNECTION_LOST', message, { retryable: true })
}
