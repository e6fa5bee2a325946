/**
 * TCP sockets of which `ws` sees everything but the frames that are read past it: whole ones that have a place, or that are
 * small enough to be given one.
 */
import { connect as connectTcp, Socket as TcpSocket, type NetConnectOpts } from 'node:net'
import { CHUNK_BYTES, MAX_FRAME_BYTES, MAX_HELLO_BYTES } from '../limits.js'
import { BulkReader } from './bulk-reader.js'
import { freshMemory } from './inbox.js'
import { ReadingTurn } from './reading-turn.js'
import type { SocketHandlers } from './socket.js'

/** The system's own end of a TCP socket, as far as we touch it. */
interface TcpHandle {
  reading: boolean
  readStop(): number
}

/**
 * A TCP socket of which `ws` sees everything but whole frames that have a place, or that are small enough to be given one: smaller, as
 * long as nobody knows who sends them.
 */
export class BulkSocket {
  /** Do whole frames without a place of their own go past `ws` too? */
  readonly takesAll: boolean
  readonly #maxFrameBytes: number
  /** Who hears of frames, once somebody does. */
  #handlers: SocketHandlers | undefined
  /** The largest frame that is given memory though nobody has it: `ws` takes what is larger, or refuses it. */
  #maxOwnBytes = 0
  #reader: BulkReader | undefined

  constructor(takesAll: boolean, maxFrameBytes = MAX_FRAME_BYTES) {
    this.takesAll = takesAll
    this.#maxFrameBytes = maxFrameBytes
  }

  connect(options: NetConnectOpts): TcpSocket {
    const reader = this.#createReader(true, (bytes) => socket.emit('data', bytes))
    const onread = this.#onreadOf(reader, () => socket)
    // Without `path` like `ws` itself does it: that of the URL is no pipe.
    const socket = connectTcp({ ...options, path: undefined, onread } as NetConnectOpts)
    return socket
  }

  /**
   * Reads in place of a socket that a server of ours accepted, and returns what now stands for it. Node can read into
   * memory of ours, but only with sockets that were made so, and no server makes them: so a second one is made around
   * the same handle. Where Node does not have it any more where it always was, nothing changes.
   */
  takeOver(accepted: TcpSocket, head: Buffer): TcpSocket | undefined {
    const holder = accepted as unknown as { _handle: (TcpHandle & object) | null | undefined }
    const handle = holder._handle
    if (handle?.constructor.name !== 'TCP' || typeof handle.readStop !== 'function') return undefined
    handle.readStop()
    handle.reading = false
    holder._handle = null
    const reader = this.#createReader(false, (bytes) => socket.emit('data', bytes))
    const onread = this.#onreadOf(reader, () => socket)
    const socket = new TcpSocket({ handle, onread } as object)
    // The server counts the one that it knows.
    socket.once('close', () => accepted.destroy())
    reader.take(head)
    return socket
  }

  handle(handlers: SocketHandlers): void {
    this.#handlers = handlers
    if (this.takesAll) this.#maxOwnBytes = handlers.isPeerKnown === true ? CHUNK_BYTES : MAX_HELLO_BYTES
    // What came early is delivered later than this call, and before anything that is read from now on.
    process.nextTick(() => this.#reader?.start())
  }

  /** Node reads up to 32 times while there is more, and everything else would wait for that. */
  #onreadOf(reader: BulkReader, socketOf: () => TcpSocket): object {
    const turn = new ReadingTurn({
      take: reader.onRead,
      comingMemory: () => this.#handlers?.comingMemory?.(reader.placedBytes),
      goOn: () => {
        const socket = socketOf()
        if (!socket.isPaused() && !socket.destroyed) socket.resume()
      },
    })
    return { buffer: reader.nextBuffer, callback: turn.onRead }
  }

  #createReader(isBehindResponse: boolean, pass: (bytes: Buffer) => void): BulkReader {
    this.#reader = new BulkReader({
      maxFrameBytes: this.#maxFrameBytes,
      isBehindResponse,
      pass,
      place: (sizeBytes) =>
        this.#handlers?.memoryFor?.(sizeBytes) ?? (sizeBytes <= this.#maxOwnBytes ? freshMemory(sizeBytes) : undefined),
      onPlaced: (frame) => this.#handlers?.onFrame(frame),
    })
    return this.#reader
  }
}
