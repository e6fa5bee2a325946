/** Handlers that write down what they hear, and let a test wait for it. */
import type { CloseReason, Handlers } from '../../protocol/transport/connection.js'

export class Recorder<M> implements Handlers<M> {
  /** The messages of each frame. */
  readonly frames: (readonly M[])[] = []
  readonly payloads: { readonly message: M; readonly payload: Uint8Array }[] = []
  readonly closeReasons: CloseReason[] = []
  /** Kinds of what came, in order. */
  readonly order: ('messages' | 'payload')[] = []
  #onChange: () => void = () => undefined

  get messages(): M[] {
    return this.frames.flat()
  }

  onMessages(messages: readonly M[]): void {
    this.frames.push(messages)
    this.order.push('messages')
    this.#onChange()
  }

  onPayload(message: M, payload: Uint8Array): void {
    this.payloads.push({ message, payload })
    this.order.push('payload')
    this.#onChange()
  }

  onClose(reason: CloseReason): void {
    this.closeReasons.push(reason)
    this.#onChange()
  }

  /** Resolves once `condition` holds; the runner's time-out is the deadline. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (condition()) resolve()
      }
      this.#onChange = check
      check()
    })
  }
}
