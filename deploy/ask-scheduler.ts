/** One question to a scheduler, over a connection of its own: for commands and launchers, which need no whole client. */
import {
  SchedulerUnreachableError,
  TimeoutError,
  HeddleError,
  ERROR_CODES,
  type ErrorCode,
} from '../protocol/errors.js'
import { clientToScheduler, schedulerToClient } from '../protocol/messages/client.js'
import type { ClientToScheduler, SchedulerToClient } from '../protocol/messages/client.js'
import type { CloseReason } from '../protocol/transport/connection.js'
import { connectTo } from '../protocol/transport/handshake.js'
import type { TlsOptions } from '../protocol/transport/tls.js'
import { dial } from '../protocol/transport/websocket.js'

export interface QuestionOptions<Answer extends SchedulerToClient['type']> {
  /** Who asks, for the scheduler's log. */
  readonly name: string
  readonly token?: string | undefined
  readonly tls?: TlsOptions | undefined
  /** `viewer` for a question that changes nothing. Default: `client`. */
  readonly role?: 'client' | 'viewer'
  /** For the connection and, unless `answerMs` is given, the answer together. */
  readonly timeoutMs: number
  /** For an answer that takes its time; `Infinity` for any. */
  readonly answerMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly question: ClientToScheduler
  /** The type of the message that answers it. */
  readonly answer: Answer
  /** Told of what else the scheduler says meanwhile. */
  readonly onOther?: (message: SchedulerToClient) => void
}

/**
 * @throws {SchedulerUnreachableError} when nothing answers there, or the connection breaks.
 * @throws {TimeoutError} when the answer takes longer than `timeoutMs`.
 * @throws The reason of `signal`, when it aborts.
 */
export async function askScheduler<Answer extends SchedulerToClient['type']>(
  address: string,
  {
    name,
    token,
    tls,
    role = 'client',
    timeoutMs,
    answerMs = timeoutMs,
    signal,
    question,
    answer,
    onOther,
  }: QuestionOptions<Answer>,
): Promise<Extract<SchedulerToClient, { readonly type: Answer }>> {
  type Wanted = Extract<SchedulerToClient, { readonly type: Answer }>
  // Longer than a timer can wait is as good as never.
  const deadline = answerMs < 2 ** 31 ? AbortSignal.timeout(answerMs) : new AbortController().signal
  const socket = await dial(address, { token, tls, timeoutMs, signal })
  let settle: { readonly resolve: (message: Wanted) => void; readonly reject: (error: Error) => void } | undefined
  const answered = new Promise<Wanted>((resolve, reject) => (settle = { resolve, reject }))
  answered.catch(() => undefined) // It may fail before anyone awaits it.
  const connection = await connectTo<SchedulerToClient, ClientToScheduler>({
    socket,
    timeoutMs,
    signal,
    hello: { role, name },
    incoming: schedulerToClient,
    outgoing: clientToScheduler,
    handlers: () => ({
      onMessages: (messages) => {
        for (const message of messages) {
          if (message.type === answer) settle?.resolve(message as Wanted)
          else onOther?.(message)
        }
      },
      onClose: (reason) => settle?.reject(errorOfClose(address, reason)),
    }),
  })
  const onDeadline = (): void => {
    settle?.reject(new TimeoutError(`${address} did not answer in ${answerMs} ms; try again, or wait longer.`))
  }
  const onAbort = (): void => settle?.reject(signal?.reason as Error)
  deadline.addEventListener('abort', onDeadline, { once: true })
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    connection.send(question)
    return await answered
  } finally {
    deadline.removeEventListener('abort', onDeadline)
    signal?.removeEventListener('abort', onAbort)
    connection.close()
  }
}

function errorOfClose(address: string, { code, message }: CloseReason): Error {
  const known = ERROR_CODES.find((each): each is ErrorCode => each === code)
  if (known !== undefined) return new HeddleError(known, message)
  return new SchedulerUnreachableError(`The connection to ${address} ended before it answered; try again.`)
}
