/** A task that the scheduler is told of by a message of its own: the one task of an array, in line with what was submitted. */
import type { ClientToScheduler } from '../protocol/messages/client.js'
import type { TaskArray } from './task-array.js'

export class Announcement {
  readonly array: TaskArray
  readonly message: ClientToScheduler

  constructor(array: TaskArray, message: ClientToScheduler) {
    this.array = array
    this.message = message
  }
}
