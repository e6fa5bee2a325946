/**
 * Items of a large `map` that were given their places in a task array and are not encoded yet. That is done a little at a
 * time, between other work, so that a map over a million items does not stop the program for a second.
 */
import { NotSerializableError } from '../protocol/errors.js'
import type { TaskId } from '../protocol/ids.js'
import type { EncodedArguments } from './encoded-arguments.js'
import type { Failure } from './failure.js'
import { InputSink } from './input-sink.js'
import { Submission } from './submission.js'
import type { TaskArray } from './task-array.js'
import type { FutureOwner } from './task-future.js'
import { placesOf, type Template } from './template.js'

/** How many items go by between two looks at the clock. */
const ITEMS_PER_LOOK = 16
/** Or how many bytes. */
const BYTES_PER_LOOK = 64 * 1024

/** The items of a `map`, and how they stand for arguments. */
export interface Items {
  readonly values: readonly unknown[]
  /** `item`: each is the first argument. `arguments`: each is a list of arguments. */
  readonly are: 'item' | 'arguments'
  /** How many came before these. */
  readonly first?: number
}

/** Told of a task that fails here. */
type Refuse = (array: TaskArray, index: number, template: Template, failure: Failure) => void

export class MapSlice {
  readonly array: TaskArray
  readonly template: Template
  readonly #items: Items
  /** Which item belongs to the first place of the array. */
  readonly #firstItem: number
  readonly #sink: InputSink

  constructor(owner: FutureOwner, array: TaskArray, template: Template, items: Items, firstItem: number) {
    this.array = array
    this.template = template
    this.#items = items
    this.#firstItem = firstItem
    this.#sink = new InputSink(owner, { released: 'until the scheduler knows' })
    template.unsent += 1
  }

  get isEncoded(): boolean {
    return this.array.sentCount === this.array.count
  }

  /**
   * Encodes the next items, until the deadline or as many as make a good message. An item that can't be sent fails on its
   * own future: its task gets an input that does not exist, `noTask`, so that it never runs.
   */
  encodeSome(deadlineMs: number, noTask: TaskId, refuse: Refuse): Submission {
    const { array } = this
    const submission = new Submission(array, array.sentCount)
    const { tasks } = submission
    let lookAtBytes = BYTES_PER_LOOK
    const { template } = this
    const places = placesOf(template)
    for (let index = array.sentCount; index < array.count; index += places) {
      if ((tasks.count > 0 && tasks.count % (ITEMS_PER_LOOK * places) === 0) || tasks.sizeBytes >= lookAtBytes) {
        if (submission.isLargeEnough || performance.now() >= deadlineMs) break
        lookAtBytes = tasks.sizeBytes + BYTES_PER_LOOK
      }
      const failure = this.#encode(tasks, this.#firstItem + index / places, noTask)
      tasks.addOutputs(template.outputs)
      if (failure !== undefined) refuse(array, index, template, failure)
    }
    submission.addRun(template, tasks.count)
    return submission
  }

  #encode(tasks: EncodedArguments, place: number, noTask: TaskId): Failure | undefined {
    try {
      addItem(tasks, this.#items, place, this.#sink)
      return this.#sink.failure ?? this.template.constants.failure
    } catch (error) {
      tasks.addWithout([noTask])
      return { type: 'local', error }
    }
  }
}

/** Encodes item `place` as the arguments of the next task. What can't be sent is named by its place in the list. */
export function addItem(tasks: EncodedArguments, items: Items, place: number, sink: InputSink): void {
  const value = items.values[place]
  if (items.are === 'arguments') return tasks.add(value as readonly unknown[], sink, `argTuples[${place}]`)
  try {
    tasks.add([value], sink, 'items')
  } catch (error) {
    if (!(error instanceof NotSerializableError) || !error.path.startsWith('items[0]')) throw error
    const path = `items[${(items.first ?? 0) + place}]${error.path.slice('items[0]'.length)}`
    throw new NotSerializableError(
      path,
      error.message.replace(error.path, () => path),
      { cause: error.cause },
    )
  }
}
