/** A future of a task that is in the cluster already, and that this client knows by its key. */
import type { Attach } from '../protocol/messages/client.js'
import type { TaskArray } from './task-array.js'
import { nameOnly } from './template.js'

const ATTACHED_TEMPLATE = nameOnly('future')

/** One on its way to be announced. It is the one task of its array. */
export class Attachment {
  readonly array: TaskArray
  readonly #key: string

  constructor(array: TaskArray, key: string) {
    this.array = array
    this.#key = key
    array.setKey(array.add(1, ATTACHED_TEMPLATE, undefined), key)
  }

  toMessage(): Attach {
    return { type: 'attach', array: this.array.id, key: this.#key }
  }
}
