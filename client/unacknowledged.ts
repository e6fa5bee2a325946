/**
 * What a client said that must not be lost, from when it was said until the scheduler acknowledges it: numbered from the first
 * on, so that on a new connection the scheduler says how much it has heard, and hears the rest in order and once.
 */
import { Fifo } from '../common/fifo.js'
import { MAX_UNACKNOWLEDGED_BYTES } from '../protocol/limits.js'
import type { ClientToScheduler } from '../protocol/messages/client.js'
import { sizeOfMap } from '../protocol/messages/common.js'

/** What a message takes beside the bytes that it carries. */
const MESSAGE_BYTES = 64

export class Unacknowledged {
  readonly #messages = new Fifo<ClientToScheduler>()
  #sizeBytes = 0
  /** Number of the first of those. */
  #acknowledgedCount = 0

  get isEmpty(): boolean {
    return this.#messages.length === 0
  }

  /** So much waits that no more should be said. */
  get isFull(): boolean {
    return this.#sizeBytes >= MAX_UNACKNOWLEDGED_BYTES
  }

  add(message: ClientToScheduler): void {
    this.#messages.push(message)
    this.#sizeBytes += sizeOf(message)
  }

  /** So many of all that were ever said are kept. */
  acknowledge(count: number): void {
    while (this.#acknowledgedCount < count) {
      const message = this.#messages.shift()
      if (message === undefined) return
      this.#acknowledgedCount += 1
      this.#sizeBytes -= sizeOf(message)
    }
  }

  /** Those that are not, in the order they were said. */
  [Symbol.iterator](): Iterator<ClientToScheduler> {
    return this.#messages[Symbol.iterator]()
  }
}

function sizeOf(message: ClientToScheduler): number {
  switch (message.type) {
    case 'define-code':
      return (
        MESSAGE_BYTES + message.source.length + (message.sourceMap === undefined ? 0 : sizeOfMap(message.sourceMap))
      )
    case 'define-template':
      return MESSAGE_BYTES + message.constants.length
    case 'submit':
      return MESSAGE_BYTES + message.args.bytes.length + 8 * (message.args.ends.length + message.inputs.length)
    case 'release':
    case 'detach':
    case 'retry':
    case 'cancel':
      return MESSAGE_BYTES + 8 * message.tasks.length
    default:
      return MESSAGE_BYTES
  }
}
