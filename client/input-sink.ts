/** Finds the futures among a task's arguments. */
import { HeddleError, NotSerializableError } from '../protocol/errors.js'
import type { TaskId } from '../protocol/ids.js'
import type { FutureSink } from '../protocol/values/encode.js'
import { PersistedCall } from './delayed.js'
import type { Failure } from './failure.js'
import { GraphCall } from './graph-call.js'
import type { TaskArray } from './task-array.js'
import { TaskFuture, type FutureOwner } from './task-future.js'

export class InputSink implements FutureSink {
  readonly ids: TaskId[] = []
  readonly #owner: FutureOwner
  readonly #isOk: (array: TaskArray, index: number) => boolean
  #failure: Failure | undefined

  /** A released future may be among the arguments never, or until the scheduler knows that it was released. */
  constructor(owner: FutureOwner, { released }: { readonly released: 'never' | 'until the scheduler knows' }) {
    this.#owner = owner
    this.#isOk =
      released === 'never' ? (array, index) => !array.isReleased(index) : (array, index) => !array.isGone(index)
  }

  /** Why the task has no future either: one of its inputs failed without the scheduler's knowledge. */
  get failure(): Failure | undefined {
    return this.#failure
  }

  begin(): void {
    this.ids.length = 0
    this.#failure = undefined
  }

  idOf(object: object): TaskId | undefined {
    if (object instanceof GraphCall || object instanceof PersistedCall) {
      const message = `A delayed call of ${object.name} is among the arguments; give it to a delayed function, or what client.compute() makes of it.`
      throw new NotSerializableError('args', message)
    }
    if (!(object instanceof TaskFuture)) return undefined
    const { owner, array, index } = object
    if (owner !== this.#owner) {
      const message = `The future ${object.key} among the arguments belongs to another client; await it there, and pass its value.`
      throw new NotSerializableError('args', message)
    }
    const failure = array.failureOf(index)
    if (failure !== undefined && failure.type !== 'remote') this.#failure = failure
    // One that was cancelled is let go of by that, and tells those that need it why.
    else if (!this.#isOk(array, index)) {
      const message = `The future ${object.key} among the arguments was released; hold it until it has been used.`
      throw new HeddleError('ERR_HEDDLE_RELEASED', message)
    }
    return array.idOf(index)
  }
}
