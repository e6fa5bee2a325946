/**
 * Tasks that are streams: each value leaves when the generator yields it, and the generator is resumed only while what was
 * not taken yet is within limits. When nobody reads it any more the generator is closed, so that its `finally` runs.
 */
import { BroadcastChannel } from 'node:worker_threads'
import { ownBytes } from '../../common/packed.js'
import { HeddleError } from '../../protocol/errors.js'
import type { TaskId } from '../../protocol/ids.js'
import { MAX_STREAM_BYTES, MAX_STREAM_CHUNKS } from '../../protocol/limits.js'
import { encodeValue } from '../../protocol/values/encode.js'
import type { ThreadMessage } from './thread-message.js'

/** Tells one attempt of a stream, in whichever thread it runs, how many of its values were taken. */
export interface TakenCall {
  readonly task: TaskId
  readonly attempt: number
  readonly taken: number
}

/** The attempt that streams, and whom it tells. */
export interface StreamHost {
  readonly task: TaskId
  readonly attempt: number
  /** Aborts when nobody reads any more. */
  readonly signal: AbortSignal
  readonly tell: (message: ThreadMessage) => void
}

type AnyIterator = AsyncIterator<unknown> | Iterator<unknown>

let channelName: string | undefined
let channel: BroadcastChannel | undefined
/** Those that run in this thread. */
const windows = new Set<StreamWindow>()

/** Where calls will come from that say what was taken. It is opened when the first stream runs. */
export function expectTakenCalls(name: string): void {
  channelName = name
}

/** A call for a stream that has ended, or that another thread runs, is for nobody here. */
export function onTakenCall({ task, attempt, taken }: TakenCall): void {
  for (const window of windows) if (window.isOf(task, attempt)) window.onTaken(taken)
}

/** Resolves to how many values there were, once all were taken. Rejects as the generator does, after the values before. */
export async function driveStream(result: unknown, host: StreamHost): Promise<number> {
  openChannel()
  const window = new StreamWindow(host)
  windows.add(window)
  try {
    // What the function returns may be a promise of the values.
    const failure = await readAll(iteratorOf(await result), window)
    host.signal.throwIfAborted()
    await window.drained()
    if (failure !== undefined) throw failure.error
    return window.count
  } finally {
    windows.delete(window)
  }
}

/** Returns what the generator threw, or what it gave that can't be sent. */
async function readAll(iterator: AnyIterator, window: StreamWindow): Promise<{ readonly error: unknown } | undefined> {
  for (;;) {
    let next: IteratorResult<unknown>
    try {
      await window.room()
    } catch (error) {
      await iterator.return?.()
      return { error }
    }
    try {
      next = await iterator.next()
      // A generator that is not asynchronous may give promises.
      if (next.done !== true) next = { value: await next.value }
    } catch (error) {
      return { error }
    }
    if (next.done === true) return undefined
    try {
      window.send(next.value)
    } catch (error) {
      await iterator.return?.()
      return { error }
    }
  }
}

class StreamWindow {
  /** How many values were sent. */
  count = 0
  readonly #host: StreamHost
  /** Of those that were not taken. */
  readonly #sizes: number[] = []
  #bytes = 0
  #wake: (() => void) | undefined

  constructor(host: StreamHost) {
    this.#host = host
    host.signal.addEventListener('abort', () => this.#wake?.(), { once: true })
  }

  isOf(task: TaskId, attempt: number): boolean {
    return this.#host.task === task && this.#host.attempt === attempt
  }

  /** So many were taken since the stream began. */
  onTaken(taken: number): void {
    for (let left = taken - (this.count - this.#sizes.length); left > 0; left--) this.#bytes -= this.#sizes.shift() ?? 0
    this.#wake?.()
  }

  /** @throws The reason of the signal, when nobody reads any more. */
  async room(): Promise<void> {
    await this.#until(() => this.#sizes.length < MAX_STREAM_CHUNKS && this.#bytes < MAX_STREAM_BYTES)
  }

  async drained(): Promise<void> {
    await this.#until(() => this.#sizes.length === 0)
  }

  /** @throws {NotSerializableError} */
  send(value: unknown): void {
    const { task, attempt, tell } = this.#host
    const index = this.count
    const encoded = ownBytes(encodeValue(value, { path: `values[${index}]` }))
    this.count += 1
    this.#sizes.push(encoded.length)
    this.#bytes += encoded.length
    tell({ type: 'chunk', task, attempt, index, value: encoded })
  }

  async #until(isMet: () => boolean): Promise<void> {
    const { signal } = this.#host
    while (!isMet() && !signal.aborted) await new Promise<void>((resolve) => (this.#wake = resolve))
    signal.throwIfAborted()
  }
}

function iteratorOf(values: unknown): AnyIterator {
  const methods = values as Partial<AsyncIterable<unknown> & Iterable<unknown>> | null | undefined
  const iterator = methods?.[Symbol.asyncIterator]?.() ?? methods?.[Symbol.iterator]?.()
  if (iterator !== undefined) return iterator
  const found = values === null ? 'null' : typeof values
  const message = `A stream must give values one by one, and its function returned ${found}; write it as async function*.`
  throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
}

function openChannel(): void {
  if (channel !== undefined || channelName === undefined) return
  channel = new BroadcastChannel(channelName)
  channel.onmessage = (event) => onTakenCall((event as { readonly data: TakenCall }).data)
  channel.unref()
}
