/** A thread that moves values to or from the disk, in the order that they are asked for. It is started for the first of them. */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { FromDiskThread, ToDiskThread } from './thread/disk-message.js'
import { onSharedMemory } from './thread/shared-memory.js'

/** The file that the thread starts with. */
const THREAD_ENTRY = fileURLToPath(new URL('./thread/disk-main.js', import.meta.url))

type Answer = Exclude<FromDiskThread, { readonly type: 'started' }>

interface Order {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

export class DiskThread {
  readonly #orders = new Map<number, Order>()
  #lastOrder = 0
  #worker: Worker | undefined
  /** It has loaded its code, or is gone. */
  #started: Promise<unknown> = Promise.resolve()
  #isClosed = false

  /** How much it was asked for and has not done. */
  get orderCount(): number {
    return this.#orders.size
  }

  /**
   * Writes a new file. Returns the checksum of what was written.
   *
   * @throws What the file system says, with its code.
   */
  async write(path: string, bytes: Uint8Array): Promise<number> {
    const order = ++this.#lastOrder
    const answer = await this.#ask({ type: 'write', order, path, bytes: onSharedMemory(bytes) })
    if (answer.type !== 'written') throw errorOf(answer)
    return answer.checksum
  }

  /**
   * Reads a file of this size, into memory that threads share or that is the caller's own. Says how much there was.
   *
   * @throws What the file system says, with its code.
   */
  async read(
    path: string,
    sizeBytes: number,
    isShared: boolean,
  ): Promise<{ readonly bytes: Uint8Array; readonly sizeBytes: number; readonly checksum: number }> {
    const answer = await this.#ask({ type: 'read', order: ++this.#lastOrder, path, sizeBytes, isShared })
    if (answer.type !== 'read') throw errorOf(answer)
    return answer
  }

  /** What passed is seen by the thread too until it collects its garbage. */
  collect(): void {
    this.#worker?.postMessage({ type: 'collect' } satisfies ToDiskThread)
  }

  /** Resolves when the thread is gone; what it had not moved is rejected. Node must not end one that is loading its code. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#started
    await this.#worker?.terminate()
  }

  async #ask(message: Exclude<ToDiskThread, { readonly type: 'collect' }>): Promise<Answer> {
    if (this.#isClosed) throw new Error('The worker is closing.')
    const worker = (this.#worker ??= this.#start())
    const answered = new Promise<Answer>((resolve, reject) => this.#orders.set(message.order, { resolve, reject }))
    worker.ref()
    worker.postMessage(message)
    try {
      return await answered
    } finally {
      this.#orders.delete(message.order)
      // Idle, it keeps no process from ending.
      if (this.#orders.size === 0) worker.unref()
    }
  }

  #start(): Worker {
    const worker = new Worker(THREAD_ENTRY)
    let error: unknown = new Error('The thread that moves values to and from the disk is gone.')
    this.#started = Promise.race([once(worker, 'message'), once(worker, 'exit')]).catch(() => undefined)
    worker.on('message', (message: FromDiskThread) => {
      if (message.type !== 'started') this.#orders.get(message.order)?.resolve(message)
    })
    worker.on('error', (why: unknown) => (error = why))
    worker.on('exit', () => {
      this.#worker = undefined
      for (const { reject } of this.#orders.values()) reject(error)
    })
    return worker
  }
}

function errorOf(answer: Answer): Error {
  return answer.type === 'failed'
    ? Object.assign(new Error(answer.reason), { code: answer.code })
    : new Error(`The thread that moves values to and from the disk answered ${answer.type}.`)
}
